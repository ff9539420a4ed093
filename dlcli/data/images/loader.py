"""Batches of labelled images, from a packed copy or from files of any size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcli.data.images.augmentation import Augmentation
from dlcli.data.images.decoding import read_image
from dlcli.data.images.items import LIST_THEM, image_loader, stack_images
from dlcli.data.images.packed import Stacked
from dlcli.data.loading import ArrayLoader, Batch, ItemLoader
from dlcli.data.order import Order


def packed_loader(
    images: np.ndarray | Stacked, labels: np.ndarray, order: Order, augmentation: Augmentation | None = None
) -> ArrayLoader:
    """Return a loader of batches from a packed copy, with an augmentation plan in each batch.

    A batch is {"images": (N, C, H, W) uint8, "labels", "rows": (N,) int64, "plan": of `Augmentation.plan`};
    `rows` are the images' indices in the split.

    Args:
        images: (M, H, W, C) uint8, the whole split.
        labels: (M,) class indices.
        order: which images are in which batches.
        augmentation: augmentation to draw plans for; None for empty plans.
    """
    # A view as a plain array: indexing a numpy.memmap creates a new memmap each time.
    pixels = images.view(np.ndarray) if isinstance(images, np.ndarray) else images
    targets = torch.from_numpy(np.ascontiguousarray(labels))

    def fetch(rows: np.ndarray, plan: Mapping[str, Tensor]) -> Batch:
        return {
            "images": torch.from_numpy(pixels[rows]).permute(0, 3, 1, 2),
            "labels": targets[rows],
            "rows": torch.from_numpy(rows),
            "plan": plan,
        }

    def draw(epoch: int, rows: np.ndarray) -> Mapping[str, Tensor]:
        if augmentation is None:
            return {}
        turn = order.is_mirrored(epoch, rows) if augmentation.alternates else None
        return augmentation.plan(len(rows), pixels.shape[1:3], order.random_of(epoch), is_mirrored=turn)

    return ArrayLoader(order, fetch, draw)


class LabelledImage(NamedTuple):
    """An image of the network's size, (H, W, C) uint8, its class index and its index in the split."""

    pixels: np.ndarray
    label: int
    row: int


def file_loader(
    files: Sequence[Path],
    labels: np.ndarray,
    order: Order,
    *,
    channels: int,
    to_size: Callable[[np.ndarray, int], np.ndarray],
    workers: int,
    max_bad: int,
    on_bad: Callable[[str], None],
    alternates: bool = False,
) -> ItemLoader:
    """Return a loader of batches from image files, decoded in worker processes, with the keys of `packed_loader`.

    Args:
        files, labels: the whole split.
        order: which images are in which batches.
        channels: 1 or 3.
        to_size: (image, seed) -> image of the network's size; each item has its own seed.
        workers, max_bad, on_bad: as in `ItemLoader`.
        alternates: mirror each image in every other epoch, according to `Order.is_mirrored`.
    """
    read = functools.partial(
        _read, files=files, labels=labels, channels=channels, to_size=to_size, turns=order if alternates else None
    )
    return image_loader(order, read, _collate, workers=workers, max_bad=max_bad, on_bad=on_bad, hint=LIST_THEM)


def _read(
    index: int,
    *,
    seed: int,
    epoch: int,
    files: Sequence[Path],
    labels: np.ndarray,
    channels: int,
    to_size: Callable[[np.ndarray, int], np.ndarray],
    turns: Order | None,
) -> LabelledImage:
    pixels = to_size(read_image(files[index], channels=channels), seed)
    if turns is not None and turns.is_mirrored(epoch, np.array([index]))[0]:
        pixels = pixels[:, ::-1]
    return LabelledImage(np.ascontiguousarray(pixels), int(labels[index]), index)


def _collate(items: Sequence[LabelledImage]) -> dict[str, Any]:
    return {
        "images": stack_images([item.pixels for item in items]),
        "labels": torch.tensor([item.label for item in items], dtype=torch.int64),
        "rows": torch.tensor([item.row for item in items], dtype=torch.int64),
        "plan": {},
    }
