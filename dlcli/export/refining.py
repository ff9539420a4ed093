"""Changing verified ONNX files before they are published: to int8, or so that they fit images themselves.

What is changed is always a file that has passed the parity gate, so that each step has to prove its own change only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from dlcli.core.errors import ExportError
from dlcli.core.files import place_of, staging_folder
from dlcli.export.exporting import Report, export_model
from dlcli.export.folder import describe_graphs
from dlcli.export.metadata import METADATA_SCHEMA, encode_metadata
from dlcli.export.plan import ONE_GRAPH, Check, ExportPlan, ExportResult, Graph
from dlcli.export.publishing import check_place, publish_file, publish_folder, storage_errors
from dlcli.export.quantise import set_metadata
from dlcli.export.runtime import open_model


@dataclass(frozen=True)
class Draft:
    """Files that are not published yet, complete with metadata.

    Attributes:
        files: graph name -> file.
        plan: the graphs and the metadata of the files as they are.
        result: of the export that they began with; its checks are those of the files as they are.
    """

    files: Mapping[str, Path]
    plan: ExportPlan
    result: ExportResult


class Step(Protocol):
    """A change of files."""

    def __call__(self, draft: Draft, folder: Path) -> Draft:
        """Return the changed files, in an empty folder of the step's own.

        Raises:
            ExportError: they cannot be changed.
            ParityError: their answers are too far from those of `draft`.
        """
        ...


Write = Callable[[ExportPlan, Path], ExportResult]
"""Writes and verifies a plan's graphs as ONNX."""


def export_refined(
    plan: ExportPlan, path: Path, steps: Sequence[Step], *, report: Report, write: Write | None = None
) -> tuple[ExportResult, ExportPlan]:
    """Write the plan's graphs as ONNX, change the files step by step, and publish the last ones only.

    Args:
        plan: the graphs with example, samples and metadata.
        path: the file, or the folder of several graphs.
        steps: the changes, in order.
        report: see `export_model`.
        write: `export_model` with options of its own.

    Returns:
        What was published, and the plan with the metadata that it has.

    Raises:
        UsageError, ExportError, ParityError: see `export_model` and the steps; nothing is written.
    """
    write = write or (lambda plan, path: export_model(plan, "onnx", path, report=report))
    is_folder = len(plan.graphs) > 1
    path = place_of(path)
    with storage_errors(path):
        check_place(path, is_folder=is_folder)
        with staging_folder(path) as folder:
            plain = folder / "plain" / (path.name if is_folder else f"{ONE_GRAPH}.onnx")
            plain.parent.mkdir()
            result = write(plan, plain)
            if result.data_path is not None or (is_folder and any(plain.glob("*.data"))):
                raise ExportError(
                    f"{path.name}: weights beside the file, since they are too large for one, cannot be changed",
                    hint="leave out --quantize and --embed-preprocess",
                )
            names = [graph.name for graph in plan.graphs]
            files = {name: plain / f"{name}.onnx" for name in names} if is_folder else {ONE_GRAPH: plain}
            draft = Draft(files, plan, result)
            for number, step in enumerate(steps):
                own = folder / f"step{number}"
                own.mkdir()
                draft = step(draft, own)
            return _publish(draft, path, folder), draft.plan


def complete(
    draft: Draft,
    files: Mapping[str, Path],
    metadata: Mapping[str, Any],
    checks: Sequence[Check],
    *,
    dropped: Collection[str] = (),
) -> Draft:
    """Return the files of a step as a draft, with further metadata.

    Args:
        draft: what was changed.
        files: the new files with the metadata of the old ones.
        metadata: entries that replace those of the plan.
        checks: of the new files.
        dropped: keys of other programs that are not true of the new files.
    """
    foreign = {key: text for key, text in draft.plan.foreign.items() if key not in dropped}
    plan = replace(draft.plan, metadata={**draft.plan.metadata, **metadata}, foreign=foreign)
    if len(plan.graphs) == 1:  # that of several is in `model.json`
        [graph] = plan.graphs
        fixed = {"schema": METADATA_SCHEMA, "inputs": list(graph.inputs), "outputs": list(graph.outputs)}
        set_metadata(files[ONE_GRAPH], encode_metadata({**plan.metadata, **fixed}), dropped)
    return Draft(files, plan, replace(draft.result, checks=tuple(checks)))


def compare_files(before: Draft, files: Mapping[str, Path]) -> tuple[Check, ...]:
    """Return how far the answers of changed files are from those they were made of, on the samples of their graphs.

    A difference is infinite where the answers cannot be compared, as when another number of objects is found.
    """
    return tuple(
        check for graph in before.plan.graphs for check in _compare(graph, before.files[graph.name], files[graph.name])
    )


def _compare(graph: Graph, before: Path, after: Path) -> list[Check]:
    from dlcli.export.verify import differences, largest_values

    plain, changed = open_model(before), open_model(after)
    references = [plain.run(sample) for sample in graph.samples]
    scales = largest_values(references)
    checks = []
    for sample, reference in zip(graph.samples, references, strict=True):
        answer = graph.aligned(reference, changed.run(sample))
        found = differences(reference, answer, scales)
        largest = max((each.value for each in found.values()), default=math.inf)
        checks.append(Check(graph.sizes(sample), largest, graph.name))
    return checks


def _publish(draft: Draft, path: Path, folder: Path) -> ExportResult:
    final = folder / "final"
    moved = {}
    for name, file in draft.files.items():
        (final / name).mkdir(parents=True)
        has_own = len(draft.files) > 1
        moved[name] = file.rename(final / name / (f"{name}.onnx" if has_own else path.name))
    if len(moved) > 1:
        content = describe_graphs(draft.plan, "onnx", moved)
        published = publish_folder(folder, [*moved.values()], content, path)
    else:
        published = publish_file(moved[ONE_GRAPH], path)
    return replace(draft.result, path=path, bytes=published.bytes, sha256=published.sha256)
