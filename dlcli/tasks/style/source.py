"""The images of two domains for a translation: loaders, some images, samples for an export."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, unreadable_notes
from dlcli.data.domains.form import DomainsForm
from dlcli.data.domains.loader import evaluation_loader, scale, training_loader
from dlcli.data.images.decoding import resize_image
from dlcli.data.loading import Batch, ItemLoader
from dlcli.data.order import WHOLE, Shard
from dlcli.tasks.style.config import StyleConfig

EVAL_PIXELS = 2**18
"""Of the images of a batch in evaluation: 16 of 128 x 128, or one of 512 x 512."""

EXPORT_BATCHES = (1, 3, 2)
"""Batch sizes of the samples by which an export is proven; a generator takes a second for some of them."""


class BothDomains:
    """The images of one domain and then of the other; see `dlcli.engine.task.Loader`.

    A batch has the `domains` of its images besides, (N,) int64: 0 or 1, equal in a batch.
    """

    def __init__(self, loaders: Sequence[ItemLoader]) -> None:
        self._loaders = loaders

    @property
    def num_items(self) -> int:
        """The number of images of both."""
        return sum(loader.num_items for loader in self._loaders)

    def __len__(self) -> int:
        """Return the number of batches."""
        return sum(map(len, self._loaders))

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches from the one numbered `start` on."""
        for domain, loader in enumerate(self._loaders):
            if start < len(loader):
                for batch in loader.batches(epoch, start):
                    yield {**batch, "domains": torch.full((len(batch["images"]),), domain)}
            start = max(0, start - len(loader))


class StyleSource:
    """The images of two domains.

    Args:
        form: the images.
        config: the options of the task.
        train: the options of the loop.
    """

    def __init__(self, form: DomainsForm, config: StyleConfig, train: TrainConfig) -> None:
        self.form = form
        self._config = config
        self._train = train
        self.bad_files: list[str] = []

    @property
    def card(self) -> Card:
        """The data's card, with the unreadable files found so far among its warnings."""
        warnings = (*self.form.card.warnings, *unreadable_notes(self.bad_files, "images"))
        return dataclasses.replace(self.form.card, warnings=warnings)

    @property
    def _reading(self) -> dict[str, Any]:
        workers = self._train.workers
        if workers is None:
            workers = 0 if self._config.cache == "ram" else min(usable_cores(), 8)
        return {"workers": workers, "max_bad": self._config.max_bad, "on_bad": self.bad_files.append}

    def training(self, *, paired: bool, shard: Shard = WHOLE) -> ItemLoader:
        """Return the loader of a process's share of the training images; see `training_loader`.

        Raises:
            DataError: pairs are wanted of unpaired data.
        """
        # Nothing is written into a user's own folder.
        folder = self.form.root / "cache" if self.form.is_prepared else Path(tempfile.gettempdir())
        return training_loader(
            self.form,
            size=self._config.image_size,
            batch_size=self._train.batch_size,
            seed=self._train.seed,
            shard=shard,
            paired=paired,
            load_size=self._config.load_size,
            flip=self._config.flip,
            cache=self._config.cache,  # type: ignore[arg-type]
            folder=folder,
            **self._reading,
        )

    def evaluation(self, split: str, size: int, shard: Shard = WHOLE) -> BothDomains:
        """Return the loader of a process's share of both domains; it is empty for valid, a part that there is none of.

        Args:
            split: train, valid or test.
            size: side of the images in pixels.
            shard: the share of this process.

        Raises:
            DataError: there is no such split.
        """
        if split == "valid":
            return BothDomains([])
        return BothDomains([self.one_domain(split, domain, size, shard) for domain in (0, 1)])

    def one_domain(self, split: str, domain: int, size: int, shard: Shard = WHOLE) -> ItemLoader:
        """Return the loader of a process's share of one domain; see `evaluation_loader`."""
        batch_size = max(1, EVAL_PIXELS // size**2)
        return evaluation_loader(
            self.form, split, domain, size=size, batch_size=batch_size, shard=shard, **self._reading
        )

    @property
    def shown_split(self) -> str:
        """The split whose images are shown: test, if there is one."""
        return "test" if "test" in self.form.splits() else "train"

    def some(self, split: str, domain: int, count: int) -> list[tuple[int, np.ndarray]]:
        """Return up to `count` images of a domain, evenly spaced, each with its row, (H, W, 3) uint8.

        Unreadable ones are left out.
        """
        files, found = self.form.files(split, domain), []
        rows = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).astype(int))
        for row in rows.tolist():
            try:
                found.append((row, self.form.read(files[row])))
            except DataError:
                continue
        return found

    def squares(self, split: str, domain: int, count: int) -> list[tuple[int, np.ndarray]]:
        """Return up to `count` images of a domain as `some`, each the middle at the size of the training images."""
        return [(row, resize_image(image, self._config.image_size)) for row, image in self.some(split, domain, count)]

    def export_samples(self, domain: int, stride: int) -> list[np.ndarray]:
        """Return batches of real images, (N, 3, H, W) uint8, of several sizes that the network takes.

        Raises:
            DataError: no image can be read.
        """
        images = [image for _, image in self.some(self.shown_split, domain, sum(EXPORT_BATCHES))]
        if not images:
            raise DataError(f"{self.form.root}: no image of {self.shown_split} can be read")
        samples, first = [], 0
        for count, size in zip(EXPORT_BATCHES, export_sizes(self._config.image_size, stride), strict=True):
            chosen = [images[row % len(images)] for row in range(first, first + count)]
            samples.append(np.stack([scale(image, size) for image in chosen]).transpose(0, 3, 1, 2).copy())
            first += count
        return samples


def export_sizes(size: int, stride: int) -> list[tuple[int, int]]:
    """Return three heights and widths, near that of the training images, by which an export is proven.

    torch.export takes a size of one stride for a constant.
    """
    side = max(size, 2 * stride)
    return [(side, side), (side + stride, side), (side, side + 2 * stride)]
