"""`dl export RUN|MODEL`: write a model file and verify that it equals the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.run_data import data_of_run
from dlcli.cli.beside import Beside, write_beside
from dlcli.cli.export_subject import Subject, subject_of
from dlcli.cli.inference import INFERENCE_HELP, inference_of_line
from dlcli.cli.options import Argument, Compute, Values, make_command
from dlcli.cli.pruning import Pruning, prune_task
from dlcli.cli.ready import Ready
from dlcli.cli.refining import Refining, check_data, check_refining, export_changed
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import UsageError
from dlcli.core.run_dir import EXPORTS_FILE, RunDir
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
        "Export a run to ONNX, TorchScript, torch.export, safetensors, Caffe or word2vec, with labels and "
        "preprocessing, and verify that the file equals the run.",
        run,
        arguments=[Argument("run", "a run (as for `dl eval`), or a network, with random or --pretrained weights")],
        configs=[ExportOptions, Refining, Beside, Pruning, Ready, *inference, Compute],
        epilog=None if inference else INFERENCE_HELP,
    )


@dataclass(frozen=True)
class _Order:
    """What is to be written, as the line says it."""

    subject: Subject
    options: ExportOptions
    variant: Variant
    refining: Refining
    pruning: Pruning


def _export(values: Values, inference: Sequence[type]) -> None:
    console, compute = values.console(), values.resolve(Compute)
    order = _order_of(values, inference)
    subject, options = order.subject, order.options
    from dlcli.engine.compute.device import open_device, seed_everything

    open_device(compute.device, threads=compute.threads)
    seed_everything(compute.seed)
    task, more = subject.open(options.data, compute.seed, console)
    check_data(order.refining, task)
    pruned = None
    if subject.run is not None and order.pruning.prune is not None:
        data = data_of_run(subject.run.info(), options.data)
        pruned = prune_task(task, subject.run, data, order.pruning, console)
    more = {**more, **({"pruned": pruned} if pruned else {}), "versions": _versions(options)}
    plan, norms = _plan_of(order, task, more)
    result, plan, changed = _write_all(order, task, plan, more, pruned, console)
    if any(norms):
        console.say(f"{max(norms)} batch norms stay: no convolution before them could take them up")
    if subject.run is not None:
        _record(subject.run, result, console)
    pages = write_beside(
        values.resolve(Beside),
        result,
        _described(plan),
        subject.spec,
        subject.run,
        console,
        changes=_changes(order.variant, order.refining, is_pruned=bool(pruned)),
        fits_images=order.refining.embed_preprocess,
    )
    _tell(order, result, pages | ({"pruned": pruned} if pruned else {}) | changed, console)


def _order_of(values: Values, inference: Sequence[type]) -> _Order:
    """Return what the line orders, before torch is imported.

    Raises:
        UsageError: its options contradict each other.
        RunError: there is no such run or network.
    """
    options, pruning, refining = values.resolve(ExportOptions), values.resolve(Pruning), values.resolve(Refining)
    subject = subject_of(values, inference)
    subject.check_out(options.out)
    _check_pruning(pruning, subject.run, is_quantised=refining.quantize is not None)
    variant = _variant(options)
    check_refining(refining, options.format, half=variant.half)
    return _Order(subject, options, variant, refining, pruning)


def _plan_of(order: _Order, task: Task, more: Mapping[str, Any]) -> tuple[ExportPlan, list[int]]:
    """Return the plan with the metadata of the file, and a list for `--fold-norms`; see `_with_folded_norms`."""
    plan = task.export_plan()
    if order.options.embed:
        from dlcli.engine.embedding import embedding_plan

        plan = embedding_plan(task, plan, name=order.subject.name)
    folded: list[int] = []
    if order.options.fold_norms:
        plan, folded = _with_folded_norms(plan)
    return replace(plan, metadata=stored_metadata(plan.metadata, more)), folded


def _write_all(
    order: _Order,
    task: Task,
    plan: ExportPlan,
    more: Mapping[str, Any],
    pruned: Mapping[str, Any] | None,
    console: Console,
) -> tuple[ExportResult, ExportPlan, dict[str, Any]]:
    """Write the file, changed as it is wanted; return what it was found to be, the plan as written, and the changes."""
    from dlcli.export.exporting import default_name

    subject, options = order.subject, order.options
    stem = f"{subject.name}{'-fp16' if order.variant.half else ''}{order.refining.suffix}"
    default = subject.folder / default_name(stem, options.format, len(plan.graphs))
    path = Path(options.out) if options.out else default

    def write(plan: ExportPlan, path: Path) -> ExportResult:
        return _write(task, plan, more, path, options, order.variant, subject.inference, console)

    if not order.refining.is_wanted:
        return write(plan, path), plan, {}
    return export_changed(
        task,
        plan,
        path,
        order.refining,
        max_drop=order.pruning.max_drop,
        baseline=(pruned["metric"], pruned["before"]) if pruned else None,
        inference=subject.inference,
        console=console,
        write=write,
    )


def _tell(order: _Order, result: ExportResult, more: Mapping[str, Any], console: Console) -> None:
    """Print what was written."""
    difference = f", largest difference from the run {result.max_difference:.1e} over {len(result.checks)} checks"
    console.say(f"{result.bytes / 1e6:.1f} MB{'' if order.refining.quantize else difference}")
    if order.variant.half and order.options.format == "onnx":
        console.say("fp16 takes half the space; on a CPU it gains no time, since ONNX Runtime computes in fp32 there")
    if console.is_json:
        console.answer_json("export", result_document(result) | dict(more))
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
    """Return the plan with its batch norms folded, and a list of how many of each graph stay, filled by the writing.

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
        UsageError: the format does not have it, or the output file is the place of a second one.
    """
    from dlcli.export.exporting import FORMATS, Variant, check_variant
    from dlcli.export.publishing import check_name

    variant = Variant(options.opset, options.half)
    check_variant(options.format, variant)
    format = FORMATS[options.format]
    if options.out is not None:
        check_name(Path(options.out), format.suffix, format.beside)
    if options.embed and format.is_weights:
        raise UsageError(
            "--embed: weights alone give the vector without it",
            hint="leave it out; `dl predict` has --embed for the folder",
        )
    if options.fold_norms and format.is_weights:
        raise UsageError("--fold-norms: weights alone are no graph", hint="leave it out, or choose --format onnx")
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


def _check_pruning(options: Pruning, run: RunDir | None, *, is_quantised: bool) -> None:
    """Check that there is something to prune, and to measure it on.

    Raises:
        UsageError: there is not.
    """
    if options.prune is None and options.max_drop is not None and not is_quantised:
        raise UsageError("--max-drop needs --prune or --quantize", hint="add --prune SHARE or --quantize int8")
    if options.prune is not None and run is None:
        raise UsageError("--prune: a network without a run has no metric to lose", hint="export a run")


def _record(run: RunDir, result: ExportResult, console: Console) -> None:
    """Note in the run what its export was found to be; warn if the run cannot be written: the export itself is."""
    try:
        record_export(run, result)
    except OSError as error:
        console.warn(f"{run.exports / EXPORTS_FILE} cannot be written ({error.strerror or error})")
