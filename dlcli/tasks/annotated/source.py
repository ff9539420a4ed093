"""The annotated images of a task: parts, records in the run's classes, loaders, some images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.augmenting import Recipe
from dlcli.data.annotated.fitting import typical_canvas
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.loader import Training, evaluation_loader
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.annotated.splitting import copies_of, with_copies_grouped
from dlcli.data.card import Card, unreadable_notes
from dlcli.data.items import Item
from dlcli.data.labels import indices_in_run
from dlcli.data.loading import ItemLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import ALL, part

EVAL_BATCH = 16
"""Images per batch in evaluation, at most."""


class Reading(TypedDict):
    """How items are read; see `ItemLoader`."""

    workers: int
    max_bad: int
    on_bad: Callable[[str], None]


class AnnotatedSource:
    """Annotated images, labelled by a run's class indices.

    Args:
        form: the images.
        labels: the run's class names in the run's order; the form's classes are matched to them by name.
        train: the options of the loop.
        cache: where decoded images are kept: "ram", "disk" or "none".
        max_bad: training ends if more images than this cannot be read.
        is_usable: whether an image has what the task learns from; the others are left out. None for all.

    Raises:
        DataError: the data has a class that the run does not.
    """

    def __init__(
        self,
        form: AnnotatedForm,
        labels: tuple[str, ...],
        train: TrainConfig,
        *,
        cache: str = "ram",
        max_bad: int = 0,
        is_usable: Callable[[AnnotatedImage], bool] | None = None,
    ) -> None:
        self.form = form
        self.labels = labels
        self.to_run = indices_in_run(form.card.classes, labels, form.root)
        self._train = train
        self._cache: Any = cache
        self._max_bad = max_bad
        self._records = {
            split: [
                relabelled(each, self.to_run) for each in form.of_split(split) if is_usable is None or is_usable(each)
            ]
            for split in form.splits()
        }
        self._groups: dict[str, np.ndarray] = {}
        self.bad_files: list[str] = []

    @property
    def card(self) -> Card:
        """The data's card, with the unreadable files found so far among its warnings."""
        warnings = (*self.form.card.warnings, *unreadable_notes(self.bad_files, "images"))
        return dataclasses.replace(self.form.card, warnings=warnings)

    @property
    def reading(self) -> Reading:
        """How the loaders read: by default in this process while every image is decoded only once."""
        workers = self._train.workers
        if workers is None:
            workers = 0 if self._cache == "ram" else min(usable_cores(), 8)
        return {"workers": workers, "max_bad": self._max_bad, "on_bad": self.bad_files.append}

    def part(self, split: str) -> tuple[list[AnnotatedImage], np.ndarray]:
        """Return the images of the split from which a part is read, and the indices in it; see `dlcli.data.parts.part`.

        Parts are stratified by the rarest class that an image shows; images of one group, and copies, stay together.

        Raises:
            DataError: there is no such split.
        """
        name, indices = part(
            split,
            self.form.splits(),
            self._train,
            lambda own: rarest_classes(self._of(own), len(self.labels)),
            root=self.form.root,
            together_of=self._together,
        )
        return self._of(name), indices

    def _together(self, name: str) -> np.ndarray:
        """Return the number of each image's group in a split, or in all, (N,) int64.

        A prepared folder has its copies as groups. In a folder as it is they are looked for here, where they count.
        """
        if name not in self._groups:
            records = self._of(name)
            if not self.form.is_prepared:
                records = with_copies_grouped(records, copies_of([self.form.root / each.file for each in records]))
            self._groups[name] = group_numbers(records)
        return self._groups[name]

    def _of(self, name: str) -> list[AnnotatedImage]:
        """Return the images of a split, or of all splits."""
        return [each for own in (self.form.splits() if name == ALL else (name,)) for each in self._records[own]]

    def evaluation(self, split: str, preprocess: CanvasPreprocess, shard: Shard = WHOLE) -> ItemLoader:
        """Return the loader of a process's share of a part as it is; see `evaluation_loader`.

        Raises:
            DataError: there is no such split.
        """
        records, indices = self.part(split)
        batch_size = max(1, min(EVAL_BATCH, 2 * self._train.batch_size))
        return evaluation_loader(
            records,
            self.form.read,
            indices,
            preprocess.fit_of,
            batch_size,
            cache=self._cache,
            shard=shard,
            **self.reading,
        )

    def training(
        self, preprocess: CanvasPreprocess, recipe: Recipe, shard: Shard = WHOLE
    ) -> tuple[list[AnnotatedImage], Order, Training]:
        """Return the images, the order and the options of a training loader, for one canvas that suits most images."""
        records, indices = self.part("train")
        sizes = [(records[row].height, records[row].width) for row in indices.tolist()]
        canvas = preprocess.canvas or typical_canvas(sizes, preprocess.side)
        order = Order(indices, self._train.batch_size, seed=self._train.seed, shard=shard)
        return records, order, Training(canvas, recipe, cache=self._cache)

    def some(self, split: str, count: int) -> list[tuple[np.ndarray, AnnotatedImage]]:
        """Return up to `count` images of a part, evenly spaced, each (H, W, 3) uint8 with its annotations.

        Unreadable ones are left out, and all if there is no such part.
        """
        try:
            records, indices = self.part(split)
        except DataError:
            return []
        places = np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)
        found = []
        for row in indices[places].tolist():
            try:
                found.append((self.form.read(records[row]), records[row]))
            except DataError:
                continue
        return found

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:
        """Return the images with these row numbers in a part, with file and classes.

        Raises:
            DataError: there is no such split, or an image cannot be read.
        """
        records, _ = self.part(split)
        return [
            Item(
                records[row].file,
                ", ".join(self.labels[label] for label in sorted(records[row].labels)),
                self.form.read(records[row]),
            )
            for row in rows
        ]

    def readable(self, count: int) -> list[np.ndarray]:
        """Return up to `count` images, evenly spaced, each (H, W, 3) uint8: of test, else of the first split.

        Raises:
            DataError: none of them can be read.
        """
        split = "test" if "test" in self.form.splits() else self.form.splits()[0]
        images = [image for image, _ in self.some(split, count)]
        if not images:
            raise DataError(f"{self.form.root}: no image of {split} can be read")
        return images


def relabelled(record: AnnotatedImage, to_run: Sequence[int] | np.ndarray) -> AnnotatedImage:
    """Return a record in the run's class indices.

    Args:
        record: in those of the data.
        to_run: (C,) the run's index of each class of the data.
    """
    objects = tuple(dataclasses.replace(each, label=int(to_run[each.label])) for each in record.objects)
    return dataclasses.replace(record, objects=objects, tags=tuple(int(to_run[tag]) for tag in record.tags))


def rarest_classes(records: Sequence[AnnotatedImage], num_classes: int) -> np.ndarray:
    """Return the rarest class that each image shows, (N,) int64; `num_classes` for an image without one."""
    counts = np.bincount([label for record in records for label in record.labels], minlength=num_classes)
    return np.array(
        [min(record.labels, key=lambda label: (counts[label], label), default=num_classes) for record in records],
        dtype=np.int64,
    )


def group_numbers(records: Sequence[AnnotatedImage]) -> np.ndarray:
    """Return the number of each image's group, (N,) int64; one without a group is its own."""
    names = [record.group or f"\0{row}" for row, record in enumerate(records)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
