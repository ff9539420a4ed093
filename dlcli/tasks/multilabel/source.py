"""Batches of a multi-label classifier: canvases with one number for each class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.augmenting import recipe_of
from dlcli.data.annotated.loader import training_loader
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.images.operations.table import DEFAULT
from dlcli.data.order import WHOLE, Shard
from dlcli.engine.task import Batch, Loader
from dlcli.tasks.annotated.source import AnnotatedSource

AUGMENTATION = "flip zoom=1.3 brightness=0.3 contrast=0.3"
"""The default: little is cut off, since the tags of an image cannot say what was."""

ToTargets = Callable[[Batch], Tensor]
"""(batch of annotated images) -> (N, C) float32 of 0 and 1."""


class TargetLoader:
    """Batches of `images`, `targets` (N, C) and `rows`, made of annotated ones; see `dlcli.engine.task.Loader`."""

    def __init__(self, annotated: Loader, to_targets: ToTargets) -> None:
        self._annotated = annotated
        self._to_targets = to_targets

    @property
    def num_items(self) -> int:
        """The number of images in an epoch."""
        return self._annotated.num_items

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._annotated)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on."""
        for batch in self._annotated.batches(epoch, start):
            yield {"images": batch["images"], "targets": self._to_targets(batch), "rows": batch["rows"]}


def target_loader(
    source: AnnotatedSource,
    split: str,
    preprocess: CanvasPreprocess,
    augment: str,
    *,
    training: bool,
    shard: Shard = WHOLE,
) -> TargetLoader:
    """Return the loader of a process's share of a part, shuffled and augmented if `training`.

    Raises:
        DataError: there is no such split.
    """
    num_classes = len(source.labels)
    if not training:
        return TargetLoader(
            source.evaluation(split, preprocess, shard), lambda batch: targets_of(batch["records"], num_classes)
        )
    recipe = recipe_of(AUGMENTATION if augment == DEFAULT else augment, source.labels)
    records, order, options = source.training(preprocess, recipe, shard)
    return TargetLoader(
        training_loader(records, source.form.read, order, options, **source.reading),
        lambda batch: seen_targets(batch, records, num_classes, recipe.mirrored),
    )


def targets_of(records: Sequence[AnnotatedImage], num_classes: int) -> Tensor:
    """Return which classes images show, (N, C) float32 of 0 and 1."""
    targets = torch.zeros(len(records), num_classes)
    for row, record in zip(targets, records, strict=True):
        row[list(record.labels)] = 1
    return targets


def seen_targets(
    batch: Batch, records: Sequence[AnnotatedImage], num_classes: int, mirrored: Sequence[int] = ()
) -> Tensor:
    """Return which classes augmented images show, (N, C) float32 of 0 and 1.

    They are the classes of objects that lie in the canvas, those of difficult objects, and the tags; where these are
    nobody knows. In a mirrored image, left and right are exchanged in all of them.

    Args:
        batch: `labels` of the objects in each canvas, already exchanged, `mirrored` and `rows`.
        records: the images by row.
        num_classes: C.
        mirrored: (C,) the class of each class in a mirror; () if all stay what they are.
    """
    targets = torch.zeros(len(batch["labels"]), num_classes)
    for row, number, labels, is_mirrored in zip(
        targets, batch["rows"].tolist(), batch["labels"], batch["mirrored"].tolist(), strict=True
    ):
        objects = records[number].objects
        whole = [*records[number].tags, *(each.label for each in objects if each.is_difficult and not each.is_crowd)]
        row[labels] = 1
        row[[mirrored[label] for label in whole] if is_mirrored and mirrored else whole] = 1
    return targets
