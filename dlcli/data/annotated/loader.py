"""Batches of annotated images, augmented for training, or fitted to their canvases for evaluation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.augmenting import Augmented, Recipe, augment, mosaic
from dlcli.data.annotated.canvases import CanvasOrder, batch_canvas, batch_numbers
from dlcli.data.annotated.fitting import Fit, Size, fit_size
from dlcli.data.images.cache import Kind, PixelCache
from dlcli.data.images.items import image_loader, stack_images
from dlcli.data.images.operations.colour import FILL
from dlcli.data.images.operations.moving import resize
from dlcli.data.loading import Batch, ItemLoader
from dlcli.data.order import WHOLE, Order, Shard

Pixels = Callable[[AnnotatedImage], np.ndarray]
"""(record) -> its image, (H, W, 3) uint8 (`AnnotatedForm.read`); picklable, and raises a DataError if it cannot."""

SPARE = 1.3
"""Images are kept at this multiple of their size in the canvas, so that zoomed ones are sharp."""

MOSAIC_SALT = 0x4051


class TrainingItem(NamedTuple):
    """One image of a training batch, or four of a mosaic, before they are augmented.

    Attributes:
        row: of the first image.
        images, records: one or four.
        seed: of its augmentation.
        epoch: of the batch.
    """

    row: int
    images: tuple[np.ndarray, ...]
    records: tuple[AnnotatedImage, ...]
    seed: int
    epoch: int


@dataclass(frozen=True)
class Training:
    """What training batches are made of.

    Attributes:
        canvas: height and width of the batches' images.
        recipe: how images are augmented.
        with_masks: whether batches hold masks.
        multi_scale: whether each batch has a canvas of its own, within 25 % of `canvas`.
        mosaic: share of the items that show four images.
        cache: where decoded images are kept.
        folder: of the cache's file, for "disk"; None for the system's for temporary files.
    """

    canvas: Size
    recipe: Recipe
    with_masks: bool = False
    multi_scale: bool = False
    mosaic: float = 0.0
    cache: Kind = "ram"
    folder: Path | None = None


def training_loader(
    records: Sequence[AnnotatedImage],
    pixels: Pixels,
    order: Order,
    options: Training,
    *,
    workers: int,
    max_bad: int,
    on_bad: Callable[[str], None],
) -> ItemLoader:
    """Return a loader of augmented batches.

    A batch is {"images": (N, 3, H, W) uint8, "boxes": N tensors (K, 4) float32 xyxy, "labels": N (K,) int64, "ignored":
    N (I, 4) float32, "mirrored": (N,) bool, "rows": (N,) int64} and, where they are wanted, "masks": N (K, H, W) uint8.

    Args:
        records: all images that the order's indices may refer to.
        pixels: reads the image of a record.
        order: which images are in which batches.
        options: how they are augmented and cached.
        workers, max_bad, on_bad: as in `ItemLoader`.
    """
    read = _ReadTraining(records, training_cache(records, pixels, options), order.indices, options.mosaic)
    collate = functools.partial(_collate_training, order=order, options=options)
    return image_loader(order, read, collate, workers=workers, max_bad=max_bad, on_bad=on_bad)


def training_cache(records: Sequence[AnnotatedImage], pixels: Pixels, options: Training) -> PixelCache:
    """Return the cache of the images of a training, at 1.3 times their size in the canvas, but not enlarged."""
    sizes = [_kept_size((record.height, record.width), options.canvas) for record in records]
    read = functools.partial(_read_shrunk, records=records, pixels=pixels, sizes=sizes)
    return PixelCache(sizes, read, options.cache, options.folder)


def evaluation_loader(
    records: Sequence[AnnotatedImage],
    pixels: Pixels,
    indices: np.ndarray,
    fit_of: Callable[[Size], Fit],
    batch_size: int,
    *,
    cache: Kind = "none",
    folder: Path | None = None,
    shard: Shard = WHOLE,
    workers: int,
    max_bad: int,
    on_bad: Callable[[str], None],
) -> ItemLoader:
    """Return a loader of images as they are, fitted to their canvases; the images of a batch share one.

    A batch is {"images": (N, 3, H, W) uint8, "fits": (N, 6) int64 (`Fit.numbers`), "records": the N `AnnotatedImage`s,
    "rows": (N,) int64}. Each image is in one batch; an unreadable one is left out.

    Args:
        records, pixels: as in `training_loader`.
        indices: (N,) which records.
        fit_of: (height and width of an image) -> how it lies in its canvas (`CanvasPreprocess.fit_of`).
        batch_size: images per batch and process, at most.
        cache, folder: as in `Training`.
        shard: the share of this process.
        workers, max_bad, on_bad: as in `ItemLoader`.
    """
    found = [fit_of((record.height, record.width)) for record in records]
    order = CanvasOrder(indices, [fit.canvas for fit in found], batch_size, shard=shard)
    read_inner = functools.partial(_read_inner, records=records, pixels=pixels, fits=found)
    kept = PixelCache([fit.inner for fit in found], read_inner, cache, folder)
    read = functools.partial(_read_evaluation, records=records, fits=found, cache=kept)
    return image_loader(order, read, _collate_evaluation, workers=workers, max_bad=max_bad, on_bad=on_bad)


def _kept_size(size: Size, canvas: Size) -> Size:
    inner = fit_size(size, max(canvas), canvas).inner
    height, width = (min(whole, round(SPARE * part)) for whole, part in zip(size, inner, strict=True))
    return height, width


def _read_shrunk(row: int, *, records: Sequence[AnnotatedImage], pixels: Pixels, sizes: Sequence[Size]) -> np.ndarray:
    image = pixels(records[row])
    return image if image.shape[:2] == sizes[row] else cv2.resize(image, sizes[row][::-1], interpolation=cv2.INTER_AREA)


def _read_inner(row: int, *, records: Sequence[AnnotatedImage], pixels: Pixels, fits: Sequence[Fit]) -> np.ndarray:
    return resize(pixels(records[row]), fits[row].inner)


@dataclass(frozen=True)
class _ReadTraining:
    """Reads an image for training, or four."""

    records: Sequence[AnnotatedImage]
    cache: PixelCache
    indices: np.ndarray
    mosaic: float

    def __call__(self, index: int, *, seed: int, epoch: int) -> TrainingItem:
        rows = [index, *self._partners(seed)]
        images, records = [self.cache[index]], [self.records[index]]
        for row in rows[1:]:
            try:
                images.append(self.cache[row])
            except DataError:  # reported when it is its turn
                images.append(images[0])
                row = index
            records.append(self.records[row])
        return TrainingItem(index, tuple(images), tuple(records), seed, epoch)

    def _partners(self, seed: int) -> list[int]:
        """Return the rows of the three other images of a mosaic; none for a single image."""
        if not self.mosaic:
            return []
        random = np.random.default_rng([seed, MOSAIC_SALT])
        rows: list[int] = random.choice(self.indices, 3).tolist()
        return rows if random.random() < self.mosaic else []


def _collate_training(items: Sequence[TrainingItem], *, order: Order, options: Training) -> Batch:
    """Return the batch of items, augmented here, since all of a batch need the same canvas."""
    canvas = options.canvas
    if options.multi_scale:
        # Of the first item; one that replaces an unreadable image may name another batch, but one for all.
        number = int(batch_numbers(order, items[0].epoch)[items[0].row])
        canvas = batch_canvas(canvas, order.seed or 0, items[0].epoch, number)
    parts = [_augmented(item, canvas, options) for item in items]
    batch: Batch = {
        "images": stack_images([part.image for part in parts]),
        "boxes": [torch.from_numpy(part.boxes) for part in parts],
        "labels": [torch.from_numpy(part.labels) for part in parts],
        "ignored": [torch.from_numpy(part.ignored) for part in parts],
        "mirrored": torch.tensor([part.is_mirrored for part in parts]),
        "rows": torch.tensor([item.row for item in items], dtype=torch.int64),
    }
    return batch | ({"masks": [torch.from_numpy(part.masks) for part in parts]} if options.with_masks else {})


def _augmented(item: TrainingItem, canvas: Size, options: Training) -> Augmented:
    recipe, with_masks = options.recipe, options.with_masks
    if len(item.images) > 1:
        return mosaic(item.images, item.records, canvas, recipe, item.seed, with_masks=with_masks)
    return augment(item.images[0], item.records[0], canvas, recipe, item.seed, with_masks=with_masks)


class EvaluationItem(NamedTuple):
    """An image in its canvas, (H, W, 3) uint8, how it lies there, its annotations and its row."""

    image: np.ndarray
    fit: Fit
    record: AnnotatedImage
    row: int


def _read_evaluation(
    index: int, *, seed: int, epoch: int, records: Sequence[AnnotatedImage], fits: Sequence[Fit], cache: PixelCache
) -> EvaluationItem:
    del seed, epoch
    fit = fits[index]
    canvas = np.full((*fit.canvas, 3), FILL, np.uint8)
    canvas[: fit.inner[0], : fit.inner[1]] = cache[index]
    return EvaluationItem(canvas, fit, records[index], index)


def _collate_evaluation(items: Sequence[EvaluationItem]) -> Batch:
    return {
        "images": stack_images([item.image for item in items]),
        "fits": torch.tensor([item.fit.numbers for item in items], dtype=torch.int64),
        "records": [item.record for item in items],
        "rows": torch.tensor([item.row for item in items], dtype=torch.int64),
    }
