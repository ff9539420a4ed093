"""Batches of images of two domains: random crops for training, the middle of each image for evaluation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from dlcli.core.errors import DataError
from dlcli.data.domains.form import DomainsForm
from dlcli.data.domains.order import DomainOrder
from dlcli.data.images.cache import Kind, PixelCache
from dlcli.data.images.decoding import resize_image
from dlcli.data.images.items import image_loader, stack_images
from dlcli.data.images.operations.geometry import Size
from dlcli.data.images.probing import probe_image
from dlcli.data.loading import Batch, ItemLoader
from dlcli.data.order import WHOLE, Order, Shard

LOADED = 286 / 256
"""The shorter side of a training image in multiples of the crop's. Source: Zhu et al. 2017, the official script."""

MAX_RATIO = 8
"""Of the sides of a training image; of a longer one the middle counts, since its strip would fill the memory."""

OnBad = Callable[[str], None]
"""Called with the reason once for each unreadable image; see `ItemLoader`."""


def ignore(reason: str) -> None:
    """Do nothing about an unreadable image."""
    del reason


def training_loader(
    form: DomainsForm,
    *,
    size: int,
    batch_size: int,
    seed: int,
    shard: Shard = WHOLE,
    paired: bool = False,
    load_size: int | None = None,
    flip: bool = True,
    cache: Kind = "ram",
    folder: Path | None = None,
    workers: int = 0,
    max_bad: int = 0,
    on_bad: OnBad = ignore,
) -> ItemLoader:
    """Return a loader of random crops, whose batches have `images_a` and `images_b`, (N, 3, size, size) uint8.

    `DomainOrder` says which images meet. Each is scaled until its shorter side has `load_size` pixels, cropped at
    random and mirrored half of the time, as a function of (seed, epoch, item); the two images of a pair alike.

    Args:
        form: the images.
        size: side of the crops in pixels.
        batch_size: items per process.
        seed: of order, partners and crops.
        shard: the share of this process.
        paired: whether both images of an item show the same scene.
        load_size: shorter side before the crop, at least `size`; None for 286/256 of it.
        flip: whether images are mirrored.
        cache, folder: where decoded images are kept at that size, as in `PixelCache`.
        workers, max_bad, on_bad: as in `ItemLoader`.

    Raises:
        DataError: pairs are wanted of unpaired data.
    """
    if paired and not form.is_paired:
        raise DataError(
            f"{form.root}: its images are not in pairs",
            hint="`dl prepare pairs` reads images that lie side by side, or two folders of equal names",
        )
    files = (form.files("train", 0), form.files("train", 1))
    side = max(size, round(size * LOADED) if load_size is None else load_size)
    first = _kept_sizes(form, files[0], side)
    caches = [
        PixelCache(sizes, functools.partial(_read_kept, form=form, files=of, sizes=sizes), cache, folder)
        for of, sizes in zip(files, (first, first if paired else _kept_sizes(form, files[1], side)), strict=True)
    ]
    order = DomainOrder((len(files[0]), len(files[1])), batch_size, seed=seed, paired=paired, shard=shard)
    read = _ReadCrops(caches[0], caches[1], order, size, flip, paired)
    return image_loader(order, read, _collate_crops, workers=workers, max_bad=max_bad, on_bad=on_bad)


def evaluation_loader(
    form: DomainsForm,
    split: str,
    domain: int,
    *,
    size: int,
    batch_size: int,
    shard: Shard = WHOLE,
    workers: int = 0,
    max_bad: int = 0,
    on_bad: OnBad = ignore,
) -> ItemLoader:
    """Return a loader of each image of a domain, once and in order; an unreadable one is left out.

    A batch is {"images": (N, 3, size, size) uint8, "rows": (N,) int64, the images' places in `form.files`}, and of
    paired data also "targets", the other halves, of the shape of `images`. The shorter side is scaled to `size`, and
    the middle is cropped.

    Args:
        form: the images.
        split: "train" or "test".
        domain: 0 or 1, that of `images`.
        size: side of the images in pixels.
        batch_size: images per process.
        shard: the share of this process.
        workers, max_bad, on_bad: as in `ItemLoader`.

    Raises:
        DataError: there is no such split.
    """
    files = form.files(split, domain)
    targets = form.files(split, 1 - domain) if form.is_paired else None
    read = functools.partial(_read_middle, form=form, files=files, targets=targets, size=size)
    order = Order(np.arange(len(files)), batch_size, seed=None, shard=shard)
    return image_loader(order, read, _collate_middles, workers=workers, max_bad=max_bad, on_bad=on_bad)


