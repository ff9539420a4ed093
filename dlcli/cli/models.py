"""`dl models [NAME]`: the list of networks, or the layers of one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.errors import UsageError
from dlcli.core.networks import get_owner, networks_of, zoo_names, zoo_of, zoos
from dlcli.core.registry import TaskSpec, all_tasks, load_object

SIZES = ("image_size", "channels", "num_classes")
"""The options that set the size at which a task builds a network."""


@dataclass(frozen=True)
class ModelsOptions:
    """Options of `dl models`."""

    image_size: int | None = option(None, "image side in pixels (default: the network's)", minimum=1, maximum=4096)
    channels: int | None = option(None, "input channels", minimum=1, maximum=4)
    num_classes: int | None = option(None, "number of classes", minimum=1, maximum=100_000)
    all: bool = option(False, "also list torchvision's classifiers")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [Argument("name", "network to show: layers, parameters, FLOPs, receptive field", is_required=False)]
    return make_command(
        "models", "List the networks, or show one.", _models, arguments=arguments, configs=[ModelsOptions]
    )


def _models(values: Values) -> None:
    name = values.arguments["name"]
    options = values.resolve(ModelsOptions)
    if name is not None:
        _show(name, options, values)
        return
    console = values.console()
    rows = [(spec.name, name, net) for spec in all_tasks().values() for name, net in networks_of(spec).items()]
    others = [(spec.name, name, zoo) for spec, zoo in zoos() for name in zoo_names(zoo)] if options.all else []
    if console.is_json:
        models = [{"task": task, "name": name, **asdict(network)} for task, name, network in rows]
        models += [{"task": task, "name": name, "source": zoo.source} for task, name, zoo in others]
        console.answer_json("models", {"models": models})
        return
    table = [[name, task, network.summary, network.source] for task, name, network in rows]
    table += [[name, task, zoo.source, ""] for task, name, zoo in others]
    console.table(["model", "task", "what it is", "source"], table)
    if not options.all:
        for _, zoo in zoos():
            console.say(f"and any of the {zoo.summary} by name: `dl models --all`")


def _show(name: str, options: ModelsOptions, values: Values) -> None:
    """Print the layers of one network, as built by its task.

    Raises:
        UsageError: there is no such network, or it cannot have this size.
    """
    console = values.console()
    spec = get_owner(name)
    from dlcli.engine.task import HasNetwork, network_of
    from dlcli.models.summary import common_prefix, summarise, summarise_calls

    size = {option: value for option in SIZES if (value := vars(options)[option]) is not None}
    try:
        task = load_object(spec.task).from_network(name, size)
        network, graphs = network_of(task), task.export_plan().graphs
        calls = [(graph.module, [graph.example[key] for key in graph.inputs]) for graph in graphs]
        inputs = calls[0][1]
        # The module of a single graph may wrap the network with what the file answers besides.
        summary = summarise(network, *inputs) if len(calls) == 1 else summarise_calls(network, calls)
    except ValueError as error:
        asked = " ".join(f"--{option.replace('_', '-')} {value}" for option, value in size.items())
        raise UsageError(f"{name} {asked}: {error}", hint="choose another size") from None
    prefix = common_prefix([layer.name for layer in summary.layers])  # of the wrapper that normalises the input
    # A network that critics train, too, is in several optimizers, and `--freeze` names stages of a single network.
    groups = [] if isinstance(task, HasNetwork) else _groups(network)
    layers = [replace(layer, name=f"{layer.name}.".removeprefix(prefix).rstrip(".")) for layer in summary.layers]
    side = inputs[0].shape[-1] if inputs[0].ndim == 4 else None
    source = networks_of(spec)[name].source if name in networks_of(spec) else _library(spec)
    if console.is_json:
        found = asdict(replace(summary, layers=tuple(layers)))
        stages = {"stages": [stage for group in groups for stage in group], "groups": groups}
        console.answer_json("model", {"name": name, "source": source, "image_size": side, **found, **stages})
        return
    rows = [[layer.name, layer.kind, " x ".join(map(str, layer.output_shape)), layer.parameters] for layer in layers]
    console.table(["layer", "kind", "output", "parameters"], rows)
    if groups:
        console.answer(f"\nstages, for --freeze and --lr: {' | '.join(' '.join(group) for group in groups)}")
    counts = "" if groups else "\n"
    counts += f"{summary.parameters:,} parameters, {summary.multiply_adds / 1e6:,.1f} M multiply-adds"
    if side is not None:
        field = summary.receptive_field
        counts += f" at {side} px, receptive field {f'{field} pixels' if field else 'the whole input'}"
    console.answer(f"{counts}; {source}")


def _groups(network: Any) -> list[list[str]]:
    """Return the names of the network's stages by group, as three learning rates cut them; [] if it has fewer."""
    from dlcli.engine.optim.layers import NUM_GROUPS, cut_groups, stages_of

    stages = stages_of(network)
    if len(stages) < NUM_GROUPS:
        return []
    return [[stage.name for stage in group] for group in cut_groups(stages, NUM_GROUPS)]


def _library(spec: TaskSpec) -> str:
    zoo = zoo_of(spec)
    return zoo.source if zoo is not None else ""
