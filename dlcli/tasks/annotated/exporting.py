"""The batches with which an export is compared with a network of annotated images."""

from __future__ import annotations

import dataclasses

import numpy as np

from dlcli.data.annotated.fitting import STRIDE, Size
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.tasks.annotated.source import AnnotatedSource

EXPORT_BATCHES = (2, 1, 3)
"""Numbers of images; the first batch is also what exporters are shown, who take a single item for a constant."""


def export_samples(preprocess: CanvasPreprocess, source: AnnotatedSource | None) -> list[np.ndarray]:
    """Return batches of 2, 1 and 3 images, (N, 3, H, W) uint8, of several canvases if the network takes them.

    The images are real if there is a source, else noise.

    Raises:
        DataError: no image can be read.
    """
    if source is None:
        random, side = np.random.default_rng(0), -(-preprocess.side // STRIDE) * STRIDE
        canvases = export_canvases(preprocess, (side, side))
        sizes = zip(EXPORT_BATCHES, canvases, strict=True)
        return [random.integers(0, 256, (count, 3, *canvas), np.uint8) for count, canvas in sizes]
    images = source.readable(sum(EXPORT_BATCHES))
    height, width = images[0].shape[:2]
    batches, first = [], 0
    canvases = export_canvases(preprocess, preprocess.fit_of((height, width)).canvas)
    for count, canvas in zip(EXPORT_BATCHES, canvases, strict=True):
        own = dataclasses.replace(preprocess, canvas=canvas)
        chosen = [own.fit(images[row % len(images)])[0] for row in range(first, first + count)]
        batches.append(np.ascontiguousarray(np.stack(chosen).transpose(0, 3, 1, 2)))
        first += count
    return batches


def export_canvases(preprocess: CanvasPreprocess, usual: Size) -> list[Size]:
    """Return the canvas of each batch, the first as large as usual."""
    if preprocess.canvas is not None:
        return [preprocess.canvas] * len(EXPORT_BATCHES)
    height, width = (max(side, 2 * STRIDE) for side in usual)  # exporters take a single cell for a constant
    return [(height, width), (height + STRIDE, width + STRIDE), (height + 2 * STRIDE, width)]
