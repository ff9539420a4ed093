"""The segmentation metric at the full resolution of the images. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.label_maps import label_map_in_image
from dlcli.data.codec import Arrays
from dlcli.metrics.item_scores import ItemScores, rows_of_names, scores_of
from dlcli.metrics.members import MEMBERS, MemberFigures
from dlcli.metrics.segmentation import SegmentationMetric
from dlcli.tasks.segmentation.codec import LABEL_MAP

Truth = Callable[[AnnotatedImage], np.ndarray]
"""(record) -> its label map, (H, W) uint8."""


class FullSizeMetric:
    """The metric of answers at the size of each image; label maps are read here, since a batch of them is large.

    Args:
        labels: the class names, without the background.
        truth: reads the label map of an image; None to merge only.
    """

    def __init__(self, labels: Sequence[str], truth: Truth | None) -> None:
        self._truth = truth
        self._metric = SegmentationMetric(("background", *labels))
        self._files: list[str] = []
        self._members = MemberFigures(partial(SegmentationMetric, ("background", *labels)), LABEL_MAP, "miou")

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Add a batch.

        Args:
            batch: `records`, and `fits` (N, 6).
            outputs: `label_map` (N, H, W) on the canvas, or those of an ensemble's `MEMBERS`, (N, M, H, W).
        """
        assert self._truth is not None, "there is no data"
        for number, (record, row) in enumerate(zip(batch["records"], batch["fits"], strict=True)):
            fit, truth = Fit.from_numbers(row), {"label_maps": [self._truth(record)]}
            if MEMBERS in outputs:
                maps = [label_map_in_image(canvas, fit) for canvas in outputs[MEMBERS][number]]
                self._members.update(truth, np.stack(maps)[np.newaxis])
                continue
            self._files.append(record.file)
            self._metric.update(truth, {LABEL_MAP: [label_map_in_image(outputs[LABEL_MAP][number], fit)]})

    def merge(self, other: FullSizeMetric) -> None:
        """Add the pixels of another process's metric."""
        self._metric.merge(other._metric)
        self._files += other._files
        self._members.merge(other._members)

    def item_scores(self) -> ItemScores:
        """Return what resampling needs of each image; see `dlcli.metrics.item_scores.ScoresItems`."""
        figure = self._metric.item_figure()
        true = np.split(figure.statistics, 3, axis=1)[2].astype(int).tolist()
        truths = [f"{file} {pixels}" for file, pixels in zip(self._files, true, strict=True)]
        return scores_of(rows_of_names(self._files), truths, {"miou": figure}, names_items=True)

    def compute(self) -> dict[str, float]:
        """Return the values over all pixels."""
        return self._metric.compute()

    def report(self) -> dict[str, Any]:
        """Return the full report, and of an ensemble what its members reach; see `MemberFigures.added_to`."""
        return self._members.added_to(self._metric.report())
