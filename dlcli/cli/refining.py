"""`dl export RUN --quantize int8` and `--embed-preprocess`: files that are made of a verified ONNX file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.errors import ParityError, UsageError

if TYPE_CHECKING:
    from dlcli.core.console import Console
    from dlcli.engine.quantising import Figure
    from dlcli.engine.task import Task
    from dlcli.export.plan import ExportPlan, ExportResult
    from dlcli.export.quantise import Quantised
    from dlcli.export.refining import Draft, Step, Write

INT8 = "int8"


@dataclass(frozen=True)
class Refining:
    """Options of changed ONNX files."""

    quantize: str | None = option(
        None,
        "int8 weights and arithmetic (onnx): a quarter of the size; prints the test metric before and after",
        choices=(INT8,),
    )
    embed_preprocess: bool = option(
        False,
        "the graph fits images itself (onnx): it takes (N, H, W, C) uint8 of any size, boxes are in the image's pixels",
        is_advanced=True,
    )

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be changed."""
        return self.quantize is not None or self.embed_preprocess

    @property
    def suffix(self) -> str:
        """What the default name of the file gets, so that the plain one stays."""
        return ("-int8" if self.quantize else "") + ("-whole" if self.embed_preprocess else "")


@dataclass(frozen=True)
class _Limit:
    """How much worse the metric may get (None for any), and from which name and value (None for the plain file's)."""

    max_drop: float | None
    baseline: tuple[str, float] | None

    def check(self, name: str, before: float, after: float, *, larger_is_better: bool) -> None:
        if self.max_drop is not None and self.baseline is not None and self.baseline[0] != name:
            raise UsageError(
                f"--max-drop: pruning is measured by {self.baseline[0]}, and int8 files of this task by {name}",
                hint="leave out --max-drop, or one of --prune and --quantize",
            )
        start = before if self.baseline is None else self.baseline[1]
        drop = start - after if larger_is_better else after - start
        if self.max_drop is not None and not drop <= self.max_drop:  # NaN is refused, too
            raise ParityError(
                f"--quantize int8: {name} gets worse by {drop:.4f}",
                details=[f"allowed by --max-drop: {self.max_drop:g}"],
                hint="allow more, or export without --quantize",
            )


def check_refining(options: Refining, format: str, *, half: bool = False) -> None:
    """Check that a format's files can be changed.

    Raises:
        UsageError: they cannot.
    """
    flag = "--quantize" if options.quantize else "--embed-preprocess"
    if options.is_wanted and format != "onnx":
        raise UsageError(f"{flag}: not for the format {format}", hint="leave it out, or choose --format onnx")
    if options.quantize and half:
        raise UsageError("--quantize: int8 weights cannot be fp16 as well", hint="leave out --half or --quantize")


def check_data(options: Refining, task: Task) -> None:
    """Check that there is data on which quantisation is measured, and from which it learns.

    Raises:
        UsageError: there is none.
    """
    if options.quantize and task.card is None:
        raise UsageError(
            "--quantize: without data nothing says what int8 costs, nor which values the layers give",
            hint="export a run whose data is here, or name it with --data",
        )


def export_changed(
    task: Task,
    plan: ExportPlan,
    path: Path,
    options: Refining,
    *,
    max_drop: float | None,
    baseline: tuple[str, float] | None = None,
    inference: Any,
    console: Console,
    write: Write | None = None,
) -> tuple[ExportResult, ExportPlan, dict[str, Any]]:
    """Write the changed files, and return the result, the plan with their metadata and what was done, for `--json`.

    Args:
        task: with its data.
        plan: with the metadata of the file.
        path: the file or folder.
        options: what to change.
        max_drop: of the metric; None for any.
        baseline: name and value of the metric before anything was changed, from which it drops; None for that of the
            plain file.
        inference: the task's inference options.
        console: for the lines that say what it costs.
        write: see `export_refined`.

    Raises:
        UsageError: the task cannot do it.
        ExportError: the graph cannot be changed.
        ParityError: the metric gets worse by more than `max_drop`, or the answers of whole images differ.
        DataError: nothing can be measured.
    """
    from dlcli.export.refining import export_refined

    steps: list[Step] = []
    done: dict[str, Any] = {}
    limit = _Limit(max_drop, baseline)
    if options.embed_preprocess:
        check_images(plan)
    if options.quantize:
        if task.goal is None and max_drop is not None:
            raise UsageError("--max-drop: no metric judges this task", hint="leave out --max-drop")
        steps.append(lambda draft, folder: _quantise(task, draft, folder, limit, inference, console, done))
    if options.embed_preprocess:
        steps.append(lambda draft, folder: _embed(task, draft, folder, inference, console, done))
    result, changed = export_refined(plan, path, steps, report=console.say, write=write)
    return result, changed, done


def check_images(plan: ExportPlan) -> None:
    """Check that a model takes images that are fitted to it.

    Raises:
        UsageError: it does not.
    """
    from dlcli.export.plan import ONE_GRAPH

    graph = plan.graphs[0]
    task, preprocess = plan.metadata.get("task"), plan.metadata["assets"].get("preprocess")
    is_known = isinstance(preprocess, Mapping) and (
        isinstance(preprocess.get("size"), list | tuple) or {"side", "canvas"} <= preprocess.keys()
    )
    if graph.name != ONE_GRAPH or tuple(graph.inputs) != ("images",) or not is_known:
        raise UsageError(
            f"--embed-preprocess: {task} has no step that fits images", hint="for classifiers, detectors and masks"
        )
    assert isinstance(preprocess, Mapping)
    if len({*preprocess.get("size", ())}) > 1:
        raise UsageError("--embed-preprocess: the network takes images that are no squares", hint="leave it out")


