"""Loaders: which items, in which batches; order and augmentation are functions of (seed, epoch, batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dlcli.core.errors import DataError
from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.decoding import read_image
from dlcli.data.images.packed import Stacked
from dlcli.data.order import Order


class PackedLoader:
    """Batches from a packed copy: one fancy index each, no workers, with an augmentation plan beside the images."""

    def __init__(
        self,
        images: np.ndarray | Stacked,
        labels: np.ndarray,
        order: Order,
        augmentation: BatchAugmentation | None = None,
    ) -> None:
        # A view as a plain array: indexing numpy.memmap itself makes a new memmap each time.
        self._images = images.view(np.ndarray) if isinstance(images, np.ndarray) else images
        self._labels = torch.from_numpy(np.ascontiguousarray(labels))
        self._order = order
        self._augmentation = augmentation

    @property
    def num_items(self) -> int:
        """The number of images an epoch shows."""
        return self._order.num_items

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._order.num_batches

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield {"images": (N, C, H, W) uint8, "labels", "rows": (N,) int64, "plan": the augmentation's numbers}.

        `rows` are the images' places in the split.
        """
        order = self._order.epoch(epoch)
        plan = self._plan(epoch, order)
        for part in self._order.parts(start):
            indices = order[part]
            yield {
                "images": torch.from_numpy(self._images[indices]).permute(0, 3, 1, 2),
                "labels": self._labels[indices],
                "rows": torch.from_numpy(indices),
                "plan": {name: numbers[part] for name, numbers in plan.items()},
            }

    def _plan(self, epoch: int, order: np.ndarray) -> dict[str, Tensor]:
        """Return the augmentation's numbers for the whole epoch, in its order, which costs less than batch by batch."""
        if self._augmentation is None:
            return {}
        turn = self._order.is_mirrored(epoch, order) if self._augmentation.alternates else None
        size = self._images.shape[1:3]
        return self._augmentation.plan(len(order), size, self._order.random_of(epoch), is_mirrored=turn)


_Item = tuple["np.ndarray | None", int, int, list[str]]
"""Image or None, label, place in the split, and why files could not be read."""

MAX_SUBSTITUTES = 10
"""Images that are tried in an unreadable one's place; so many bad ones in a row are no accident."""


class _Files(Dataset):  # type: ignore[type-arg]
    """Image files, read and brought to one size; the reasons of unreadable ones come with the item.

    In training another image of the `substitutes` takes an unreadable one's place, so that batches keep their number
    and size; in evaluation there are no substitutes and the place stays empty.
    """

    def __init__(
        self,
        files: Sequence[Path],
        labels: np.ndarray,
        channels: int,
        to_size: Callable[[np.ndarray, int], np.ndarray],
        substitutes: np.ndarray | None,
    ) -> None:
        self._files = files
        self._labels = labels
        self._channels = channels
        self._to_size = to_size
        self._substitutes = substitutes

    def __getitem__(self, key: tuple[int, int]) -> _Item:
        index, seed = key
        rows = [index]
        if self._substitutes is not None:
            rows += [int(self._substitutes[(seed + k) % len(self._substitutes)]) for k in range(MAX_SUBSTITUTES)]
        reasons = []
        for row in rows:
            try:
                image = read_image(self._files[row], channels=self._channels)
            except DataError as error:
                reasons.append(str(error))
            else:
                return np.ascontiguousarray(self._to_size(image, seed)), int(self._labels[row]), row, reasons
        return None, 0, index, reasons

    def __len__(self) -> int:
        return len(self._files)


class FileLoader:
    """Batches from image files, decoded in worker processes.

    Args:
        files, labels: the whole split.
        order: which of them, in which order.
        channels: 1 or 3.
        to_size: (image, seed) -> image of the network's size; the seed is the item's own.
        workers: processes that decode.
        max_bad: more unreadable files than this end the training.
        on_bad: told of each unreadable file once.
        alternates: mirror each image in every other epoch, as `Order.is_mirrored` says.
    """

    def __init__(
        self,
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
    ) -> None:
        self._dataset = _Files(files, labels, channels, to_size, order.indices if order.seed is not None else None)
        self._order = order
        self._workers = workers
        self._max_bad = max_bad
        self._on_bad = on_bad
        self._alternates = alternates
        self._bad: set[str] = set()

    @property
    def num_items(self) -> int:
        """The number of images an epoch shows."""
        return self._order.num_items

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._order.num_batches

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield what `PackedLoader.batches` does, without plans; unreadable files are left out, in training replaced.

        Raises:
            DataError: more than `max_bad` files are unreadable.
        """
        keys = [
            [(int(index), hash((self._order.seed or 0, epoch, int(index))) % 2**31) for index in indices]
            for indices in self._order.batches(epoch, start)
        ]
        loader = DataLoader(
            self._dataset, batch_sampler=keys, num_workers=self._workers, collate_fn=_collate, persistent_workers=False
        )
        for images, labels, rows, bad in loader:
            self._note(bad)
            if self._alternates:
                turn = torch.from_numpy(self._order.is_mirrored(epoch, rows.numpy()))
                images[turn] = images[turn].flip(-1)
            if len(labels):
                yield {"images": images, "labels": labels, "rows": rows, "plan": {}}

    def _note(self, bad: Sequence[str]) -> None:
        for reason in bad:
            if reason not in self._bad:
                self._bad.add(reason)
                self._on_bad(reason)
        if len(self._bad) > self._max_bad:
            raise DataError(
                f"{len(self._bad)} images cannot be read, more than --max-bad {self._max_bad}",
                details=sorted(self._bad)[:2],
                hint="mend or remove them; `dl prepare image-folder` names them all",
            )


def _collate(items: Sequence[_Item]) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    good = [(image, label, row) for image, label, row, _ in items if image is not None]
    bad = [reason for *_, reasons in items for reason in reasons]
    images = np.stack([image for image, _, _ in good]) if good else np.zeros((0, 1, 1, 1), dtype=np.uint8)
    labels = torch.tensor([label for _, label, _ in good], dtype=torch.int64)
    rows = torch.tensor([row for _, _, row in good], dtype=torch.int64)
    return torch.from_numpy(images).permute(0, 3, 1, 2), labels, rows, bad