def _kept_sizes(form: DomainsForm, files: Sequence[Path], side: int) -> list[Size]:
    """Return the sizes of images whose shorter side is scaled; of an unreadable one any size."""
    known = form.card.details.get("image_size")
    if known is not None:
        return [kept_size((known[0], known[1]), side)] * len(files)
    sizes = []
    for file in files:
        try:
            found = probe_image(file, with_digest=False)
            sizes.append(kept_size((found.height, found.width), side))
        except DataError:  # reported when it is read
            sizes.append((side, side))
    return sizes


def kept_size(size: Size, side: int) -> Size:
    """Return the size of an image whose shorter side is scaled to `side` and whose longer side is cut at 8 times it."""
    shorter = min(size)
    height, width = (min(round(length * side / shorter), MAX_RATIO * side) for length in size)
    return height, width


def scale(image: np.ndarray, size: Size) -> np.ndarray:
    """Return an image scaled to a size of nearly its ratio, (H, W, 3) uint8; of a longer one the middle.

    Shrinking averages areas; enlarging is bicubic, as in the official script, and sharper than bilinear.
    """
    height, width = image.shape[:2]
    factor = max(size[0] / height, size[1] / width)
    rows, columns = (min(round(length / factor), whole) for length, whole in zip(size, (height, width), strict=True))
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = image[top : top + max(rows, 1), left : left + max(columns, 1)]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return middle if middle.shape[:2] == size else cv2.resize(middle, size[::-1], interpolation=method)


def _read_kept(row: int, *, form: DomainsForm, files: Sequence[Path], sizes: Sequence[Size]) -> np.ndarray:
    return scale(form.read(files[row]), sizes[row])


@dataclass(frozen=True)
class _ReadCrops:
    """See `dlcli.data.loading.Read`: a crop of each domain, (S, S, 3) uint8."""

    first: PixelCache
    second: PixelCache
    order: DomainOrder
    size: int
    flip: bool
    paired: bool

    def __call__(self, index: int, *, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        row, partner = self.order.rows(epoch)[index].tolist()
        numbers = np.random.default_rng(seed).random((2, 3))
        if self.paired:
            numbers[1] = numbers[0]
        return self._crop(self.first[row], numbers[0]), self._crop(self.second[partner], numbers[1])

    def _crop(self, image: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the square at a random place, by numbers in [0, 1): of its top, its left side and its flip."""
        top, left = (
            int(share * (length - self.size + 1)) for share, length in zip(numbers[:2], image.shape[:2], strict=True)
        )
        crop = image[top : top + self.size, left : left + self.size]
        return crop[:, ::-1] if self.flip and numbers[2] < 0.5 else crop


def _collate_crops(items: Sequence[tuple[np.ndarray, np.ndarray]]) -> Batch:
    first, second = zip(*items, strict=True)
    return {"images_a": stack_images(first), "images_b": stack_images(second)}


def _read_middle(
    index: int,
    *,
    seed: int,
    epoch: int,
    form: DomainsForm,
    files: Sequence[Path],
    targets: Sequence[Path] | None,
    size: int,
) -> tuple[int, list[np.ndarray]]:
    """Return the row, and the middle of the image and, of pairs, that of its other half."""
    del seed, epoch
    wanted = [files[index], *([targets[index]] if targets is not None else [])]
    return index, [resize_image(form.read(file), size) for file in wanted]


def _collate_middles(items: Sequence[tuple[int, list[np.ndarray]]]) -> Batch:
    rows, images = zip(*items, strict=True)
    names = ("images", "targets")
    batch: Batch = {name: stack_images(of) for name, of in zip(names, zip(*images, strict=True), strict=False)}
    return {**batch, "rows": torch.tensor(rows, dtype=torch.int64)}