def _quantise(
    task: Task,
    draft: Draft,
    folder: Path,
    limit: _Limit,
    inference: Any,
    console: Console,
    done: dict[str, Any],
) -> Draft:
    from dlcli.engine.quantising import calibration_of
    from dlcli.export.quantise import quantise_file
    from dlcli.export.refining import compare_files, complete

    calibration = calibration_of(task, draft.plan)
    files: dict[str, Path] = {}
    found: dict[str, Quantised] = {}
    for name, file in draft.files.items():
        files[name] = folder / file.name
        found[name] = quantise_file(file, files[name], calibration() if calibration is not None else None)
        _tell(name, found[name], console)
    checks = compare_files(draft, files)
    largest = max(check.difference for check in checks)
    figures = _measured(task, draft, files, inference) if task.goal is not None else {}
    said = f"{largest:.2g}" if math.isfinite(largest) else "that of other objects found"
    console.say(f"int8: largest difference from the run's answers {said}, which is not limited")
    if figures:
        name, before, after = figures["metric"], figures["before"], figures["after"]
        console.say(f"{figures['split']} {name} {before:.4f}, in int8 {after:.4f}")
        limit.check(name, before, after, larger_is_better=figures["larger_is_better"])
    elif limit.max_drop is not None:
        raise UsageError("--max-drop: no metric of this task can be taken from a file", hint="leave out --max-drop")
    else:
        console.say("no metric judges the files of this task, so look at their answers")
    done["quantized"] = {
        "weights": INT8,
        **figures,
        "max_difference": largest if math.isfinite(largest) else None,
        "graphs": {
            name: {
                "method": each.method,
                "layers": dict(each.layers),
                "left_out": each.left_out_by_operator,
                "calibration_items": each.num_items,
            }
            for name, each in found.items()
        },
    }
    return complete(draft, files, done, checks)


def _tell(name: str, found: Quantised, console: Console) -> None:
    """Say which layers have become int8, and how many nodes of each operator have not; with --verbose, all of them."""
    from dlcli.export.plan import ONE_GRAPH

    where = "" if name == ONE_GRAPH else f" in the graph {name}"
    how = f"{found.method}, ranges from {found.num_items} items" if found.num_items else found.method
    console.say(f"int8 ({how}){where}: {_counted(found.layers)}")
    if found.left_out:
        console.say(f"left in float: {_counted(found.left_out_by_operator)}")
        console.detail("\n".join(f"  {operator} {node}" for operator, node in found.left_out))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {operator}" for operator, count in counts.items())


def _measured(task: Task, draft: Draft, files: Mapping[str, Path], inference: Any) -> dict[str, Any]:
    """Return the metric of the files before and after; nothing where none can be taken from answers alone.

    Raises:
        DataError: there is no data to measure on.
    """
    from dlcli.answering.opening import SearchPredictor
    from dlcli.core.registry import get_task, load_object
    from dlcli.engine.quantising import measure_files, measured_split
    from dlcli.export.plan import ONE_GRAPH
    from dlcli.export.runtime import open_model

    assert task.goal is not None
    spec = get_task(str(draft.plan.metadata["task"]))
    split, loader = measured_split(task)

    def measured(which: Mapping[str, Path]) -> Figure:
        opened = {name: open_model(file) for name, file in which.items()}
        if not spec.search:
            return measure_files(task, loader, draft.plan.graphs[0], opened[ONE_GRAPH].run)
        typed = inference if inference is not None or not spec.inference else load_object(spec.inference)()
        return measure_files(task, loader, None, SearchPredictor(load_object(spec.search), opened, typed).run)

    try:
        before = measured(draft.files)
    except UsageError:  # as of word vectors, which lack those by which words predict others
        return {}
    after = measured(files)
    figures = {"metric": before.metric, "split": split, "before": before.value, "after": after.value}
    return {**figures, "larger_is_better": before.larger_is_better}


def _embed(task: Task, draft: Draft, folder: Path, inference: Any, console: Console, done: dict[str, Any]) -> Draft:
    from dlcli.answering.agreement import agreement_on, some_images
    from dlcli.data.images.whole import WHOLE_IMAGES
    from dlcli.export.ecosystem import SIZE_KEYS
    from dlcli.export.plan import ONE_GRAPH, Check
    from dlcli.export.preprocessing import embed_preprocessing
    from dlcli.export.refining import complete

    plain, file = draft.files[ONE_GRAPH], folder / f"{ONE_GRAPH}.onnx"
    assets = draft.plan.metadata["assets"]
    embed_preprocessing(plain, file, assets["preprocess"])
    more = {"assets": {**assets, WHOLE_IMAGES: True}}
    changed = complete(draft, {ONE_GRAPH: file}, more, draft.result.checks, dropped=SIZE_KEYS)
    images, are_real = some_images(task, assets["preprocess"])
    found = agreement_on(plain, file, images, inference, assets["preprocess"])
    kind = "real images" if are_real else "made-up images"
    console.say(f"whole images: {found.said} on {len(images)} {kind} of several sizes, against the run's own way")
    done["embed_preprocess"] = {"images": len(images), "are_real": are_real, **found.figures}
    checks = [*draft.result.checks, Check({}, found.largest, ONE_GRAPH)]
    return complete(changed, changed.files, {}, checks)
