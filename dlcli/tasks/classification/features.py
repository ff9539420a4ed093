"""`--cache features`: a frozen body sees each view of an image once, and the head is trained on what it answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from dlcli.engine.task import Batch, Loader

FEATURES = "features"
"""The key of a batch that holds the head's inputs, (N, F) float, in place of `images`."""

NUM_VIEWS = 4
"""Augmented views of each training image. On 179 photos of nine things (five folds, two seeds) 1, 4 and 8 views gave
90.8, 91.4 and 91.6 % with a standard error of 1.0."""


class FeatureLoader:
    """Batches of the head's inputs; see `dlcli.engine.task.Loader`.

    The first epochs are those of the images, augmented and ordered alike, so that training on them equals training the
    head of a frozen network (without dropout) on the images; then they repeat.

    Args:
        images: the loader of the images.
        embed: a batch of images -> the head's inputs, (N, F).
        num_views: epochs that are computed.
    """

    def __init__(self, images: Loader, embed: Callable[[Batch], Tensor], num_views: int) -> None:
        self._images = images
        self._embed = embed
        self._num_views = num_views
        self._views: dict[int, list[Batch]] = {}

    @property
    def num_items(self) -> int:
        """The number of items in an epoch."""
        return self._images.num_items

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._images)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from the batch numbered `start` on."""
        view = epoch % self._num_views
        if view not in self._views:
            self._views[view] = [self._seen(batch) for batch in self._images.batches(view)]
        yield from self._views[view][start:]

    def _seen(self, batch: Batch) -> Batch:
        """Return the batch with features in place of its images."""
        rest = {name: value for name, value in batch.items() if name not in ("images", "plan")}
        return {**rest, FEATURES: self._embed(batch)}
