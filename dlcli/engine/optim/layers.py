"""Layer groups: the stages of a network, in order, cut into groups that learn at rates of their own or not at all.

Early layers of a trained network are general, late ones are not (Yosinski et al. 2014, arXiv:1411.1792), so fine-tuning
freezes the early ones or gives them lower rates (Howard & Ruder 2018, arXiv:1801.06146).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.train_config import HEAD, TrainConfig
from dlcli.models.modes import batch_norms, freeze_statistics

NUM_GROUPS = 3
"""Groups without several rates: early layers, late layers and head, as fastai cuts a network."""

_LAST_GROUPS = re.compile(r"-(\d+)")


@dataclass(frozen=True)
class Stage:
    """A part of a network.

    Attributes:
        name: its dotted name.
        modules: its modules; normalisation that follows belongs to it.
    """

    name: str
    modules: tuple[nn.Module, ...]


def stages_of(network: nn.Module) -> list[Stage]:
    """Return the stages of a network in the order of their definition; the last one is the head.

    They are its children with parameters. Where those are three or fewer (`features` and `classifier`), the children of
    the largest one are stages too. A head of several layers is several stages, so that the last one is a single layer.
    """
    stages = _children(network)
    while len(stages) == 1 and len(stages[0].modules) == 1 and _children(stages[0].modules[0], stages[0].name):
        stages = _children(stages[0].modules[0], stages[0].name)  # a wrapper
    prefix = stages[0].name.rpartition(".")[0] if stages else ""
    while len(stages) <= NUM_GROUPS:
        wider = [_opened(stages, place) for place in sorted(range(len(stages) - 1), key=lambda at: -_size(stages[at]))]
        found = next((each for each in wider if len(each) > len(stages)), None)
        if found is None:
            break
        stages = found
    while stages and len(_opened(stages, len(stages) - 1)) > len(stages):
        stages = _opened(stages, len(stages) - 1)
    return [Stage(stage.name.removeprefix(f"{prefix}.") if prefix else stage.name, stage.modules) for stage in stages]


def _children(module: nn.Module, prefix: str = "") -> list[Stage]:
    """Return the children that have parameters as stages; a normalisation is part of the stage before it."""
    stages: list[Stage] = []
    for name, child in module.named_children():
        parameters = list(child.parameters())
        if not parameters:
            continue
        if stages and all(parameter.ndim < 2 for parameter in parameters):
            stages[-1] = Stage(stages[-1].name, (*stages[-1].modules, child))
        else:
            stages.append(Stage(f"{prefix}.{name}" if prefix else name, (child,)))
    return stages


def _opened(stages: Sequence[Stage], place: int) -> list[Stage]:
    """Return the stages with one of them replaced by its own children."""
    stage = stages[place]
    inner = _children(stage.modules[0], stage.name)
    after = stage.modules[1:]
    while len(inner) == 1 and _children(inner[0].modules[0]):
        after = (*inner[0].modules[1:], *after)
        inner = _children(inner[0].modules[0], inner[0].name)
    if inner:
        inner[-1] = Stage(inner[-1].name, (*inner[-1].modules, *after))
    before = list(stages[:place])
    if before and len(inner) > 1 and all(parameter.ndim < 2 for parameter in _parameters(inner[:1])):
        first = inner.pop(0)  # a normalisation at its beginning
        before[-1] = Stage(before[-1].name, (*before[-1].modules, *first.modules))
    return [*before, *inner, *stages[place + 1 :]]


def _size(stage: Stage) -> int:
    return sum(parameter.numel() for module in stage.modules for parameter in module.parameters())


def cut_groups(stages: Sequence[Stage], count: int) -> list[list[Stage]]:
    """Return the stages in `count` groups: the head, and the others in groups of nearly equal numbers of stages.

    Raises:
        UsageError: there are fewer stages than groups.
    """
    if len(stages) < count:
        names = ", ".join(stage.name for stage in stages)
        raise UsageError(
            f"this network has {len(stages)} stages ({names}), too few for {count} groups of layers",
            hint=f"give at most {len(stages)} learning rates" if stages else "the network has no parameters",
        )
    if count == 1:
        return [list(stages)]
    body = np.array_split(np.arange(len(stages) - 1), count - 1)
    return [*([stages[index] for index in part] for part in body), [stages[-1]]]


def layer_rates(network: nn.Module, config: TrainConfig) -> dict[int, float]:
    """Return the learning rate of each parameter by its id; 0 for those that are frozen.

    Raises:
        UsageError: `--freeze` names no stage, or the network has too few stages for the learning rates.
    """
    rates = config.learning_rate if isinstance(config.learning_rate, tuple) else (config.learning_rate,)
    found = {id(parameter): rates[0] for parameter in network.parameters()}  # also those of no stage: a class token
    if len(rates) == 1 and config.freeze is None:
        return found
    stages = stages_of(network)
    for rate, group in zip(rates, cut_groups(stages, len(rates)), strict=True):
        found |= {id(parameter): rate for parameter in _parameters(group)}
    frozen = _frozen(stages, config.freeze, len(rates))
    if frozen:
        kept = {id(parameter) for parameter in _parameters(stages[len(frozen) :])}
        found = {key: rate if key in kept else 0.0 for key, rate in found.items()}
    return found


def _parameters(stages: Sequence[Stage]) -> Iterator[Tensor]:
    for stage in stages:
        for module in stage.modules:
            yield from module.parameters()


def _frozen(stages: Sequence[Stage], freeze: str | None, num_rates: int) -> Sequence[Stage]:
    """Return the stages that `--freeze` names.

    Raises:
        UsageError: it names no stage, or there are too few groups.
    """
    if freeze is None:
        return ()
    last = _LAST_GROUPS.fullmatch(freeze)
    if last is None and freeze != HEAD:
        names = [stage.name for stage in stages]
        if freeze not in names:
            hint = did_you_mean(freeze, names) if freeze else ""
            raise UsageError(f"--freeze: the network has no stage {freeze!r}", hint=hint)
        return stages[: names.index(freeze)]
    count = int(last[1]) if last else 1
    total = num_rates if num_rates > 1 else min(NUM_GROUPS, len(stages))
    if not 1 <= count <= total:
        raise UsageError(
            f"--freeze {freeze}: the layers are in {total} groups", hint=f"give -1 (the head alone) to -{total}"
        )
    groups = cut_groups(stages, total)
    return [stage for group in groups[: total - count] for stage in group]


def freeze_layers(network: nn.Module, rates: Mapping[int, float]) -> None:
    """Freeze the parameters with a rate of 0: no gradients, and batch norms that use their running statistics.

    Raises:
        UsageError: every parameter is frozen.
    """
    parameters = list(network.parameters())
    if parameters and not any(rates[id(parameter)] for parameter in parameters):
        raise UsageError("every layer is frozen", hint="give a learning rate above 0, or leave out --freeze")
    for parameter in parameters:
        if not rates[id(parameter)]:
            parameter.requires_grad_(False)
    for norm in batch_norms(network):
        own = list(norm.parameters())
        if own and not any(rates[id(parameter)] for parameter in own):
            freeze_statistics(norm)
