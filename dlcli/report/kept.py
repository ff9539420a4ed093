"""What an evaluation leaves in its run for people and for comparisons, beside its report. Torch-free.

`eval/SPLIT-shown.json` has the printed tables, the pictures and the notes; `eval/SPLIT-items.npz` the scores of each
item.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcli.core.errors import RunError
from dlcli.core.files import atomic_file, finite, parse_json, write_json
from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.data.card import Card
from dlcli.data.npy import load_npz
from dlcli.metrics.item_scores import REDUCTIONS, ItemFigure, ItemScores

SHOWN_SCHEMA = 1
MAX_ROWS = 1000
"""Rows of a table that are stored; a report has all entries."""
MAX_VALUES = 25_000_000
"""Statistics of items that are stored, at most: 200 MB."""


@dataclass(frozen=True)
class Shown:
    """What an evaluation showed.

    Attributes:
        tables: as printed, without entries.
        pictures: paths relative to the run.
        notes: what was found while the data was read.
        options: the inference options, by name.
        evaluated: the time, ISO 8601.
        data: which data it was, see `data_digest`; "" where an older version evaluated, or the data has no card.
    """

    tables: Sequence[Table] = ()
    pictures: Sequence[str] = ()
    notes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    evaluated: str = ""
    data: str = ""


def data_digest(card: Card) -> str:
    """Return a digest of what a card says of where its items come from: equal for data that was prepared equally."""
    counts = {split: card.num_items(split) for split in card.splits}
    sums = [source.get("sha256") for source in card.sources]
    facts = [card.form, card.classes, sums, card.details.get("options"), counts]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def keep_shown(run: RunDir, split: str, shown: Shown) -> None:
    """Store what an evaluation showed.

    Raises:
        OSError: the file cannot be written.
    """
    tables = [
        {"name": table.name, "columns": list(table.columns), "rows": [list(row) for row in table.rows[:MAX_ROWS]]}
        for table in shown.tables
        if table.rows
    ]
    value = {"tables": tables, "pictures": list(shown.pictures), "notes": list(shown.notes)}
    more = {"options": dict(shown.options), "evaluated": shown.evaluated, "data": shown.data}
    text = finite({"schema": SHOWN_SCHEMA, **value, **more})
    write_json(run.folder("eval") / f"{split}-shown.json", json.loads(json.dumps(text, default=str)))


def read_shown(run: RunDir, split: str) -> Shown | None:
    """Return what an evaluation showed; None if nothing is stored, or it is damaged."""
    try:
        value = run.read_json(f"eval/{split}-shown.json")
        tables = [Table(str(t["name"]), [str(c) for c in t["columns"]], list(t["rows"]), ()) for t in value["tables"]]
        if any(len(row) != len(table.columns) for table in tables for row in table.rows):
            return None
        texts = {name: [str(text) for text in value[name]] for name in ("pictures", "notes")}
        options, evaluated, data = dict(value["options"]), str(value["evaluated"]), str(value.get("data", ""))
        return Shown(tables, texts["pictures"], texts["notes"], options, evaluated, data)
    except (RunError, KeyError, TypeError, ValueError):
        return None


def keep_items(run: RunDir, split: str, scores: ItemScores | None) -> None:
    """Store the scores of all items, if there are any and they are not too many; remove older ones otherwise.

    Raises:
        OSError: the file cannot be written.
    """
    path = run.folder("eval") / f"{split}-items.npz"
    size = 0 if scores is None else sum(figure.statistics.size for figure in scores.figures.values())
    if scores is None or not size or size > MAX_VALUES:
        path.unlink(missing_ok=True)
        return
    facts = {
        name: {
            "reduction": figure.reduction,
            "lower_is_better": figure.lower_is_better,
            "is_share": figure.is_share,
            "signature": figure.signature,
        }
        for name, figure in scores.figures.items()
    }
    about = json.dumps({"truth": scores.truth, "names_items": scores.names_items, "figures": facts})
    arrays: dict[str, Any] = {f"figure.{name}": figure.statistics for name, figure in scores.figures.items()}
    with atomic_file(path) as stream:
        np.savez_compressed(stream, about=np.array(about), rows=scores.rows, **arrays)


def read_items(run: RunDir, split: str) -> ItemScores | None:
    """Return the stored scores; None if there are none, or they are damaged."""
    arrays = load_npz(run.path / "eval" / f"{split}-items.npz")
    if arrays is None:
        return None
    try:
        about, rows = parse_json(str(arrays["about"])), arrays["rows"]
        figures = {
            str(name): ItemFigure(
                arrays[f"figure.{name}"],
                str(fact["reduction"]),
                bool(fact["lower_is_better"]),
                bool(fact["is_share"]),
                str(fact["signature"]),
            )
            for name, fact in about["figures"].items()
        }
        found = ItemScores(rows, str(about["truth"]), bool(about["names_items"]), figures)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return (
        found
        if rows.dtype == np.int64 and len(rows) and all(_is_sound(f, len(rows)) for f in figures.values())
        else None
    )


def _is_sound(figure: ItemFigure, count: int) -> bool:
    """Return whether the statistics are finite, one row an item, and fit their reduction."""
    values = figure.statistics
    if figure.reduction not in REDUCTIONS or values.dtype != np.float64 or values.ndim != 2 or len(values) != count:
        return False
    widths = {"mean": 1, "root_mean": 1, "f1": 3, "bleu": 10}
    width = values.shape[1]
    fits = width == widths[figure.reduction] if figure.reduction in widths else width >= 3 and width % 3 == 0
    return fits and bool(np.isfinite(values).all())
