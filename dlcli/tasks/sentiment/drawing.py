"""The pictures of a report on texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.visualize.confusion import draw_confusion
from dlcli.visualize.scores import draw_pr_curves, draw_roc_curves
from dlcli.visualize.text_mistakes import draw_text_mistakes


def draw_report(
    report: Mapping[str, Any], labels: Sequence[str], worst_texts: Sequence[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield file names and (H, W, 3) uint8 pictures: confusion matrix, PR and ROC curves, worst mistakes."""
    yield "confusion.png", draw_confusion(np.asarray(report["confusion"]), labels)
    if any(curve is not None for curve in report["curves"]["pr"]):
        yield "pr.png", draw_pr_curves(report["curves"], labels)
        yield "roc.png", draw_roc_curves(report["curves"], labels)
    if worst_texts:
        yield "mistakes.png", draw_text_mistakes(report["worst"], worst_texts, labels)
