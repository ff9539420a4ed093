"""The backward pass, with gradients averaged over all processes.

`DistributedDataParallel` does the averaging, overlapping communication with the backward pass. It wraps a module and
hooks its forward, but a task here may call any part of its model and step several optimizers in turn. So what it wraps
is a module that holds the parameters of one optimizer and passes the loss through: all it needs to know of the forward
is when it ended and its output.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dlcli.engine.compute.distributed import World


class Backward:
    """Computes gradients, in one process or several.

    Args:
        world: the processes.
        model: the trained model; its embeddings determine which parameters have sparse gradients.
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
            parameters: the same in every process, even if the loss depends on some of them only in another process.
            is_last: whether this is the last micro-batch of a step. Then each `grad` becomes the mean over all
                processes of the accumulated gradients.
        """
        with self._watching(loss, parameters, is_last=is_last) as watched:
            watched.backward(inputs=parameters)  # type: ignore[no-untyped-call]
        if is_last and not self._world.is_alone:  # NCCL cannot reduce sparse tensors
            self._world.average_sparse([parameter for parameter in parameters if id(parameter) in self._sparse])

    @contextlib.contextmanager
    def _watching(self, loss: Tensor, parameters: Sequence[Tensor], *, is_last: bool) -> Iterator[Tensor]:
        """Yield the loss, hooked by DistributedDataParallel if there are other processes."""
        if self._world.is_alone:
            yield loss
            return
        joined = self._join([parameter for parameter in parameters if id(parameter) not in self._sparse])
        with contextlib.nullcontext() if is_last else joined.no_sync():
            yield joined(loss)

    def _join(self, parameters: Sequence[Tensor]) -> DistributedDataParallel:
        """Return the wrapper for these parameters; a new one once some of an optimizer's parameters are frozen."""
        key = tuple(map(id, parameters))
        if key not in self._joined:
            self._joined = {ids: joined for ids, joined in self._joined.items() if not set(ids) & set(key)}
            # The processes started with the same weights, and these are already part of a graph, so skip the initial
            # synchronisation. A batch may not use all of the network, so search for unused parameters.
            self._joined[key] = DistributedDataParallel(
                _Holder(parameters), find_unused_parameters=True, init_sync=False
            )
        return self._joined[key]


class _Holder(nn.Module):
    """Holds parameters; its forward passes the loss through."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__()
        self.held = nn.ParameterList(parameters)

    def forward(self, loss: Tensor) -> Tensor:
        """Return the loss."""
        return loss
