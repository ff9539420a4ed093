"""The backward pass; of several processes together it ends with the mean of their gradients in each.

`DistributedDataParallel` does that work, its messages running while the backward pass still does. It wants a module to
wrap, whose forward it watches, and a task here may call any part of its model and step several optimizers in turn. So
what it wraps is a module that holds the parameters of one optimizer and passes the finished loss on: all it needs to
know of a forward is when it has ended and what came out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dlcli.engine.compute.distributed import World


class Backward:
    """Takes gradients, in one process or in several.

    Args:
        world: the processes.
        model: what is trained; tells which parameters have sparse gradients.
    """

    def __init__(self, world: World, model: nn.Module) -> None:
        self._world = world
        embeddings = [part for part in model.modules() if isinstance(part, (nn.Embedding, nn.EmbeddingBag))]
        self._sparse = {id(part.weight) for part in embeddings if part.sparse}
        self._joined: dict[tuple[int, ...], DistributedDataParallel] = {}

    def __call__(self, loss: Tensor, parameters: Sequence[Tensor], *, is_last: bool) -> None:
        """Add the loss's gradients with respect to the parameters to their `grad`.

        Args:
            loss: a scalar.
            parameters: the same in every process; one that the loss does not depend on here may have a gradient there.
            is_last: of the micro-batches of a step. Then each `grad` becomes the mean over all processes of what they
                have gathered.
        """
        with self._watching(loss, parameters, is_last=is_last) as watched:
            watched.backward(inputs=parameters)  # type: ignore[no-untyped-call]
        if is_last and not self._world.is_alone:  # NCCL sums no sparse tensors
            self._world.average_sparse([parameter for parameter in parameters if id(parameter) in self._sparse])

    @contextlib.contextmanager
    def _watching(self, loss: Tensor, parameters: Sequence[Tensor], *, is_last: bool) -> Iterator[Tensor]:
        """Yield the loss, its backward pass watched where other processes wait for its gradients."""
        if self._world.is_alone:
            yield loss
            return
        joined = self._join([parameter for parameter in parameters if id(parameter) not in self._sparse])
        with contextlib.nullcontext() if is_last else joined.no_sync():
            yield joined(loss)

    def _join(self, parameters: Sequence[Tensor]) -> DistributedDataParallel:
        """Return what joins these parameters; once some of an optimizer's are learned, the rest is joined anew."""
        key = tuple(map(id, parameters))
        if key not in self._joined:
            self._joined = {ids: joined for ids, joined in self._joined.items() if not set(ids) & set(key)}
            # The processes began with the same weights, and these are part of a graph by now: nothing is sent here.
            # A batch may leave out a part of the network, so the unused are looked for.
            self._joined[key] = DistributedDataParallel(
                _Holder(parameters), find_unused_parameters=True, init_sync=False
            )
        return self._joined[key]


class _Holder(nn.Module):
    """Has parameters, and a forward that passes the loss on."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__()
        self.held = nn.ParameterList(parameters)

    def forward(self, loss: Tensor) -> Tensor:
        """Return the loss."""
        return loss
