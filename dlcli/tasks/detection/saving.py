"""Saving detections as annotations and as COCO's results. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import Annotation, Segmentation
from dlcli.data.annotated.answers import ImageDetections
from dlcli.data.annotated.masks import from_pixels, to_pixels
from dlcli.data.annotated.prelabels import FORMATS as PRE_LABELS
from dlcli.data.annotated.prelabels import PreLabels
from dlcli.data.annotated.results import RESULTS, CocoResults
from dlcli.data.codec import Answer, Record, Source

FORMATS = tuple(sorted((RESULTS, *PRE_LABELS)))


class DetectionSaver:
    """Saves the records of `DetectionCodec`. See `dlcli.data.codec.Saver`."""

    def __init__(self, format: str, folder: Path, labels: Sequence[str], is_input: Callable[[Path], bool]) -> None:
        self._labels = {name: label for label, name in enumerate(labels)}
        self._files = CocoResults(folder, labels) if format == RESULTS else PreLabels(format, folder, labels, is_input)

    def save(self, source: Source, answer: Answer) -> None:
        """Save the objects of one image."""
        objects = answer.record["objects"]
        size = (answer.record["height"], answer.record["width"])
        if isinstance(self._files, CocoResults):
            self._files.save(source, size, self._detections(objects, size))
        else:
            self._files.save(source, size, [self._annotation(each, size) for each in objects])

    def close(self) -> None:
        """Write what describes all answers."""
        self._files.close()

    def _detections(self, objects: Sequence[Record], size: tuple[int, int]) -> ImageDetections:
        has_masks = bool(objects) and "mask" in objects[0]
        masks = tuple(_runs(each["mask"], size) for each in objects) if has_masks else None
        return ImageDetections(
            np.array([each["box"] for each in objects], np.float64).reshape(-1, 4),
            np.array([each["score"] for each in objects], np.float64),
            np.array([self._labels[each["label"]] for each in objects], np.int64),
            masks,
        )

    def _annotation(self, each: Record, size: tuple[int, int]) -> Annotation:
        left, top, right, bottom = each["box"]
        mask: Segmentation | None = each.get("mask") or None  # polygons may be none
        area = float(to_pixels(mask, *size).sum()) if mask is not None else 0.0
        if not area:  # a mask without a pixel has no outline, and no annotation of an object is one
            mask, area = None, (right - left) * (bottom - top)
        box = (left, top, right, bottom)
        label = self._labels[each["label"]]
        return Annotation(label, box, round(area, 3), segmentation=mask, extra={"score": each["score"]})


def _runs(mask: Segmentation, size: tuple[int, int]) -> dict[str, Any]:
    """Return a mask of a record, which may be no polygons, as run lengths of JSON values."""
    return from_pixels(to_pixels(mask, *size) if mask else np.zeros(size, np.uint8))
