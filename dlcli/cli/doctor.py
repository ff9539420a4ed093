"""`dl doctor [DATA|RUN|FILE]`: checks of the machine, a dataset, a run or a model file."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcli.cli.doctor_items import (
    DoctorOptions,
    answer_near_duplicates,
    answer_outliers,
    answer_tables,
    check_options,
    find_suspects,
)
from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.errors import DataError, DlError, RunError, nearest
from dlcli.core.files import is_folder
from dlcli.core.findings import FAULT, OK, WARNING, Finding
from dlcli.core.registry import broken_plugins, load_object
from dlcli.core.run_dir import MAX_NAME, NoRunError, RunDir, list_runs, resolve_run
from dlcli.core.table import Table
from dlcli.core.tune_dir import TUNE_FILE
from dlcli.engine.targets import DATA


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [Argument("subject", "a prepared folder, a run or a model file (default: the machine)", False)]
    summary = "Check the machine, a dataset, a run or a model file."
    return make_command("doctor", summary, _doctor, arguments=arguments, configs=[DoctorOptions])


def _doctor(values: Values) -> None:
    console = values.console()
    subject = values.arguments["subject"]
    options = values.resolve(DoctorOptions)
    file = _model_file(subject) if subject is not None else None
    data = _data_folder(subject) if subject is not None and file is None else None
    run = _run_of(subject) if subject is not None and data is None and file is None else None
    has_folds = run is not None and run.holds_folds
    check_options(options, is_data=data is not None, is_run=run is not None, has_folds=has_folds)
    if options.near_duplicates:
        assert data is not None
        answer_near_duplicates(data, options, console)
        return
    if options.outliers:
        assert run is not None
        answer_outliers(run, options, console)
        return
    findings = list(_machine() if subject is None else _subject(subject, file))
    tables, pictures = find_suspects(run, options, console) if run is not None and has_folds else ([], [])
    rows = [[finding.what, finding.state, finding.found] for finding in findings]
    checks = Table("findings", ["what", "state", "found"], rows, [asdict(finding) for finding in findings])
    answer_tables(console, [checks, *tables], pictures)
    faults = [finding for finding in findings if finding.state == FAULT]
    if faults:
        first = faults[0]
        is_run = subject is not None and data is None
        trained = "train it again" if file is None else "copy or export it again"
        again = trained if is_run else "restore the file, or prepare the data again with `dl prepare`"
        message = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}: {first.what}: {first.found}"
        raise (RunError if is_run else DataError)(message, hint=first.fix or again)


def _run_of(text: str) -> RunDir:
    """Return the run that a word refers to, which is neither data nor a model file.

    Raises:
        RunError: it is no run either.
    """
    try:
        return resolve_run(text)
    except NoRunError:
        known = [run.name for run, _ in list_runs()]
        known += [path.name for path in DATA.glob("*") if (path / "dataset.json").is_file()]
        near = nearest(text, known)
        raise RunError(
            f"no prepared data, run or model file {text[:MAX_NAME]!r}",
            hint=f"did you mean {near!r}?"
            if near
            else "name one of them, or nothing: `dl doctor` examines the machine",
        ) from None


def _machine() -> Iterator[Finding]:
    import torch

    from dlcli.core.cores import usable_cores
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.environment import versions

    for name, version in versions().items():
        yield Finding(name, OK, version)
    device = open_device()
    yield Finding("device", OK, f"{device.describe()}: {device.reason}")
    yield Finding("cuda devices", OK, str(torch.cuda.device_count()))
    capability = torch.backends.cpu.get_cpu_capability()
    cores = f"{usable_cores()} of {os.cpu_count()} cores"
    yield Finding("cpu", OK, f"{cores}, {capability}, bf16 {'yes' if _has_bf16() else 'no'}")
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("free disk here", OK if free > 2**30 else WARNING, f"{free / 2**30:.1f} GiB")
    yield from _pair()
    for plugin in broken_plugins():
        yield Finding(f"plugin {plugin.name}", WARNING, plugin.reason)


def _has_bf16() -> bool:
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _pair() -> Iterator[Finding]:
    """Check that torch and torchvision are matching builds; others fail at the first operator."""
    try:
        import torchvision
    except Exception as error:
        yield Finding("torchvision", FAULT, f"does not fit torch: {' '.join(str(error).split())[:120]}")
    else:
        yield Finding("torchvision", OK, torchvision.__version__)


def _model_file(text: str) -> Path | None:
    """Return the path of a model file, or of a folder of several graphs; None if a word refers to neither."""
    from dlcli.answering.opening import FILE_SUFFIXES
    from dlcli.export.model_file import CHECKPOINT, ONNX, TORCHSCRIPT, is_graph_folder, kind_of

    path = Path(text)
    try:
        if is_graph_folder(path):
            return path
        kind = kind_of(path)
    except (OSError, ValueError):  # it can be no path
        return None
    is_called_one = path.suffix in FILE_SUFFIXES and kind != CHECKPOINT  # a checkpoint stands for its run
    return path if kind in (ONNX, TORCHSCRIPT) or is_called_one else None


def _subject(text: str, file: Path | None) -> Iterator[Finding]:
    if file is not None:
        from dlcli.export.faults import examine

        yield from examine(file)
        return
    data = _data_folder(text)
    yield from _run(resolve_run(text)) if data is None else _dataset(data)


def _data_folder(text: str) -> Path | None:
    """Return the folder of the dataset that a word refers to; None for a run and for a study, which stands for one."""
    path = Path(text) if is_folder(Path(text)) else DATA / text
    return path if is_folder(path) and not any((path / name).exists() for name in ("run.json", TUNE_FILE)) else None


def _dataset(path: Path) -> Iterator[Finding]:
    """Yield the findings of a prepared folder's form, or of its card if the form has no checks or is unknown."""
    from dlcli.data.card import read_card
    from dlcli.data.forms import form_of

    form = form_of(path)
    if form is not None and form.findings:
        try:
            findings = list(load_object(form.findings)(path))
        except DataError as error:
            again = f"mend it, or prepare the data again with `dl prepare`; `dl doctor {path}` looks again"
            raise DataError(error.message, details=error.details, hint=error.hint or again) from None
        yield from findings
        if not any(finding.state == FAULT for finding in findings):
            yield from _training(path)
        return
    card = read_card(path)
    if card is None:
        yield Finding("card", WARNING, f"none; {form.summary if form is not None else 'an unknown form'}")
        return
    items = ", ".join(f"{card.num_items(split):,} {split}" for split in card.splits)
    yield Finding("card", OK, f"{card.name}: form {card.form}, {items}")
    yield from (Finding("card", WARNING, warning) for warning in card.warnings)


