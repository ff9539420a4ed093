"""`dl export RUN|MODEL`: write a model file and verify that it equals the run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import task_of
from dlcli.answering.ready import open_ready
from dlcli.answering.run_data import data_if_there, data_of_run
from dlcli.cli.inference import INFERENCE_HELP, inference_of_line, resolve_inference
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.pruning import Pruning, prune_task
from dlcli.cli.ready import Ready
from dlcli.cli.refining import Refining, check_data, check_refining, export_changed
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import RunError, UsageError
from dlcli.core.networks import find_owner, get_owner, has_weights
from dlcli.core.registry import load_object
from dlcli.core.run_dir import EXPORTS_FILE, RunDir, resolve_run

if TYPE_CHECKING:
    from dlcli.engine.task import Task
    from dlcli.export.plan import ExportResult


@dataclass(frozen=True)
class ExportOptions:
    """Options of `dl export`."""

    format: str = option("onnx", "file format", short="f", metavar="onnx|torchscript|word2vec")
    out: str | None = option(None, "output file (default: in the run's exports/)", metavar="FILE")
    data: str | None = option(None, "prepared data to verify on (default: the run's)", metavar="DIR")
    embed: bool = option(
        False,
        "also give the vector of each input (output `embedding`), for `dl predict --embed FILE`",
        is_advanced=True,
    )


def build(rest: list[str]) -> Any:
    """Return the command, with the inference options of the task that the line refers to."""
    inference = inference_of_line(rest, ExportOptions)

    def run(values: Values) -> None:
        _export(values, inference)

    return make_command(
        "export",
        "Export a run to ONNX or TorchScript, with labels and preprocessing, and verify that the file equals the run.",
        run,
        arguments=[Argument("run", "a run (as for `dl eval`), or a network, with random or --pretrained weights")],
        configs=[ExportOptions, Refining, Pruning, Ready, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


def _export(values: Values, inference: Sequence[type]) -> None:
    console = values.console()
    options, pruning, compute = values.resolve(ExportOptions), values.resolve(Pruning), values.resolve(Compute)
    text, pretrained = values.arguments["run"], values.resolve(Ready).pretrained
    run = _run_of(text) if pretrained is None else None
    _check_out(options.out, run, pretrained)
    refining = values.resolve(Refining)
    _check_pruning(pruning, run, is_quantised=refining.quantize is not None)
    check_refining(refining, options.format)
    from dlcli import __version__
    from dlcli.engine.compute.device import open_device, seed_everything
    from dlcli.engine.embedding import embedding_plan
    from dlcli.export.exporting import default_name, export_model

    open_device(compute.device, threads=compute.threads)
    seed_everything(compute.seed)
    if run is not None:
        task, more = _task_of_run(run, options.data, resolve_inference(values, inference, task_of(text)))
    elif pretrained is not None:
        typed = resolve_inference(values, inference, task_of(text, pretrained))
        data = data_if_there({}, options.data) if options.data is not None else None
        task, description = open_ready(text, pretrained, report=console.warn, data=data, inference=typed)
        more = asdict(description)
    else:
        task, more = _random_task(text, values, inference)
        advice = "; add --pretrained default for its published ones" if has_weights(text) else ""
        seed = f"(seed {compute.seed})"
        console.warn(f"no finished run of {text!r}: exporting the network with random weights {seed}{advice}")
    check_data(refining, task)
    pruned = None
    if run is not None and pruning.prune is not None:
        pruned = prune_task(task, run, data_of_run(run.info(), options.data), pruning, console)
    folder, name = (run.exports, run.name) if run is not None else (Path(), text)
    plan = task.export_plan()
    if options.embed:
        plan = embedding_plan(task, plan, name=name)
    more = {**more, **({"pruned": pruned} if pruned else {})}
    plan = replace(plan, metadata={**stored_metadata(plan.metadata, more), "versions": {"dlcli": __version__}})
    stem = name + refining.suffix
    path = Path(options.out) if options.out else folder / default_name(stem, options.format, len(plan.graphs))
    changed: dict[str, Any] = {}
    if refining.is_wanted:
        result, changed = export_changed(
            task,
            plan,
            path,
            refining,
            max_drop=pruning.max_drop,
            baseline=pruned["before"] if pruned else None,
            inference=resolve_inference(values, inference, task_of(text, pretrained)),
            console=console,
        )
    else:
        result = export_model(plan, options.format, path, report=console.say)
    if run is not None:
        _record(run, result, console)
    difference = f", largest difference from the run {result.max_difference:.1e} over {len(result.checks)} checks"
    console.say(f"{result.bytes / 1e6:.1f} MB{'' if refining.quantize else difference}")
    if console.is_json:
        console.answer_json("export", _document(result) | ({"pruned": pruned} if pruned else {}) | changed)
    else:
        console.answer(str(result.path))


def stored_metadata(plan: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored in a file: the metadata of its plan and of what is exported.

    The plan's assets win: they say what only the file has, such as limits that are a part of its graph.
    """
    return {**plan, **more, "assets": {**more.get("assets", {}), **plan.get("assets", {})}}


