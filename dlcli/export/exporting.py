"""Exporting a network to a file that is verified to equal it; a file that differs is never left behind."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.core.errors import DlError, ExportError, ParityError, RunError, UsageError, did_you_mean, first_line
from dlcli.core.files import place_of, staging_folder
from dlcli.core.registry import load_object
from dlcli.core.wording import is_unicode
from dlcli.export.ecosystem import image_keys
from dlcli.export.folder import describe_graphs
from dlcli.export.metadata import METADATA_SCHEMA, encode_metadata
from dlcli.export.model_file import CAFFE_WEIGHTS
from dlcli.export.plan import ONE_GRAPH, Check, ExportPlan, ExportResult, Graph
from dlcli.export.publishing import check_name, check_place, empty, publish_file, publish_folder, storage_errors
from dlcli.export.quiet import silenced

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Report = Callable[[str], None]
"""Prints one line for the user on stderr."""


@dataclass(frozen=True)
class Format:
    """A file format for exported networks.

    Attributes:
        suffix: the usual suffix of the file's name.
        exporters: exporter name -> "module:function" that takes (module, graph, metadata texts, path) and writes the
            file.
        notice: a line printed for the user at every export.
        has_opset: whether its files have a version of operators that can be chosen.
        has_foreign: whether it also takes the keys of other programs.
        has_half: whether its weights and arithmetic can be fp16.
        is_weights: whether it is weights alone, which their task writes and verifies (`engine/runs/weights.py`).
        beside: the suffix of a second file that gets the name of the first; "" for none.
        check: "module:function" (graph, references, metadata texts, path) -> one check per sample, for a file that
            cannot be run; "" for the parity gate.
    """

    suffix: str
    exporters: Mapping[str, str]
    notice: str = ""
    check: str = ""
    beside: str = ""
    has_opset: bool = False
    has_half: bool = False
    has_foreign: bool = False
    is_weights: bool = False


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        ".onnx",
        {"dynamo": "dlcli.export.onnx:write_dynamo", "legacy": "dlcli.export.onnx:write_legacy"},
        has_opset=True,
        has_half=True,
        has_foreign=True,
    ),
    "torchscript": Format(
        ".torchscript",
        {"trace": "dlcli.export.torchscript:write_traced"},
        notice="torch has deprecated TorchScript; its successor is torch.export",
    ),
    "pt2": Format(".pt2", {"export": "dlcli.export.pt2:write_program"}),
    "safetensors": Format("", {}, has_half=True, is_weights=True),
    "prototxt": Format(
        ".prototxt",
        {"caffe": "dlcli.export.caffe:write_caffe"},
        check="dlcli.export.caffe:check_caffe",
        beside=CAFFE_WEIGHTS,
    ),
    "word2vec": Format(".vec", {"text": "dlcli.export.word2vec:write_text"}, check="dlcli.export.word2vec:check_text"),
}


def default_name(name: str, format: str, num_graphs: int) -> str:
    """Return the default name of a model's file, or folder if it has several graphs; the format is validated later."""
    if num_graphs > 1 or (format in FORMATS and FORMATS[format].is_weights):
        return f"{name}-{format}"
    return f"{name}{FORMATS[format].suffix}" if format in FORMATS else name


@dataclass(frozen=True)
class _Written:
    """A verified graph, still in its staging folder."""

    draft: Path
    exporter: str
    checks: tuple[Check, ...]
    is_telling: bool


@dataclass(frozen=True)
class Variant:
    """What a user may ask of a file beside its format.

    Attributes:
        opset: the version of ONNX's operators; None for the usual one.
        half: weights and arithmetic in fp16, verified with looser tolerances (`half.loosened`).
    """

    opset: int | None = None
    half: bool = False


def check_variant(format: str, variant: Variant) -> None:
    """Check that there is such a format, and that it has what is asked of it.

    Raises:
        UsageError: it has not.
    """
    if format not in FORMATS:
        raise UsageError(f"no format {format!r}", hint=did_you_mean(format, FORMATS))
    wishes = {"has_opset": ("--opset", variant.opset is not None), "has_half": ("--half", variant.half)}
    for attribute, (flag, is_wanted) in wishes.items():
        if is_wanted and not getattr(FORMATS[format], attribute):
            able = " or ".join(name for name, other in FORMATS.items() if getattr(other, attribute))
            raise UsageError(f"{flag}: not for the format {format}", hint=f"leave it out, or choose --format {able}")


