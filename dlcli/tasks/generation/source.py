"""The images of a generator's training with the noise that accompanies them, and those that it is compared with."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, unreadable_notes
from dlcli.data.images.decoding import read_image, resize_image
from dlcli.data.images.form import ImagesForm
from dlcli.data.images.items import LIST_THEM, image_loader, stack_images
from dlcli.data.labels import indices_in_run
from dlcli.data.loading import ArrayLoader, Batch, ItemLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import ALL, part
from dlcli.tasks.generation.sampling import Sampling, draw_noise, spread

MAX_COMPARED = 2000
"""Images of a split that an evaluation compares, evenly spaced; a distance of features hardly moves beyond."""

EVAL_BATCH = 256

MIN_IMAGES = 2
"""A critic learns a single image by heart, and batch norm has no variance over it."""


class ImageSource:
    """Prepared images of one size, and for a conditional run their classes.

    Args:
        form: the prepared images.
        labels: the run's class names; empty for an unconditional run.
        sampling: the shapes of noise and images.
        train: the options of the loop.
        max_bad: reading stops when more images than this are unreadable.

    Raises:
        DataError: the data has a class that the run does not.
    """

    def __init__(
        self, form: ImagesForm, labels: tuple[str, ...], sampling: Sampling, train: TrainConfig, max_bad: int
    ) -> None:
        self.form = form
        self.sampling = sampling
        self._to_run = indices_in_run(form.card.classes, labels, form.root) if labels else None
        self._train = train
        self._max_bad = max_bad
        self._is_packed = form.card.details["channels"] == sampling.channels and all(
            form.packed(split) is not None for split in form.splits()
        )
        self.bad_files: list[str] = []

    @property
    def card(self) -> Card:
        """The data's card, with the unreadable files found so far among its warnings."""
        card = self.form.card
        return dataclasses.replace(card, warnings=(*card.warnings, *unreadable_notes(self.bad_files, "images")))

    def part(self, split: str) -> tuple[str, np.ndarray]:
        """Return the folder from which a split is read, and the indices in it; see `dlcli.data.parts.part`."""
        return part(split, self.form.splits(), self._train, self.labels, root=self.form.root)

    def labels(self, folder: str) -> np.ndarray:
        """Return the data's class index of each image of a split, or of all splits, (N,) int64."""
        return np.concatenate([self.form.labels(own) for own in self._own(folder)])

    def loader(self, split: str, *, training: bool, shard: Shard = WHOLE) -> ArrayLoader | ItemLoader:
        """Return the loader of a process's share of a split, shuffled if `training`.

        A batch has `images` (N, C, H, W) uint8, `noise` (N, latent) float32, `rows` (N,) int64, of a conditional run
        `classes` (N,) int64, and for training `mix` (N,) float32 in [0, 1]. The noise of an item is a function of
        (seed, epoch, item) in training, and of its row in evaluation. A validation part is empty: no metric compares
        epochs.

        Raises:
            DataError: there is no such split.
        """
        folder, indices = self.part("train" if split == "valid" else split)
        if split == "valid":
            indices = indices[:0]
        if not training:
            indices = spread(indices, MAX_COMPARED)
        return self._open(folder, indices, training=training, shard=shard)

    def images(self, split: str, count: int) -> np.ndarray:
        """Return up to `count` images of a split, evenly spaced, (N, C, H, W) uint8; unreadable ones are left out."""
        folder, indices = self.part(split)
        batches = self._open(folder, spread(indices, count), training=False, shard=WHOLE).batches()
        shape = (0, self.sampling.channels, self.sampling.size, self.sampling.size)
        return np.concatenate([np.zeros(shape, np.uint8), *(batch["images"].numpy() for batch in batches)])

    def _open(self, folder: str, indices: np.ndarray, *, training: bool, shard: Shard) -> ArrayLoader | ItemLoader:
        batch_size = self._train.batch_size if training else EVAL_BATCH
        order = Order(indices, batch_size, seed=self._train.seed if training else None, shard=shard)
        classes = None if self._to_run is None else self._to_run[self.labels(folder)]
        if self._is_packed:
            parts = [self.form.packed(own) for own in self._own(folder)]
            pixels = [each.view(np.ndarray) for own in parts if own is not None for each in own.parts]
            return self._packed_loader(pixels, classes, order)
        read = functools.partial(
            _read,
            files=[file for own in self._own(folder) for file in self.form.files(own)],
            classes=classes,
            sampling=self.sampling,
            is_training=training,
        )
        return image_loader(
            order,
            read,
            _collate,
            workers=self._workers(len(indices)),
            max_bad=self._max_bad,
            on_bad=self.bad_files.append,
            hint=LIST_THEM,
        )

    def _packed_loader(self, pixels: Sequence[np.ndarray], classes: np.ndarray | None, order: Order) -> ArrayLoader:
        starts = np.cumsum([0, *(len(part) for part in pixels)])
        latent, size = self.sampling.latent, self.sampling.size
        is_whole = len(pixels) == 1 and pixels[0].shape[1:3] == (size, size)

        def image_at(row: int) -> np.ndarray:
            own = int(np.searchsorted(starts, row, side="right")) - 1
            return resize_image(pixels[own][row - starts[own]], size)

        def fetch(rows: np.ndarray, drawn: Mapping[str, Any]) -> Batch:
            images = pixels[0][rows] if is_whole else np.stack([image_at(row) for row in rows.tolist()])
            if not drawn:
                drawn = {"noise": draw_noise(0, rows.tolist(), latent)}
            batch = {"images": images.transpose(0, 3, 1, 2), "rows": rows, **drawn}
            if classes is not None:
                batch["classes"] = classes[rows]
            return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in batch.items()}

        def draw(epoch: int, rows: np.ndarray) -> Mapping[str, Any]:
            random = order.random_of(epoch)
            noise = random.standard_normal((len(rows), latent), dtype=np.float32)
            return {"noise": noise, "mix": random.random(len(rows), dtype=np.float32)}

        return ArrayLoader(order, fetch, draw if order.seed is not None else None)

    def _own(self, folder: str) -> tuple[str, ...]:
        return self.form.splits() if folder == ALL else (folder,)

    def _workers(self, count: int) -> int:
        if self._train.workers is not None:
            return self._train.workers
        return min(usable_cores(), 8) if count > 256 else 0  # a worker takes longer to start than 256 images


