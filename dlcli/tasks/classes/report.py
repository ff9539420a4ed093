"""The tables and pictures of a classification report, as returned by `LogitsMetric.report`. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.table import Table, table_of_entries

MAX_MISTAKES, MAX_SHOWN = 5, 60
"""Mistakes printed, and characters of each; JSON has up to `NUM_WORST`, with the full text."""

DrawMistakes = Callable[[Sequence[Mapping[str, Any]]], np.ndarray]
"""Draws mistakes (`index`, `label`, `predicted`, `confidence`) as one (H, W, 3) uint8 picture."""


def worst_rows(report: Mapping[str, Any]) -> list[int]:
    """Return the row numbers of the worst mistakes in their split."""
    return [entry["index"] for entry in report["worst"]]


def class_tables(
    report: Mapping[str, Any], labels: Sequence[str], worst_texts: Sequence[str] | None = None
) -> Iterator[Table]:
    """Yield the metrics of each class that occurs or was predicted, and for texts the worst mistakes.

    Args:
        report: as returned by `LogitsMetric.report`.
        labels: the class names.
        worst_texts: the text of each of the worst mistakes; None if items have no text.
    """
    table = table_of_entries("per_class", report["per_class"])
    seen = [entry["support"] > 0 or entry["predicted"] > 0 for entry in report["per_class"]]
    yield replace(table, rows=[row for row, is_seen in zip(table.rows, seen, strict=True) if is_seen])
    if worst_texts is None:
        return
    entries = [{**entry, "text": text} for entry, text in zip(report["worst"], worst_texts, strict=True)]
    rows = [
        [labels[e["label"]], labels[e["predicted"]], e["confidence"], shorten(e["text"], MAX_SHOWN)]
        for e in entries[:MAX_MISTAKES]
    ]
    yield Table("worst", ["true", "predicted", "probability", "the worst mistakes"], rows, entries)


def draw_class_report(
    report: Mapping[str, Any], labels: Sequence[str], draw_mistakes: DrawMistakes | None = None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the file name and (H, W, 3) uint8 pixels of each picture.

    The pictures are the confusion matrix, the PR and ROC curves, and the worst mistakes.

    Args:
        report: as returned by `LogitsMetric.report`.
        labels: the class names.
        draw_mistakes: draws the worst mistakes; None to skip them.
    """
    from dlcli.visualize.confusion import draw_confusion
    from dlcli.visualize.scores import draw_pr_curves, draw_roc_curves

    yield "confusion.png", draw_confusion(np.asarray(report["confusion"]), labels)
    if any(curve is not None for curve in report["curves"]["pr"]):
        yield "pr.png", draw_pr_curves(report["curves"], labels)
        yield "roc.png", draw_roc_curves(report["curves"], labels)
    if draw_mistakes is not None and report["worst"]:
        yield "mistakes.png", draw_mistakes(report["worst"])
