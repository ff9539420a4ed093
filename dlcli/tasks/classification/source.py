"""The images of a classification task: splits, loaders, and augmented samples."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, unreadable_notes
from dlcli.data.distinct import part_of_distinct
from dlcli.data.images.augmentation import Augmentation
from dlcli.data.images.copies import first_copies, may_have_copies
from dlcli.data.images.decoding import read_image
from dlcli.data.images.form import ImagesForm
from dlcli.data.images.loader import file_loader, packed_loader
from dlcli.data.images.packed import Stacked, is_packable
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.items import Item
from dlcli.data.labels import balanced_weights, indices_in_run
from dlcli.data.loading import ArrayLoader, ItemLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import ALL
from dlcli.tasks.classes.options import SAMPLE
from dlcli.tasks.classification.augmenting import alternates, batch_augmentation, centre_crop, file_augmentation
from dlcli.tasks.classification.config import ClassificationConfig

EVAL_BATCH = 256
"""Images per batch in evaluation: enough to keep two cores or a GPU busy at 32 pixels."""


class ImageSource:
    """Prepared images, labelled by a run's class indices.

    Args:
        form: the prepared images.
        labels: the run's class names in the run's order; the form's classes are matched to them by name.
        preprocess: the format of the network's input.
        config, train: the options of the task and of the loop.

    Raises:
        DataError: the data has a class that the run does not.
    """

    def __init__(
        self,
        form: ImagesForm,
        labels: tuple[str, ...],
        preprocess: Preprocess,
        config: ClassificationConfig,
        train: TrainConfig,
    ) -> None:
        self.form = form
        self._to_run = indices_in_run(form.card.classes, labels, form.root)
        self._num_classes = len(labels)
        self._preprocess = preprocess
        self._config = config
        self._train = train
        size, channels = form.card.details.get("image_size"), form.card.details["channels"]
        fits = size is not None and (*size, channels) == (preprocess.height, preprocess.width, preprocess.channels)
        self._is_small = fits and is_packable(form.card)
        first = "train" if "train" in form.splits() else form.splits()[0]
        self._is_packed = self._is_small and form.packed(first) is not None
        self.bad_files: list[str] = []
        self._copies: dict[str, np.ndarray] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self._preprocess.height, self._preprocess.width

    @property
    def card(self) -> Card:
        """The data's card, with the unreadable files found so far among its warnings."""
        card = self.form.card
        warnings = (*card.warnings, *unreadable_notes(self.bad_files, "images"))
        return dataclasses.replace(card, warnings=warnings)

    @property
    def augmentation(self) -> Augmentation | None:
        """The augmentation of packed batches on the device; None for large images, augmented as they are decoded."""
        return batch_augmentation(self._config, self.size) if self._is_packed else None

    @property
    def augment(self) -> str:
        """The option of that name."""
        return self._config.augment

    def _part(self, split: str) -> tuple[str, np.ndarray]:
        """Return the folder from which a split is read, and the indices in it; see `part_of_distinct`."""
        if self._train.fold is None:
            self.form.require(split)
        where = (split, self.form.splits(), self._train, self._labels)
        return part_of_distinct(*where, self._first_copies, root=self.form.root)

    def _first_copies(self, folder: str) -> np.ndarray:
        """Return for each image of a split, or of all splits, the index of its first copy, (N,) int64."""
        if folder not in self._copies:
            files = self._files(folder)
            self._copies[folder] = first_copies(files) if may_have_copies(self.form) else np.arange(len(files))
        return self._copies[folder]

    def class_weights(self) -> np.ndarray:
        """Return (C,) float32 weights, inverse to the class frequencies in training, with mean 1 over its images."""
        folder, indices = self._part("train")
        return balanced_weights(self._labels(folder)[indices], self._num_classes)

    def loader(self, split: str, *, training: bool, shard: Shard = WHOLE) -> ArrayLoader | ItemLoader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no such split.
        """
        folder, indices = self._part(split)
        batch_size = self._train.batch_size if training else min(EVAL_BATCH, max(32, self._train.batch_size))
        classes = self._labels(folder) if training and self._config.class_weights == SAMPLE else None
        seed = self._train.seed if training else None
        order = Order(indices, batch_size, seed=seed, shard=shard, classes=classes)
        return self._open(folder, order, is_augmented=training)

    def _open(self, folder: str, order: Order, *, is_augmented: bool) -> ArrayLoader | ItemLoader:
        labels = self._labels(folder)
        if self._is_packed:
            images = self._packed(folder)
            if images is not None:
                return packed_loader(images, labels, order, self.augmentation if is_augmented else None)
        fit = functools.partial(centre_crop, self._preprocess)
        return file_loader(
            self._files(folder),
            labels,
            order,
            channels=self._preprocess.channels,
            to_size=file_augmentation(self._config, self._preprocess, is_small=self._is_small) if is_augmented else fit,
            workers=self._workers(len(order.indices)),
            max_bad=self._config.max_bad,
            on_bad=self.bad_files.append,
            alternates=is_augmented and alternates(self._config),
        )

    def _own(self, folder: str) -> tuple[str, ...]:
        return self.form.splits() if folder == ALL else (folder,)

    def _labels(self, folder: str) -> np.ndarray:
        """Return the run's class index of each image of a split, or of all splits, (N,) int64."""
        return np.concatenate([self._to_run[self.form.labels(own)] for own in self._own(folder)])

    def _files(self, folder: str) -> list[Path]:
        return [file for own in self._own(folder) for file in self.form.files(own)]

    def _packed(self, folder: str) -> np.ndarray | Stacked | None:
        parts = [self.form.packed(own) for own in self._own(folder)]
        if any(part is None for part in parts):
            return None
        images = [each for part in parts if part is not None for each in part.parts]
        return images[0] if len(images) == 1 else Stacked(images)

    def plain_batches(self, split: str, count: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the images of a split in batches, (N, C, H, W) uint8, and their class indices, (N,) int64.

        Nothing is augmented, and unreadable images are left out.

        Args:
            split: the split.
            count: at most this many images, evenly spaced; None for all.
        """
        folder, indices = self._part(split)
        if count is not None:
            indices = indices[np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)]
        for batch in self._open(folder, Order(indices, EVAL_BATCH, seed=None), is_augmented=False).batches():
            yield batch["images"], batch["labels"]

    def plain_training(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return up to `count` training images at once; see `plain_batches`."""
        batches = list(self.plain_batches("train", count))
        empty = torch.zeros((0, self._preprocess.channels, self._preprocess.height, self._preprocess.width))
        images = torch.cat([empty.to(torch.uint8), *(images for images, _ in batches)])
        return images, torch.cat([torch.zeros(0, dtype=torch.int64), *(labels for _, labels in batches)])

    def _workers(self, count: int) -> int:
        if self._train.workers is not None:
            return self._train.workers
        return min(usable_cores(), 8) if count > 256 else 0  # a worker takes longer to start than 256 images

    def augmented(self, count: int) -> np.ndarray:
        """Return up to `count` augmented training images of the first batch, (N, H, W, C) uint8."""
        batch = next(iter(self.loader("train", training=True).batches()))
        images, plan = batch["images"], batch["plan"]
        if self.augmentation is not None:
            images = self.augmentation.apply(images, plan)
        return np.ascontiguousarray(images[:count].permute(0, 2, 3, 1).numpy())

    def examples(self, count: int) -> dict[int, int]:
        """Return the row and the class index of up to `count` training images, of as many classes as there are.

        Unreadable ones are left out.
        """
        folder, indices = self._part("train")
        labels = self._labels(folder)[indices]
        by_class = np.argsort(labels, kind="stable")
        in_class = np.arange(len(labels)) - np.searchsorted(labels[by_class], labels[by_class])
        ranked = by_class[np.argsort(in_class, kind="stable")]
        of_row = dict(zip(indices[ranked].tolist(), labels[ranked].tolist(), strict=True))
        chosen = sorted(itertools.islice(self._readable(folder, of_row), count))
        return dict(sorted(((row, of_row[row]) for row in chosen), key=lambda pair: pair[1]))

    def _readable(self, folder: str, rows: Iterable[int]) -> Iterator[int]:
        """Yield the rows of a split whose images can be read."""
        files = self._files(folder)
        for row in rows:
            try:
                if not self._is_packed:  # else all have been read
                    self._read(files[row])
            except DataError:
                continue
            yield row

    def versions(self, rows: Sequence[int], count: int, augment: str | None = None) -> list[list[np.ndarray]]:
        """Return training images as `count` epochs would show them: for each row a list of (H, W, C) uint8.

        Args:
            rows: their row numbers in the training split, each once.
            count: number of epochs.
            augment: in place of the option of that name.
        """
        source = copy.copy(self)
        source._config = dataclasses.replace(self._config, augment=augment or self._config.augment)
        order = Order(np.array(rows), len(rows), seed=self._train.seed)
        loader, augmentation = source._open(self._part("train")[0], order, is_augmented=True), source.augmentation
        seen: dict[int, list[np.ndarray]] = {row: [] for row in rows}
        for batch in (batch for epoch in range(count) for batch in loader.batches(epoch)):
            images = batch["images"] if augmentation is None else augmentation.apply(batch["images"], batch["plan"])
            for row, image in zip(batch["rows"].tolist(), images.permute(0, 2, 3, 1).numpy(), strict=True):
                seen[row].append(image)
        return list(seen.values())

    def some_images(self, count: int) -> np.ndarray:
        """Return `count` images, evenly spaced and not augmented, (N, C, H, W) uint8: of test, else of another split.

        In place of an unreadable one stands the next that can be read. None are returned if no image can be.
        """
        for folder in sorted(self.form.splits(), key=lambda name: name != "test"):
            files = self.form.files(folder)
            chosen = np.linspace(0, max(len(files) - 1, 0), count).astype(int).tolist()
            images = self._from_rows(files, chosen)
            if images:
                return np.stack(images).transpose(0, 3, 1, 2)
        return np.zeros((0, self._preprocess.channels, *self.size), np.uint8)

    def _from_rows(self, files: Sequence[Path], rows: Sequence[int]) -> list[np.ndarray]:
        """Return an image (H, W, C) uint8 for each row, that of the next readable file; none if no file can be read."""
        images: list[np.ndarray] = []
        bad: set[int] = set()
        for row in rows:
            for place in ((row + step) % len(files) for step in range(len(files))):
                if place in bad:
                    continue
                try:
                    images.append(self._read(files[place]))
                    break
                except DataError:
                    bad.add(place)
        return images

    def _read(self, file: Path) -> np.ndarray:
        return self._preprocess.fit(read_image(file, channels=self._preprocess.channels))

    def some_validation(self, count: int) -> tuple[list[np.ndarray], list[int]]:
        """Return up to `count` validation images, evenly spaced, each (H, W, C) uint8, and their class indices.

        Unreadable ones are left out, and all if there is no validation part.
        """
        try:
            folder, indices = self._part("valid")
        except DataError:
            return [], []
        images, labels, files = [], [], self._files(folder)
        for row in indices[np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)].tolist():
            try:
                images.append(self._read(files[row]))
            except DataError:
                continue
            labels.append(int(self._labels(folder)[row]))
        return images, labels

    def images_at(self, split: str, rows: Sequence[int]) -> list[np.ndarray]:
        """Return the images with these row numbers in a split, each (H, W, C) uint8."""
        folder, _ = self._part(split)
        files = self._files(folder)
        return [self._read(files[row]) for row in rows]

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:
        """Return the images with these row numbers in a split, as the network sees them, with file and class.

        Raises:
            DataError: there is no such split, or an image cannot be read.
        """
        folder, _ = self._part(split)
        files = self._files(folder)
        places = np.concatenate([self.form.labels(own) for own in self._own(folder)])
        return [
            Item(str(files[row].relative_to(self.form.root)), self.form.card.classes[places[row]], image)
            for row, image in zip(rows, self.images_at(split, rows), strict=True)
        ]
