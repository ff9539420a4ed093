"""The sections of a run's page that do not depend on an evaluation: what was run, on which data, how it went."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.core.config import fields_of
from dlcli.core.errors import DlError
from dlcli.core.records import is_number, read_metrics
from dlcli.core.registry import get_task, load_object
from dlcli.core.run_dir import DIVERGED, EXPORTS_FILE, FAILED, FINISHED, INTERRUPTED, RUNNING, RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.report.blocks import Grid, Section, grid_of, parts_of, text_of
from dlcli.report.charts import curve_charts
from dlcli.report.images import Album, Shot

MAX_CLASSES = 40
MAX_SAMPLES = 6
MAX_SAMPLE_LINES = 30
STATES = {
    RUNNING: "This run is still training, or its process has ended without a word.",
    INTERRUPTED: "This run was interrupted before its last epoch.",
    FAILED: "This run failed before its last epoch.",
    DIVERGED: "This training diverged: its loss was no longer finite.",
}


def duration(seconds: object) -> str:
    """Return seconds as people say them, such as `1 h 05 min`; a dash for what is no number."""
    if not is_number(seconds) or not math.isfinite(seconds):
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def run_section(run: RunDir, info: Mapping[str, Any]) -> Section:
    """Return what was run: the command, its options with their origins, and the machine."""
    status = str(info.get("status"))
    warnings: list[str] = []
    commands = [str(info.get("command") or "")]
    if status in STATES:
        warnings.append(STATES[status])
        if info.get("error"):
            warnings.append(str(info["error"]))
        if status != DIVERGED:
            commands.append(f"dl train --resume {run.reference}")
    elif status != FINISHED:
        warnings.append(f"The status of this run is {status!r}, which is unknown.")
    names = ("task", "dataset", "model", "parameters", "seed", "device", "precision", "threads", "processes", "goal")
    facts = [(name, text_of(info.get(name))) for name in names if info.get(name) is not None]
    started = text_of(info.get("started")).replace("T", " ").replace("+00:00", " UTC")
    facts += [("started", started), ("duration", duration(info.get("seconds")))]
    return Section(
        "What was run", "run", (), warnings, [c for c in commands if c], facts, grids=_option_grids(run, info)
    )


def _option_grids(run: RunDir, info: Mapping[str, Any]) -> list[Grid]:
    """Return the table of the options that were chosen, and folded up that of the defaults."""
    try:
        config = run.config()
    except DlError:
        return []
    origins = info.get("origins")
    known = origins if isinstance(origins, Mapping) else {}
    defaults = _defaults(str(info.get("task")))
    chosen, plain = [], []
    for name, value in config.items():
        shown = f"{value:g}" if isinstance(value, float) else value
        is_default = name in defaults and defaults[name] == (tuple(value) if isinstance(value, list) else value)
        if name in known:
            chosen.append([name, shown, known[name]])
        elif is_default or name not in defaults:
            plain.append([name, shown])
        else:
            chosen.append([name, shown, "-" if known else "not the default"])
    grids = [grid_of("Options that were chosen", ["option", "value", "from"], chosen, most=80)] if chosen else []
    return [*grids, grid_of("Options at their defaults", ["option", "value"], plain, most=200, is_closed=True)]


def _defaults(task: str) -> dict[str, Any]:
    """Return the default of each option; only those of the loop for a task that is not installed."""
    classes = [TrainConfig]
    with contextlib.suppress(DlError):
        classes.append(load_object(get_task(task).config))
    return {info.name: info.default for each in classes if dataclasses.is_dataclass(each) for info in fields_of(each)}


def data_section(run: RunDir) -> Section:
    """Return the card of the data: its parts, its classes, what was found on the way, and its files."""
    try:
        card = Card.from_json(run.read_json(run.card_file.name), str(run.card_file))
    except DlError:
        return Section("Data", "data", ["This run has no card of its data."])
    facts = [("name", card.name), ("form", card.form)]
    facts += [(f"{split} items", text_of(card.num_items(split))) for split in card.splits]
    details = {name: value for name, value in card.details.items() if name != "options"}
    more, grids = parts_of(details)
    if card.classes and card.counts:
        rows = [[name, *(counts.get(name, 0) for counts in card.counts.values())] for name in card.classes]
        grids.insert(0, grid_of("Items of each class", ["class", *card.counts], rows, most=MAX_CLASSES))
    elif card.classes:
        facts.append(("classes", text_of(list(card.classes))))
    if card.sources:
        rows = [[each.get("file"), each.get("bytes"), each.get("sha256")] for each in card.sources]
        grids.append(grid_of("Original files", ["file", "bytes", "SHA-256"], rows, most=20, is_closed=True))
    notes = [] if card.warnings else ["Nothing was found amiss while the data was prepared."]
    warnings = list(card.warnings[:20])
    if len(card.warnings) > len(warnings):
        warnings.append(f"{len(card.warnings) - len(warnings):,} more are in {run.card_file.name}.")
    commands = [card.command] if card.command else []
    return Section("Data", "data", notes, warnings, commands, [*facts, *more], grids)


def curves_section(run: RunDir, info: Mapping[str, Any]) -> Section:
    """Return the curves of the training, with the last epochs as a table."""
    try:
        records = read_metrics(run.metrics_file)
    except DlError:
        return Section("Training", "training", ["No epoch is finished yet."])
    best = info.get("best")
    epoch = best.get("epoch") if isinstance(best, Mapping) else None
    epoch = epoch if is_number(epoch) else None
    columns = [name for name in dict.fromkeys(name for record in records for name in record) if name != "step"][:14]
    rows = [[record.get(name) for name in columns] for record in records[-20:]]
    title = "Figures of every epoch" if len(records) <= 20 else f"Figures of the last 20 of {len(records)} epochs"
    notes = [_progress(run, records)]
    if epoch is not None:
        notes.append(f"The dotted line is the best epoch, {epoch:g}, whose weights answer.")
    return Section(
        "Training",
        "training",
        notes,
        charts=curve_charts(records, epoch),
        grids=[grid_of(title, columns, rows, is_closed=True)],
    )


def _progress(run: RunDir, records: Sequence[Mapping[str, Any]]) -> str:
    done = max(record["epoch"] for record in records)
    try:
        wanted = run.config().get("epochs")
    except DlError:
        wanted = None
    is_cut = isinstance(wanted, int) and done < wanted
    of = f" of {wanted}" if is_cut else ""
    return f"{done}{of} epoch{'s' if done > 1 or is_cut else ''} done."


def samples_section(run: RunDir, album: Album) -> Section | None:
    """Return samples over the epochs, evenly spaced from the first to the last; None if there are none."""
    shots: list[Shot] = []
    texts = []
    for epoch, path in _some(run.samples("png"), MAX_SAMPLES):
        shot = album.shot(path, f"Samples after epoch {epoch}", f"epoch {epoch}")
        shots += [shot] if shot is not None else []
    for epoch, path in _some(run.samples("txt"), MAX_SAMPLES):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace")[:20_000].splitlines()
        except OSError:
            continue
        texts.append((f"epoch {epoch}", lines[:MAX_SAMPLE_LINES]))
    return Section("Samples", "samples", shots=shots, texts=texts) if shots or texts else None


def _some(found: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` entries, evenly spaced, the first and the last among them."""
    if len(found) <= count:
        return list(found)
    return [found[round(place * (len(found) - 1) / (count - 1))] for place in range(count)]