def export_model(
    plan: ExportPlan, format: str, path: Path, *, variant: Variant = Variant(), report: Report
) -> ExportResult:
    """Write the plan's graphs to `path` and return the result: a file for one graph, a folder for several.

    The modules and the random state are not changed. For each graph its exporters are tried in order until one writes a
    file that passes the parity gate. They write to a hidden folder beside `path`; older files are replaced by verified
    ones only, all of them or none.

    Args:
        plan: the graphs with example, samples and metadata.
        format: a name in `FORMATS`.
        path: the file or folder; its parent folder is created.
        variant: what else is asked of the files.
        report: called with the format's notice, and with the exporters that failed before one succeeded.

    Raises:
        UsageError: there is no such format, it does not have such a variant, or `path` is the place of a second file.
        ExportError: no exporter could write a graph, or the file could not be written to disk.
        ParityError: every file that could be written differs from its module.
    """
    check_variant(format, variant)
    check_name(path, FORMATS[format].suffix, FORMATS[format].beside)
    import torch

    if FORMATS[format].notice:
        report(FORMATS[format].notice)
    is_folder = len(plan.graphs) > 1
    path = place_of(path)
    with storage_errors(path), torch.random.fork_rng(devices=[]):
        check_place(path, is_folder=is_folder)
        with staging_folder(path) as folder:
            written = {}
            for graph in plan.graphs:
                # torch's exporters take no path that is not UTF-8.
                has_own = is_folder or not is_unicode(path.name)
                name = f"{graph.name}{FORMATS[format].suffix}" if has_own else path.name
                (folder / graph.name).mkdir()
                texts = _metadata_texts(plan, graph, FORMATS[format], is_part=is_folder)
                written[graph.name] = _write_graph(graph, format, folder / graph.name / name, texts, variant, report)
            drafts = {name: graph.draft for name, graph in written.items()}
            if is_folder:
                content = describe_graphs(plan, format, drafts)
                published = publish_folder(folder, [*drafts.values()], content, path)
            else:
                published = publish_file(drafts[ONE_GRAPH], path)
            return ExportResult(
                path=path,
                data_path=published.data_path,
                format=format,
                bytes=published.bytes,
                sha256=published.sha256,
                exporters={name: graph.exporter for name, graph in written.items()},
                checks=tuple(check for graph in written.values() for check in graph.checks),
                is_telling=all(graph.is_telling for graph in written.values()),
            )


def _metadata_texts(plan: ExportPlan, graph: Graph, format: Format, *, is_part: bool) -> dict[str, str]:
    fixed = {"schema": METADATA_SCHEMA, "inputs": list(graph.inputs), "outputs": list(graph.outputs)}
    own = encode_metadata({"graph": graph.name, **fixed} if is_part else {**plan.metadata, **fixed})
    if not format.has_foreign:
        return own
    return {**image_keys(graph), **({} if is_part else plan.foreign), **own}


def _write_graph(
    graph: Graph, format: str, draft: Path, texts: Mapping[str, str], variant: Variant, report: Report
) -> _Written:
    """Write a graph to `draft`, the only file in its folder, and verify it.

    Raises:
        ExportError, ParityError, OSError: see `export_model`.
    """
    exporters = FORMATS[format].exporters
    order = [name for name in graph.exporters if name in exporters] or list(exporters)
    called = "network" if graph.name == ONE_GRAPH else f"graph {graph.name!r}"
    failures: dict[str, DlError] = {}
    with silenced():
        from dlcli.export.verify import reference_answers, tells_apart

        references = reference_answers(host_copy(graph.module), graph)
    is_telling = tells_apart(graph, references)
    if not is_telling:
        report(f"the {called} gives nearly equal outputs for all samples (untrained?), so the check proves little")
    for exporter in order:
        empty(draft.parent)
        try:
            with silenced():
                checks = _attempt(graph, FORMATS[format], exporter, references, texts, draft, variant)
        except (ExportError, ParityError) as error:
            failures[exporter] = error
            continue
        for failed, reason in failures.items():
            report(f"the {failed} exporter failed ({_said(reason)}); the {exporter} exporter succeeded")
        return _Written(draft, exporter, checks, is_telling)
    raise _give_up(format, draft, failures, variant)