def _check_out(out: str | None, run: RunDir | None, pretrained: str | None) -> None:
    """Check that the output file does not replace what is exported.

    Raises:
        UsageError: it does.
    """
    if out is None:
        return
    if run is not None and run.holds(Path(out)):
        raise UsageError(f"--out {out}: a file of the run itself", hint="name another file")
    if pretrained is not None and Path(out).resolve() == Path(pretrained).expanduser().resolve():
        raise UsageError(f"--out {out}: the file of weights itself", hint="name another file")


def _check_pruning(options: Pruning, run: RunDir | None, *, is_quantised: bool) -> None:
    """Check that there is something to prune, and to measure it on.

    Raises:
        UsageError: there is not.
    """
    if options.prune is None and options.max_drop is not None and not is_quantised:
        raise UsageError("--max-drop needs --prune or --quantize", hint="add --prune SHARE or --quantize int8")
    if options.prune is not None and run is None:
        raise UsageError("--prune: a network without a run has no metric to lose", hint="export a run")


def _document(result: ExportResult) -> dict[str, Any]:
    from dlcli.core.files import finite

    document = {
        "path": str(result.path),
        "format": result.format,
        "exporter": result.exporter,
        "bytes": result.bytes,
        "sha256": result.sha256,
        "max_difference": result.max_difference,
        "is_telling": result.is_telling,
        "checks": [asdict(check) for check in result.checks],
    }
    return dict(finite(document))  # answers that cannot be compared differ infinitely


def _record(run: RunDir, result: ExportResult, console: Console) -> None:
    """Note in the run what its export was found to be, for `dl report`; a file elsewhere has no place there."""
    from dlcli.core.files import write_json

    if result.path.parent.resolve() != run.exports.resolve():
        return
    try:
        known = run.read_json(f"exports/{EXPORTS_FILE}")
    except RunError:
        known = {}
    record = {**_document(result), "path": result.path.name}
    try:
        write_json(run.exports / EXPORTS_FILE, {**(known if isinstance(known, dict) else {}), result.path.name: record})
    except OSError as error:  # the export itself is written
        console.warn(f"{run.exports / EXPORTS_FILE} cannot be written ({error.strerror or error})")


def _task_of_run(run: RunDir, data: str | None, inference: Any) -> tuple[Task, Mapping[str, Any]]:
    from dlcli.engine.runs.restore import load_task

    info = run.info()
    task, description = load_task(run, data=data_if_there(info, data), inference=inference)
    return task, {**asdict(description), "metrics": info.get("best") or {}}


def _random_task(name: str, values: Values, inference: Sequence[type]) -> tuple[Task, Mapping[str, Any]]:
    """Return the task with a network of random weights."""
    from dlcli.engine.task import TakesInference

    spec = get_owner(name)
    task: Task = load_object(spec.task).from_network(name, {})
    typed = resolve_inference(values, inference, spec)
    if typed is not None and isinstance(task, TakesInference):
        task.set_inference(typed)
    return task, {"task": spec.name, "model": name}


def _run_of(text: str) -> RunDir | None:
    """Return the run that the word refers to; None if it is the name of a network.

    Raises:
        RunError: it is neither.
    """
    try:
        return resolve_run(text)
    except RunError:
        # os.path.exists answers no for a text too long for a path
        if "/" in text or os.path.exists(text) or find_owner(text) is None:  # noqa: PTH110
            raise
        return None