def exports_section(run: RunDir) -> Section | None:
    """Return the exported files with their size and how equal they are to the run; None if there are none."""
    try:
        recorded = run.read_json(f"exports/{EXPORTS_FILE}")
    except DlError:
        recorded = {}
    recorded = recorded if isinstance(recorded, Mapping) else {}
    paths = sorted(
        path
        for path in run.exports.glob("*")
        if path.name != EXPORTS_FILE and not path.name.startswith(".") and not _is_beside(path)
    )
    if not paths:
        return None
    rows = []
    for path in paths[:40]:
        facts = recorded.get(path.name)
        facts = facts if isinstance(facts, Mapping) else {}
        size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) if path.is_dir() else 0
        size = size or path.stat().st_size
        checks = facts.get("checks")
        rows.append(
            [
                path.name,
                facts.get("format") or path.suffix.lstrip("."),
                f"{size / 1e6:.1f} MB",
                "" if facts.get("max_difference") is None else text_of(facts["max_difference"]),
                len(checks) if isinstance(checks, list) else "",
                _latency(facts),
            ]
        )
    columns = ["file", "format", "size", "largest difference from the run", "checks", "latency, ms"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    grid = grid_of("Exported files", columns, rows)
    notes = ["A file is written only where its answers equal the run's."]
    return Section("Exports", "exports", notes, grids=[grid])


def _latency(facts: Mapping[str, Any]) -> object:
    """Return the latency that `dl benchmark` measured of a file, and at which batch size; "" if it did not."""
    value, at = facts.get("latency_ms", ""), facts.get("latency_at")
    if value == "" or not isinstance(at, Mapping):
        return value
    threads = at.get("threads")
    return f"{value} (batch {at.get('batch_size')}, {threads} thread{'' if threads == 1 else 's'})"


def _is_beside(path: Path) -> bool:
    """Return whether a file is the card or the script of an exported one: X.onnx.md, X.onnx.py."""
    return path.suffix in (".md", ".py") and path.with_suffix("").exists()


def environment_section(info: Mapping[str, Any]) -> Section:
    """Return the versions and the state of the working folder."""
    versions = info.get("versions")
    facts = [(str(name), text_of(value)) for name, value in versions.items()] if isinstance(versions, Mapping) else []
    facts.append(("git", text_of(info.get("git"))))
    return Section("Environment", "environment", facts=facts)
