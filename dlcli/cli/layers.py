"""`dl models NAME|RUN|FILE`: what each layer of a network, a run or an ONNX file costs and sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import FILE_SUFFIXES
from dlcli.core.console import Console
from dlcli.core.errors import RunError, UsageError
from dlcli.core.networks import find_owner, get_owner, networks_of, zoo_of
from dlcli.core.registry import TaskSpec, load_object
from dlcli.core.run_dir import resolve_run
from dlcli.core.wording import brief
from dlcli.export.model_file import CHECKPOINT, ONNX, TORCHSCRIPT, is_graph_folder, kind_of

if TYPE_CHECKING:
    from dlcli.engine.task import Task
    from dlcli.models.costs import LayerSummary, Summary

COLUMNS = ("layer", "kind", "output", "parameters", "multiply-adds", "bytes moved", "field")


def show_layers(name: str, sizes: Mapping[str, int | None], console: Console) -> None:
    """Print the layers of what the user names.

    Args:
        name: a network, a run, a checkpoint, an ONNX or a TorchScript file, or a folder of several.
        sizes: the size at which to build a network, by the names of `from_network`; None for its own.
        console: where to print.

    Raises:
        UsageError: there is no such network, or it cannot have this size.
        RunError: there is no such run, or it or the file is damaged.
    """
    given = {option: value for option, value in sizes.items() if value is not None}
    path = Path(name)
    kind = kind_of(path)
    if kind == ONNX:
        _refuse(given, f"{name}: a file has its sizes", ("image_size",))
        _show_file(path, given.get("image_size"), console)
    elif kind == TORCHSCRIPT or is_graph_folder(path):
        from dlcli.cli.model_files import show_folder, show_torchscript

        _refuse(given, f"{name}: a file has its sizes")
        (show_torchscript if kind == TORCHSCRIPT else show_folder)(path, console)
    elif kind == CHECKPOINT or _is_run(name):
        _refuse(given, f"{name}: a run has its sizes")
        _show_run(name, path if kind == CHECKPOINT else None, console)
    elif path.is_file() or path.suffix in FILE_SUFFIXES:
        reason = "neither a checkpoint nor an ONNX file" if path.is_file() else "no such file"
        raise RunError(f"{brief(name)}: {reason}", hint="`dl export RUN --format onnx` writes one")
    else:
        _show_network(name, given, console)


def _is_run(name: str) -> bool:
    """Return whether a word that is no network names a run; a network's name means the network."""
    if find_owner(name) is not None:
        return False
    try:
        resolve_run(name)
    except RunError:
        return False
    return True


def _refuse(given: Mapping[str, int], reason: str, allowed: Sequence[str] = ()) -> None:
    for option in given:
        if option not in allowed:
            raise UsageError(f"--{option.replace('_', '-')}: {reason}", hint="leave it out")


def _show_network(name: str, size: Mapping[str, int], console: Console) -> None:
    spec = get_owner(name)
    source = networks_of(spec)[name].source if name in networks_of(spec) else _library(spec)
    try:
        _show_task(load_object(spec.task).from_network(name, size), name, source, console)
    except ValueError as error:
        asked = " ".join(f"--{option.replace('_', '-')} {value}" for option, value in size.items())
        raise UsageError(f"{name} {asked}: {error}", hint="choose another size") from None


def _library(spec: TaskSpec) -> str:
    zoo = zoo_of(spec)
    return zoo.source if zoo is not None else ""


def _show_run(name: str, file: Path | None, console: Console) -> None:
    from dlcli.engine.runs.restore import load_task, load_task_from_file

    task, description = load_task(resolve_run(name)) if file is None else load_task_from_file(file)
    _show_task(task, description.run or name, f"{description.model} of {description.run or name}", console)


