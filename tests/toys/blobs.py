"""A detector without weights: it finds the bright rectangle of a canvas. And films and images that show some."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.tasks.detection.codec import DetectionCodec
from dlcli.tasks.detection.config import DetectionInference

BRIGHT = 200
"""Rectangles are brighter than that; the canvas around an image is not."""

ASSETS = {
    "labels": ["thing", "other"],
    "preprocess": CanvasPreprocess(160, None, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)).to_json(),
}


def codec(**options: object) -> DetectionCodec:
    """Return the codec of this detector with inference options."""
    return DetectionCodec(ASSETS, DetectionInference(**options))  # type: ignore[arg-type]


class BlobPredictor:
    """See `dlcli.answering.opening.Predictor`; the score is 0.9, and 0.001 for a copy beside it. Counts its rows."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        images = arrays["images"]
        self.rows.append(len(images))
        boxes, counts = np.zeros((len(images), 2, 4), np.float32), np.zeros(len(images), np.int64)
        for row, image in enumerate(images):
            rows, columns = np.nonzero(image.min(axis=0) > BRIGHT)
            if len(rows):
                boxes[row, :] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                counts[row] = 2
        scores = np.tile(np.array([0.9, 0.001], np.float32), (len(images), 1))
        thresholds = np.full((len(images), 2), 0.3, np.float32)
        labels = np.tile(np.array([0, 1], np.int64), (len(images), 1))
        return {"boxes": boxes, "scores": scores, "labels": labels, "counts": counts, "thresholds": thresholds}


def picture(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Return a dark image, (H, W, 3) uint8, with white rectangles, xyxy."""
    image = np.full((*size, 3), 20, np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    return image


def write_film(path: Path, count: int = 20, rate: float = 10.0, codec: str = "mp4v") -> list[tuple[int, int, int, int]]:
    """Write a film of 160 x 96 pixels in which a white square moves to the right; return where it is."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate, (160, 96))
    boxes = [(16 + 4 * number, 32, 48 + 4 * number, 64) for number in range(count)]
    for box in boxes:
        writer.write(picture((96, 160), box))
    writer.release()
    return boxes