def _training(path: Path) -> Iterator[Finding]:
    """Open a prepared folder as `dl train` does, and read the first batch."""
    from dlcli.engine.request import resolve_request
    from dlcli.engine.runs.opening import first_batch, open_task
    from dlcli.engine.targets import resolve_target

    whole = str(path.resolve())
    target = resolve_target(whole, None)
    request = resolve_request(target.spec, target.dataset, path)
    try:
        _, loader, valid = open_task(request)
        first_batch(request, loader)
    except DataError as error:
        yield Finding("training", FAULT, error.message, error.hint or "")
    except DlError as error:  # an option, such as the default network for images of this size
        yield Finding("training", WARNING, error.message, error.hint or "")
    else:
        held_out = f"{valid.num_items:,} for validation" if valid is not None else "none for validation"
        # A folder may be called as a task or a dataset is, which the word alone would mean.
        is_meant = resolve_target(str(path), None).data.resolve() == path.resolve()
        word = shlex.quote(str(path) if is_meant else whole)
        yield Finding("training", OK, f"{loader.num_items:,} items, {held_out}; `dl train {word}` opens it")


def _folds(parent: RunDir) -> Iterator[Finding]:
    from dlcli.engine.runs.cross_validation import fold_runs

    for run in fold_runs(parent):
        status = str(run.info().get("status")) if run.info_file.exists() else "not started"
        yield Finding(f"fold {run.path.name}", OK if status == "finished" else WARNING, status)


def _run(run: RunDir) -> Iterator[Finding]:
    from dlcli.engine.runs.checkpoint import read_checkpoint
    from dlcli.engine.runs.restore import load_task

    info = run.info()
    if run.holds_folds:
        yield from _folds(run)
        return
    state = OK if info.get("status") == "finished" else WARNING
    yield Finding("status", state, str(info.get("status")))
    for checkpoint in (run.best_checkpoint, run.last_checkpoint):
        try:
            content = read_checkpoint(checkpoint)
        except DlError as error:
            yield Finding(checkpoint.name, FAULT, error.message)
        else:
            yield Finding(checkpoint.name, OK, f"epoch {content['epoch']}, {checkpoint.stat().st_size / 1e6:.1f} MB")
    try:
        load_task(run)
    except DlError as error:
        yield Finding("network", FAULT, error.message)
    else:
        yield Finding("network", OK, f"{info.get('model')} loads the weights")
