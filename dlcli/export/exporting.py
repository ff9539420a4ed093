"""Exporting: a network becomes a file that is proven equal to it, or nothing."""

from __future__ import annotations

import contextlib
import copy
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.core.errors import DlError, ExportError, ParityError, RunError, UsageError, did_you_mean, first_line
from dlcli.core.registry import load_object
from dlcli.export.metadata import METADATA_SCHEMA, encode_metadata
from dlcli.export.plan import Check, ExportPlan, ExportResult
from dlcli.export.quiet import silenced

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Report = Callable[[str], None]
"""Says one line to the user (on stderr)."""


@dataclass(frozen=True)
class Format:
    """A kind of file that networks are exported to.

    Attributes:
        suffix: the usual end of the file's name.
        exporters: exporter name -> "module:function" that takes (module, plan, metadata texts, path) and writes `path`.
        notice: a line that the user is told at every export.
    """

    suffix: str
    exporters: Mapping[str, str]
    notice: str = ""


FORMATS: Mapping[str, Format] = {
    "onnx": Format(".onnx", {"dynamo": "dlcli.export.onnx:write_dynamo", "legacy": "dlcli.export.onnx:write_legacy"}),
    "torchscript": Format(
        ".torchscript",
        {"trace": "dlcli.export.torchscript:write_traced"},
        notice="torch has deprecated TorchScript; its successor is torch.export",
    ),
}


def export_model(plan: ExportPlan, format: str, path: Path, *, report: Report) -> ExportResult:
    """Write the plan's network as `path` and return what was written.

    The module and the random state stay as they were. The exporters are tried in the plan's order until one writes a
    file that passes the parity gate. They work in a hidden folder beside `path`; only a proven file takes the place
    of an older one.

    Args:
        plan: the network with example, samples and metadata.
        format: a name in `FORMATS`.
        path: the file; its folder is made.
        report: is told the format's notice, and which exporters failed before one did it.

    Raises:
        UsageError: there is no such format.
        ExportError: no exporter could write the network, or the disk refused the file.
        ParityError: every file that could be written answers otherwise than the network.
    """
    if format not in FORMATS:
        raise UsageError(f"no format {format!r}", hint=did_you_mean(format, FORMATS))
    import torch

    exporters = FORMATS[format].exporters
    order = [name for name in plan.exporters if name in exporters] or list(exporters)
    texts = _metadata_texts(plan)
    if FORMATS[format].notice:
        report(FORMATS[format].notice)
    failures: dict[str, DlError] = {}
    with _storage_errors(path), torch.random.fork_rng(devices=[]):
        with silenced():
            from dlcli.export.verify import reference_answers, tells_apart

            references = reference_answers(_host_copy(plan.module), plan)
        is_telling = tells_apart(references, plan.tolerance)
        if not is_telling:
            report("the network answers all samples nearly alike (untrained?): that the file does too proves little")
        with _staging(path) as folder:
            for exporter in order:
                try:
                    with silenced():
                        checks = _attempt(plan, exporters[exporter], references, texts, _emptied(folder) / path.name)
                except (ExportError, ParityError) as error:
                    failures[exporter] = error
                    continue
                for failed, reason in failures.items():
                    report(f"the {failed} exporter failed ({_said(reason)}); the {exporter} exporter did it")
                return _publish(folder, path, format, exporter, checks, is_telling)
    raise _give_up(format, path, failures)


def _metadata_texts(plan: ExportPlan) -> dict[str, str]:
    fixed = {"schema": METADATA_SCHEMA, "inputs": list(plan.inputs), "outputs": list(plan.outputs)}
    return encode_metadata({**plan.metadata, **fixed})


