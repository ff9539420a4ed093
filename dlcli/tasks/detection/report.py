"""The tables and pictures of a detection report, as returned by `DetectionMetric.report`. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.table import Table, table_of_entries


def tables_of(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the figures of each class that has objects or detections, and of each size of object."""
    classes = [row for row in report["per_class"] if row["objects"] or row["found"]]
    yield table_of_entries("per_class", classes)
    yield table_of_entries("by_size", report["by_size"])


def draw_detection_report(report: Mapping[str, Any], labels: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the file name and (H, W, 3) uint8 pixels of each picture: precision against recall, and kinds of errors.

    Args:
        report: as returned by `DetectionMetric.report`.
        labels: the class names.
    """
    from dlcli.visualize.detection_errors import draw_detection_errors
    from dlcli.visualize.pr_curves import draw_detection_pr

    yield "pr.png", draw_detection_pr(report["pr"], labels)
    yield "errors.png", draw_detection_errors(report["errors"])