def require_images(source: ImageSource) -> None:
    """Check that there are enough training images.

    Raises:
        DataError: there are not.
    """
    count = len(source.part("train")[1])
    if count < MIN_IMAGES:
        raise DataError(
            f"{source.form.root}: {count} training image{'' if count == 1 else 's'}, and a critic needs two or more",
            hint="add images to train/, or lower --val-fraction",
        )


class _Item(NamedTuple):
    """An image (H, W, C) uint8 with its noise, its class (None without) and its row."""

    pixels: np.ndarray
    noise: np.ndarray
    mix: float | None
    label: int | None
    row: int


def _read(
    index: int,
    *,
    seed: int,
    epoch: int,
    files: Sequence[Path],
    classes: np.ndarray | None,
    sampling: Sampling,
    is_training: bool,
) -> _Item:
    del epoch
    pixels = resize_image(read_image(files[index], channels=sampling.channels), sampling.size)
    label = None if classes is None else int(classes[index])
    if not is_training:
        return _Item(pixels, draw_noise(0, [index], sampling.latent)[0], None, label, index)
    random = np.random.default_rng(seed)
    noise = random.standard_normal(sampling.latent, dtype=np.float32)
    return _Item(pixels, noise, float(random.random(dtype=np.float32)), label, index)


def _collate(items: Sequence[_Item]) -> Batch:
    batch = {
        "images": stack_images([item.pixels for item in items]),
        "rows": torch.tensor([item.row for item in items], dtype=torch.int64),
        "noise": torch.from_numpy(np.stack([item.noise for item in items])),
    }
    if items[0].mix is not None:
        batch["mix"] = torch.tensor([item.mix for item in items], dtype=torch.float32)
    if items[0].label is not None:
        batch["classes"] = torch.tensor([item.label for item in items], dtype=torch.int64)
    return batch