def host_copy(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode and fp32 on the CPU, where files are written and verified, without gradients."""
    import torch

    try:
        twin = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    except RuntimeError as error:  # an attribute is a tensor with gradient history
        raise ExportError(f"the model cannot be copied: {first_line(error)}") from error
    is_reduced = any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in twin.parameters())
    return twin.float() if is_reduced else twin


def _attempt(
    graph: Graph,
    format: Format,
    exporter: str,
    references: list[dict[str, np.ndarray]],
    texts: Mapping[str, str],
    draft: Path,
    variant: Variant,
) -> tuple[Check, ...]:
    """Write `draft` with one exporter and return its checks.

    Raises:
        ExportError: the exporter cannot write this network, or its file does not run.
        ParityError: the file differs from the module.
        OSError: the file could not be written to disk.
    """
    from dlcli.export.verify import parity_gate

    write = load_object(format.exporters[exporter])
    module = host_copy(graph.module)  # a fresh copy, since an exporter may modify it
    if graph.prepare is not None:
        module = graph.prepare(module, graph)
    try:
        with _plain_arithmetic():
            write(module, graph, texts, draft, **({} if variant.opset is None else {"opset": variant.opset}))
            if variant.half:
                return _halved(graph, references, draft)
            if format.check:
                checks: tuple[Check, ...] = load_object(format.check)(graph, references, texts, draft)
                return checks
            return parity_gate(graph, references, draft)
    except (ParityError, ExportError):
        raise
    except RunError as error:
        raise ExportError(f"its file does not run: {error.message.removeprefix(f'{draft}: ')}") from error
    except Exception as error:  # exporters pass on exceptions from any layer of torch
        cause = _root_cause(error)
        if isinstance(cause, OSError) and cause.errno is not None:
            raise cause from None
        raise ExportError(f"{type(cause).__name__}: {first_line(cause)}") from error


def _halved(graph: Graph, references: list[dict[str, np.ndarray]], draft: Path) -> tuple[Check, ...]:
    """Turn a file into fp16 and return its checks.

    Raises:
        ParityError: it cannot be turned, does not run, or gives other answers.
    """
    from dlcli.export.half import halve, loosened
    from dlcli.export.verify import parity_gate

    try:
        halve(draft, graph.samples)
        return parity_gate(loosened(graph, references), references, draft)
    except ParityError:
        raise
    except Exception as error:  # the converter fails on graphs that it does not know with errors of any class
        reason = error.message if isinstance(error, DlError) else f"{type(error).__name__}: {first_line(error)}"
        raise ParityError(f"not in fp16: {reason.removeprefix(f'{draft}: ')}") from error


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@contextlib.contextmanager
def _plain_arithmetic() -> Iterator[None]:
    """Disable autocast, which would be exported, and torch's fused attention layers, which cannot be exported."""
    import torch

    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def _give_up(format: str, path: Path, failures: Mapping[str, DlError], variant: Variant) -> DlError:
    details = [f"{exporter}: {_said(error)}" for exporter, error in failures.items()]
    graphs = [name for name, other in FORMATS.items() if not other.check and not other.is_weights]
    others = " or ".join(f"--format {name}" for name in graphs if name != format)
    if any(isinstance(error, ParityError) for error in failures.values()):
        advice = f"a network with value-dependent branches or state cannot be exported as a graph; else try {others}"
        return ParityError(
            f"{path.name}: the {format} file{' in fp16' if variant.half else ''} and the model give different outputs; "
            "nothing was written",
            details=details,
            hint="leave out --half" if variant.half else advice,
        )
    advice = f"try {others}" if variant.opset is None else "leave out --opset"
    return ExportError(f"{path.name}: no exporter could write the model as {format}", details=details, hint=advice)


def _said(error: DlError) -> str:
    return first_line(Exception(error.details[0] if error.details else error.message))