def _host_copy(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode, fp32, on the CPU (files are written and proven there), without gradients."""
    import torch

    try:
        twin = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    except RuntimeError as error:  # a tensor with a history, kept as an attribute
        raise ExportError(f"the model cannot be copied: {first_line(error)}") from error
    is_reduced = any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in twin.parameters())
    return twin.float() if is_reduced else twin


def _attempt(
    plan: ExportPlan,
    writer: str,
    references: list[dict[str, np.ndarray]],
    texts: Mapping[str, str],
    draft: Path,
) -> tuple[Check, ...]:
    """Write `draft` with one exporter and return its checks.

    Raises:
        ExportError: the exporter cannot write this network, or not so that it runs.
        ParityError: the file answers otherwise.
        OSError: the disk refused it.
    """
    from dlcli.export.verify import parity_gate

    write = load_object(writer)
    module = _host_copy(plan.module)  # a fresh one: an exporter may leave its traces on it
    try:
        with _plain_arithmetic(plan):
            write(module, plan, texts, draft)
            return parity_gate(plan, references, draft)
    except ParityError:
        raise
    except RunError as error:
        raise ExportError(f"its file does not run: {error.message.removeprefix(f'{draft}: ')}") from error
    except Exception as error:  # exporters raise whatever the layer of torch raises in which they fail
        cause = _root_cause(error)
        if isinstance(cause, OSError) and cause.errno is not None:
            raise cause from None
        raise ExportError(f"{type(cause).__name__}: {first_line(cause)}") from error


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@contextlib.contextmanager
def _plain_arithmetic(plan: ExportPlan) -> Iterator[None]:
    """Switch off autocast and torch's fused attention layers: one would end up in the graph, the other cannot."""
    import torch

    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.autocast(plan.example[plan.inputs[0]].cpu().device.type, enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def _give_up(format: str, path: Path, failures: Mapping[str, DlError]) -> DlError:
    details = [f"{exporter}: {_said(error)}" for exporter, error in failures.items()]
    others = " or ".join(f"--format {name}" for name in FORMATS if name != format)
    if any(isinstance(error, ParityError) for error in failures.values()):
        return ParityError(
            f"{path.name}: the {format} file answers otherwise than the model; nothing was written",
            details=details,
            hint=f"a network that decides on values or keeps state cannot be exported as a graph; else try {others}",
        )
    return ExportError(
        f"{path.name}: no exporter could write the model as {format}", details=details, hint=f"try {others}"
    )


def _said(error: DlError) -> str:
    return first_line(Exception(error.details[0] if error.details else error.message))


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "make room on the disk" if is_full else "choose another place with --out"
        raise ExportError(f"{path}: cannot be written: {error.strerror or error}", hint=hint) from None


@contextlib.contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path`, and take it away again, with the folders made for it if the block failed.

    Raises:
        OSError: `path` is a folder, or its folder cannot be made or written.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", suffix=".partial", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)
    finally:
        for made in missing:
            with contextlib.suppress(OSError):  # it holds the exported file, or could not be made
                made.rmdir()


def _emptied(folder: Path) -> Path:
    for leftover in folder.iterdir():
        leftover.unlink()
    return folder


def _publish(
    folder: Path, path: Path, format: str, exporter: str, checks: tuple[Check, ...], is_telling: bool
) -> ExportResult:
    """Move the proven files to their place, the model last, and return what they are."""
    drafts = sorted(folder.iterdir(), key=lambda draft: draft.name == path.name)
    places = []
    for draft in drafts:
        with draft.open("rb+") as stream:
            os.fsync(stream.fileno())  # the bytes before the name, so that a crash leaves no empty file
        places.append(draft.replace(path.with_name(draft.name)))
    *data_paths, _ = places
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(2**20):
            digest.update(block)
    return ExportResult(
        path=path,
        data_path=data_paths[0] if data_paths else None,
        format=format,
        bytes=sum(place.stat().st_size for place in places),
        sha256=digest.hexdigest(),
        exporter=exporter,
        max_difference=max(check.difference for check in checks),
        checks=checks,
        is_telling=is_telling,
    )
