"""`dl doctor [DATA|RUN]`: the machine, a dataset, or a run, checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.errors import DataError, DlError, RunError
from dlcli.core.registry import broken_plugins
from dlcli.core.run_dir import RunDir, resolve_run

Finding = tuple[str, str, str]
"""What was looked at, "ok", "warning" or "fault", and what was found."""

MAX_CHECKED = 2000
"""Images of a dataset that are decoded for the check, spread over it; `dl prepare` has seen them all."""


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    arguments = [Argument("subject", "a prepared folder or a run (default: the machine)", is_required=False)]
    return make_command("doctor", "Check the machine, a dataset or a run.", _doctor, arguments=arguments)


def _doctor(values: Values) -> None:
    console = values.console()
    subject = values.arguments["subject"]
    findings = list(_machine() if subject is None else _subject(subject))
    if console.is_json:
        entries = [{"what": what, "state": state, "found": found} for what, state, found in findings]
        console.answer_json("doctor", {"findings": entries})
    else:
        console.table(["what", "state", "found"], findings)
    faults = [(what, found) for what, state, found in findings if state == "fault"]
    if faults:
        what, found = faults[0]
        fault = RunError if subject is not None and _data_folder(subject) is None else DataError
        raise fault(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}: {what}: {found}")


def _machine() -> Iterator[Finding]:
    import torch

    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.environment import versions

    for name, version in versions().items():
        yield name, "ok", version
    device = open_device()
    yield "device", "ok", f"{device.describe()}: {device.reason}"
    yield "cuda devices", "ok", str(torch.cuda.device_count())
    capability = torch.backends.cpu.get_cpu_capability()
    yield "cpu", "ok", f"{os.cpu_count()} cores, {capability}, bf16 {'yes' if _has_bf16() else 'no'}"
    free = shutil.disk_usage(Path.cwd()).free
    yield "free disk here", "ok" if free > 2**30 else "warning", f"{free / 2**30:.1f} GiB"
    yield from _pair()
    for plugin in broken_plugins():
        yield f"plugin {plugin.name}", "warning", plugin.reason


def _has_bf16() -> bool:
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _pair() -> Iterator[Finding]:
    """Check that torch and torchvision are builds of one another: a wrong pair fails at the first operator."""
    try:
        import torchvision
    except Exception as error:
        yield "torchvision", "fault", f"does not fit torch: {' '.join(str(error).split())[:120]}"
    else:
        yield "torchvision", "ok", torchvision.__version__


def _subject(text: str) -> Iterator[Finding]:
    data = _data_folder(text)
    yield from _run(resolve_run(text)) if data is None else _dataset(data)


def _data_folder(text: str) -> Path | None:
    """Return the dataset that the user means, or None where it is a run."""
    path = Path(text) if Path(text).is_dir() else Path("data") / text
    return path if path.is_dir() and not (path / "run.json").exists() else None


def _dataset(path: Path) -> Iterator[Finding]:
    from dlcli.data.card import read_card
    from dlcli.data.images.decoding import read_image
    from dlcli.data.images.form import open_images

    other = read_card(path)
    if other is not None and other.form == "text":
        yield from _texts(path)
        return
    if other is not None and other.form != "images":  # a form of its own: the card is all that is known here
        items = ", ".join(f"{other.num_items(split):,} {split}" for split in other.counts)
        yield "card", "ok", f"{other.name}: form {other.form}, {items}"
        yield from (("card", "warning", warning) for warning in other.warnings)
        return
    form = open_images(path)
    card = form.card
    yield "card", "ok" if form.is_prepared else "warning", f"{card.name}: {len(card.classes)} classes"
    for warning in card.warnings:
        yield "card", "warning", warning
    for split in form.splits():
        files = form.files(split)
        counts = card.counts[split]
        smallest, largest = min(counts.values()), max(counts.values())
        state = "ok" if smallest and largest <= 10 * smallest else "warning"
        yield f"{split}", state, f"{len(files):,} images, {smallest:,} to {largest:,} a class"
        bad = []
        for file in files[:: max(1, len(files) // MAX_CHECKED)]:
            try:
                read_image(file, channels=3)
            except DataError as error:
                bad.append(error.message)
        if bad:
            yield f"{split} files", "fault", f"{len(bad)} unreadable, the first: {bad[0]}"


def _folds(parent: RunDir) -> Iterator[Finding]:
    from dlcli.engine.runs.cross_validation import fold_runs

    for run in fold_runs(parent):
        status = str(run.info().get("status")) if run.info_file.exists() else "not begun"
        yield f"fold {run.path.name}", "ok" if status == "finished" else "warning", status


def _texts(path: Path) -> Iterator[Finding]:
    from dlcli.data.text.audit.report import audit_texts
    from dlcli.data.text.form import open_texts

    form = open_texts(path)
    card = form.card
    yield "card", "ok", f"{card.name}: {len(card.classes)} classes, {len(form.vocabulary()):,} words"
    audit = audit_texts(form)
    for warning in card.warnings:
        if warning not in audit["warnings"]:
            yield "card", "warning", warning
    for split in form.splits():
        counts = card.counts[split]
        smallest, largest = min(counts.values()), max(counts.values())
        state = "ok" if smallest and largest <= 10 * smallest else "warning"
        yield split, state, f"{sum(counts.values()):,} texts, {smallest:,} to {largest:,} a class"
    for finding in audit["findings"]:
        yield finding["what"], "warning" if finding["severity"] == "leak" else "ok", finding["text"]


def _run(run: RunDir) -> Iterator[Finding]:
    from dlcli.engine.runs.checkpoint import read_checkpoint
    from dlcli.engine.runs.restore import load_task

    info = run.info()
    if run.holds_folds:
        yield from _folds(run)
        return
    state = "ok" if info.get("status") == "finished" else "warning"
    yield "status", state, str(info.get("status"))
    for checkpoint in (run.best_checkpoint, run.last_checkpoint):
        try:
            content = read_checkpoint(checkpoint)
        except DlError as error:
            yield checkpoint.name, "fault", error.message
        else:
            yield checkpoint.name, "ok", f"epoch {content['epoch']}, {checkpoint.stat().st_size / 1e6:.1f} MB"
    try:
        load_task(run)
    except DlError as error:
        yield "network", "fault", error.message
    else:
        yield "network", "ok", f"{info.get('model')} takes the weights"