def _show_task(task: Task, name: str, source: str, console: Console) -> None:
    """Print the layers of a task's network, as its exports call it."""
    from dlcli.engine.task import HasNetwork, network_of
    from dlcli.models.ensemble import members_of
    from dlcli.models.summary import common_prefix, summarise, summarise_calls

    network, graphs = network_of(task), task.export_plan().graphs
    calls = [(graph.module, [graph.example[key] for key in graph.inputs]) for graph in graphs]
    inputs = calls[0][1]
    # The module of a single graph may wrap the network with what the file answers besides.
    summary = summarise(network, *inputs) if len(calls) == 1 else summarise_calls(network, calls)
    prefix = common_prefix([layer.name for layer in summary.layers])  # of the wrapper that normalises the input
    layers = [replace(layer, name=f"{layer.name}.".removeprefix(prefix).rstrip(".")) for layer in summary.layers]
    side = inputs[0].shape[-1] if inputs[0].ndim == 4 else None
    # A network that critics train, too, is in several optimizers, and `--freeze` names stages of a single network.
    groups = [] if isinstance(task, HasNetwork) else _groups(members_of(network)[0])
    if console.is_json:
        stages = {"stages": [stage for group in groups for stage in group], "groups": groups}
        _answer_json(
            console, replace(summary, layers=tuple(layers)), name=name, source=source, image_size=side, **stages
        )
        return
    _print_layers(layers, console)
    console.answer("")
    if groups:
        console.answer(f"stages, for --freeze and --lr: {' | '.join(' '.join(group) for group in groups)}")
    console.answer(f"{_counts(summary, side)}; {source}")


def _groups(network: Any) -> list[list[str]]:
    """Return the names of the network's stages by group, as three learning rates cut them; [] if it has fewer."""
    from dlcli.engine.optim.layers import NUM_GROUPS, cut_groups, stages_of

    stages = stages_of(network)
    if len(stages) < NUM_GROUPS:
        return []
    return [[stage.name for stage in group] for group in cut_groups(stages, NUM_GROUPS)]


def _show_file(path: Path, image_size: int | None, console: Console) -> None:
    from dlcli.cli.model_files import answer_facts, of_file
    from dlcli.export.looking import look_into_onnx
    from dlcli.export.onnx_layers import summarise_onnx

    facts, graph = look_into_onnx(path), summarise_onnx(path, image_size)
    sides = [shape[-1] for shape in graph.inputs.values() if len(shape) == 4]
    side = next((image_size if isinstance(side, str) else side for side in sides), None)
    if console.is_json:
        # The operators of the layers are those after functions are inlined.
        more = of_file(facts) | {"operators": graph.operators, "opset": graph.opset, "image_size": side}
        del more["parameters"], more["tensors"]
        _answer_json(console, graph.summary, name=path.name, source=f"ONNX opset {graph.opset}", **more)
        return
    _print_layers(graph.summary.layers, console)
    answer_facts(facts, console)
    free = {size for shape in graph.inputs.values() for size in shape[1:] if isinstance(size, str) and len(shape) != 4}
    if free:
        console.answer(f"free axes count as 1 here: {', '.join(sorted(free))}")
    written = f"{graph.num_initialisers} initialisers, opset {graph.opset}"
    console.answer(f"{_counts(graph.summary, side)}; {written}, {facts.bytes:,} bytes by {facts.producer or 'nobody'}")


def _answer_json(console: Console, summary: Summary, **more: Any) -> None:
    console.answer_json("model", {**more, **asdict(summary), "bytes_moved": summary.bytes_moved})


def _print_layers(layers: Sequence[LayerSummary], console: Console) -> None:
    rows = [
        [
            *(layer.name, layer.kind, " x ".join(map(str, layer.output_shape)), layer.parameters),
            *(layer.multiply_adds, layer.bytes_moved, layer.receptive_field),
        ]
        for layer in layers
    ]
    console.table(COLUMNS, rows)


def _counts(summary: Summary, side: int | None) -> str:
    counts = f"{summary.parameters:,} parameters, {summary.multiply_adds / 1e6:,.1f} M multiply-adds"
    counts += f", {summary.bytes_moved / 1e6:,.1f} MB read and written"
    if side is None:
        return counts
    field = summary.receptive_field
    return f"{counts} at {side} px, receptive field {f'{field} pixels' if field else 'the whole input'}"
