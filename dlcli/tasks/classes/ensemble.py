"""`--ensemble N`: building and training networks that answer together.

A batch is read, moved and augmented once and yields an update for each member, which has an optimizer to itself. So its
gradients, their clipping and its layer groups are those of a training of it alone, and the memory for activations is
that of one member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Update
from dlcli.metrics.members import MEMBERS
from dlcli.models.ensemble import Ensemble, HasMembers, first_equal, members_of
from dlcli.tasks.classes.losses import ClassLoss
from dlcli.tasks.classes.training import accuracy_of


def build_members(
    build: Callable[[], nn.Module], count: int, join: Callable[[list[nn.Module]], nn.Module] = Ensemble
) -> nn.Module:
    """Return one network, or an ensemble of `count`, whose weights are drawn one after the other."""
    return build() if count == 1 else join([build() for _ in range(count)])


def require_different(model: nn.Module) -> None:
    """Check that no two members of an ensemble start from equal weights, with which they would learn the same.

    Raises:
        UsageError: two of them do, because ready weights are those of a whole network.
    """
    if first_equal(members_of(model)) is not None:
        raise UsageError(
            "--ensemble: with these --pretrained weights every member starts as the same network, its head included",
            hint="leave out --fit-head where it is on, or start from fresh weights",
        )


def named_members(model: nn.Module) -> Mapping[str, nn.Module]:
    """Return the networks of an ensemble by the names of their optimizers; any other model alone, as `network`."""
    if not isinstance(model, HasMembers):
        return {"network": model}
    return {f"member_{number}": network for number, network in enumerate(model.networks, start=1)}


def member_optimizers(model: nn.Module, train: TrainConfig) -> dict[str, Optimizer]:
    """Return an optimizer for each member.

    Raises:
        UsageError: see `build_optimizer`.
    """
    return {name: build_optimizer(network, train) for name, network in named_members(model).items()}


def class_updates(
    networks: Mapping[str, nn.Module], loss: ClassLoss, labels: Tensor, class_weights: Tensor | None, *inputs: Tensor
) -> Iterator[Update]:
    """Yield an update for each network; the teacher, if there is one, answers once.

    Logged losses and accuracies are means over networks, since all have the same names and counts.

    Args:
        networks: inputs -> (N, C) logits, by the names of their optimizers.
        loss: the loss.
        labels: (N,) int64.
        class_weights: (C,), or None for equal weights.
        inputs: those of each network.
    """
    soft_logits = loss.taught(*inputs)
    for name, network in networks.items():
        logits = network(*inputs)
        losses = loss.of_network(logits, labels, class_weights, soft_logits)
        yield Update(name, losses, len(labels), accuracy_of(logits, labels))


def member_logits(model: nn.Module, batch: Batch, inputs: Sequence[str]) -> dict[str, Tensor]:
    """Return the logits of an ensemble's members as `MEMBERS`, (N, M, C, ...); of any other model nothing.

    Args:
        model: the model.
        batch: the batch.
        inputs: the names of the model's inputs in it.
    """
    if not isinstance(model, Ensemble):
        return {}
    return {MEMBERS: model.members(*(batch[name] for name in inputs)).transpose(0, 1)}
