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
from dlcli.cli.beside import Beside, write_beside
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
from dlcli.export.recording import record_export, result_document, stored_metadata

if TYPE_CHECKING:
    from torch import nn

    from dlcli.engine.task import Task
    from dlcli.export.exporting import Variant
    from dlcli.export.plan import ExportPlan, ExportResult, Graph


@dataclass(frozen=True)
class ExportOptions:
    """Options of `dl export`."""

    format: str = option("onnx", "file format", short="f", metavar="onnx|torchscript|pt2|safetensors|prototxt|word2vec")
    out: str | None = option(None, "output file or folder (default: in the run's exports/)", metavar="FILE")
    data: str | None = option(None, "prepared data to verify on (default: the run's)", metavar="DIR")
    opset: int | None = option(
        None, "version of ONNX's operators (default: 20)", minimum=9, maximum=23, is_advanced=True
    )
    half: bool = option(
        False,
        "weights and arithmetic in fp16 (onnx), or the weights (safetensors): half the size, no gain in time on a CPU; "
        "verified within 5e-2",
    )
    fold_norms: bool = option(
        False, "fold batch norms into the convolutions before them: fewer operators, equal answers", is_advanced=True
    )
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
        "Export a run to ONNX, TorchScript, torch.export or safetensors, with labels and preprocessing, and verify "
        "that the file equals the run.",
        run,
        arguments=[Argument("run", "a run (as for `dl eval`), or a network, with random or --pretrained weights")],
        configs=[ExportOptions, Refining, Beside, Pruning, Ready, *inference, Compute],
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
    variant = _variant(options)
    check_refining(refining, options.format, half=variant.half)
    from dlcli.engine.compute.device import open_device, seed_everything
    from dlcli.engine.embedding import embedding_plan
    from dlcli.export.exporting import default_name

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
    stem = f"{name}{'-fp16' if variant.half else ''}{refining.suffix}"
    plan = task.export_plan()
    if options.embed:
        plan = embedding_plan(task, plan, name=name)
    folded: list[int] = []
    if options.fold_norms:
        plan, folded = _with_folded_norms(plan)
    more = {**more, **({"pruned": pruned} if pruned else {})}
    more = {**more, "versions": _versions(options)}
    path = Path(options.out) if options.out else folder / default_name(stem, options.format, len(plan.graphs))
    typed = resolve_inference(values, inference, task_of(text, pretrained))
    plan = replace(plan, metadata=stored_metadata(plan.metadata, more))
    changed: dict[str, Any] = {}
    if refining.is_wanted:
        result, changed = export_changed(
            task,
            plan,
            path,
            refining,
            max_drop=pruning.max_drop,
            baseline=pruned["before"] if pruned else None,
            inference=typed,
            console=console,
            write=lambda plan, path: _write(task, plan, more, path, options, variant, typed, console),
        )
    else:
        result = _write(task, plan, more, path, options, variant, typed, console)
    if options.fold_norms and any(folded):
        console.say(f"{max(folded)} batch norms stay: no convolution before them could take them up")
    if run is not None:
        _record(run, result, console)
    pages = write_beside(
        values.resolve(Beside),
        result,
        _described(plan),
        task_of(text, pretrained) or find_owner(text),
        run,
        console,
        changes=_changes(variant, refining, is_pruned=bool(pruned)),
        fits_images=refining.embed_preprocess,
    )
    difference = f", largest difference from the run {result.max_difference:.1e} over {len(result.checks)} checks"
    console.say(f"{result.bytes / 1e6:.1f} MB{'' if refining.quantize else difference}")
    if variant.half and options.format == "onnx":
        console.say("fp16 takes half the space; on a CPU it gains no time, since ONNX Runtime computes in fp32 there")
    if console.is_json:
        console.answer_json("export", _document(result) | pages | ({"pruned": pruned} if pruned else {}) | changed)
    else:
        console.answer(str(result.path))


def _changes(variant: Variant, refining: Refining, *, is_pruned: bool) -> tuple[str, ...]:
    """Return what the file has that the run has not, one sentence each."""
    said = {
        "Some of its weights were set to zero after the training.": is_pruned,
        "Its weights were rounded to fp16 after the training.": variant.half,
        "Its weights and arithmetic were rounded to int8 after the training.": refining.quantize is not None,
    }
    return tuple(sentence for sentence, is_true in said.items() if is_true)


def _with_folded_norms(plan: ExportPlan) -> tuple[ExportPlan, list[int]]:
    """Return the plan with its batch norms folded before a file is written, and how many of each graph then stay.

    Raises:
        UsageError: it has none.
    """
    from dlcli.export.folding import count_norms, fold_norms

    if not any(count_norms(graph.module) for graph in plan.graphs):
        raise UsageError("--fold-norms: the network has no batch norms", hint="leave it out")
    left: list[int] = []

    def fold(module: nn.Module, graph: Graph) -> nn.Module:
        folded = fold_norms(module, graph)
        left.append(count_norms(folded))
        return folded

    return replace(plan, graphs=tuple(replace(graph, prepare=fold) for graph in plan.graphs)), left


def _described(plan: ExportPlan) -> dict[str, Any]:
    """Return the metadata of a file as a card describes it, with the inputs of its first graph, outputs of its last."""
    return {**plan.metadata, "inputs": list(plan.graphs[0].inputs), "outputs": list(plan.graphs[-1].outputs)}


def _variant(options: ExportOptions) -> Variant:
    """Return what is asked beside the format.

    Raises:
        UsageError: the format does not have it.
    """
    from dlcli.export.exporting import FORMATS, Variant, check_variant

    variant = Variant(options.opset, options.half)
    check_variant(options.format, variant)
    if options.embed and FORMATS[options.format].is_weights:
        raise UsageError(
            "--embed: weights alone give the vector without it",
            hint="leave it out; `dl predict` has --embed for the folder",
        )
    return variant


def _versions(options: ExportOptions) -> dict[str, str]:
    from dlcli.core.version import __version__

    if options.format not in ("pt2", "safetensors"):
        return {"dlcli": __version__}
    import torch

    return {"dlcli": __version__, "torch": torch.__version__}


def _write(
    task: Task,
    plan: ExportPlan,
    more: Mapping[str, Any],
    path: Path,
    options: ExportOptions,
    variant: Variant,
    inference: Any,
    console: Console,
) -> ExportResult:
    """Write and verify the graphs, or the weights.

    Raises:
        UsageError: the weights have no description, since the network was never trained.
        ExportError, ParityError: see `export_model`.
    """
    from dlcli.export.exporting import FORMATS, export_model

    if not FORMATS[options.format].is_weights:
        return export_model(plan, options.format, path, variant=variant, report=console.say)
    if "config" not in more:
        raise UsageError(
            f"--format {options.format}: random weights have no options from which the network could be built again",
            hint="export a run, or a network with --pretrained",
        )
    from dlcli.engine.runs.weights import export_weights

    return export_weights(task, plan, more, path, half=variant.half, inference=inference, report=console.say)


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
    return result_document(result)


def _record(run: RunDir, result: ExportResult, console: Console) -> None:
    """Note in the run what its export was found to be; warn if the run cannot be written: the export itself is."""
    try:
        record_export(run, result)
    except OSError as error:
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
