"""Label maps of annotated images, and training batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import VOID, AnnotatedImage
from dlcli.data.annotated.augmenting import Recipe, recipe_of
from dlcli.data.annotated.fitting import Size
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.label_maps import MAX_CLASSES, augment_label_map, draw_label_map_of, renumbered
from dlcli.data.annotated.loader import training_cache
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.images.cache import PixelCache
from dlcli.data.images.items import image_loader, stack_images
from dlcli.data.loading import Batch, ItemLoader
from dlcli.data.order import WHOLE, Shard
from dlcli.tasks.annotated.source import AnnotatedSource


@dataclass(frozen=True)
class ReadTruth:
    """Reads the label map of a record in a run's classes, (H, W) uint8; picklable."""

    form: AnnotatedForm
    to_run: tuple[int, ...]

    def __call__(self, record: AnnotatedImage) -> np.ndarray:
        """Return the map: its file's, else that of the objects' masks.

        Raises:
            DataError: the file cannot be read.
        """
        if record.label_map:
            return renumbered(self.form.read_label_map(record), self.to_run)
        return draw_label_map_of(record)


def has_truth(form: AnnotatedForm, record: AnnotatedImage) -> bool:
    """Return whether an image's pixels are labelled: by a file where the data has some, else by masks."""
    return bool(record.label_map) if form.has("label_maps") else True


def require_maps(form: AnnotatedForm) -> None:
    """Check that the data says what its pixels show.

    Raises:
        DataError: it has neither label maps nor masks, or more classes than a byte can count.
    """
    if not (form.has("label_maps") or form.has("masks")):
        raise DataError(
            f"{form.root}: no image has a mask or a label map",
            details=[note for note in form.card.warnings if note.startswith("label maps")][:2],
            hint="the task `detection` learns from boxes, `multilabel` from the classes of images",
        )
    if len(form.card.classes) > MAX_CLASSES:
        raise DataError(
            f"{form.root}: {len(form.card.classes)} classes, and a label map holds {MAX_CLASSES}",
            hint="leave out the rare ones",
        )


def require_classes(source: AnnotatedSource, truth: ReadTruth) -> None:
    """Check that a pixel of a training image shows a class; mostly, the first image does.

    Raises:
        DataError: all pixels are background or void.
    """
    records, indices = source.part("train")
    num_read = 0
    for row in indices.tolist():
        try:
            values = truth(records[row])
        except DataError:  # the loader reports it
            continue
        if ((values > 0) & (values != VOID)).any():
            return
        num_read += 1
    if num_read:
        raise DataError(
            f"{source.form.root}: no pixel of a training image shows a class",
            details=[f"{num_read:,} label maps are background (0) or void ({VOID}) throughout"],
            hint="a label map holds the number of a class, from 1 on, in each of its pixels",
        )


def map_loader(
    source: AnnotatedSource, preprocess: CanvasPreprocess, augment: str, truth: ReadTruth, shard: Shard = WHOLE
) -> ItemLoader:
    """Return the loader of augmented training batches.

    A batch is {"images": (N, 3, H, W) uint8, "label_maps": (N, H, W) uint8, "rows": (N,) int64}.
    """
    records, order, options = source.training(preprocess, recipe_of(augment, source.labels), shard)
    cache = training_cache(records, source.form.read, options)
    read = _ReadMaps(records, cache, truth, options.canvas, options.recipe)
    return image_loader(order, read, _collate, **source.reading)


@dataclass(frozen=True)
class _ReadMaps:
    """See `dlcli.data.loading.Read`: a canvas (H, W, 3), its label map (H, W), and its row."""

    records: Sequence[AnnotatedImage]
    cache: PixelCache
    truth: ReadTruth
    canvas: Size
    recipe: Recipe

    def __call__(self, index: int, *, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray, int]:
        del epoch
        image, label_map = self.cache[index], self.truth(self.records[index])
        return (*augment_label_map(image, label_map, self.canvas, self.recipe, seed), index)


def _collate(items: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> Batch:
    images, label_maps, rows = zip(*items, strict=True)
    return {
        "images": stack_images(images),
        "label_maps": torch.from_numpy(np.stack(label_maps)),
        "rows": torch.tensor(rows, dtype=torch.int64),
    }


def class_pixels(source: AnnotatedSource, truth: ReadTruth, most: int | None = None) -> np.ndarray:
    """Return the pixels of each class in each training image, (I, C + 1) int64, the background first.

    Images whose label map cannot be read are left out.

    Args:
        source: the images.
        truth: reads a label map.
        most: with more images than this, so many evenly among them are counted; None for all.
    """
    records, indices = source.part("train")
    if most is not None and len(indices) > most:
        indices = indices[np.linspace(0, len(indices) - 1, most).astype(int)]
    rows = []
    for row in indices.tolist():
        try:
            values = truth(records[row])
        except DataError:
            continue
        rows.append(np.bincount(values.ravel(), minlength=256)[: len(source.labels) + 1])
    return np.array(rows, np.int64).reshape(-1, len(source.labels) + 1)
