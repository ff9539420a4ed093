"""The card of the form "annotated images", and where its files are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from dlcli.core.wording import printable
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.card import Card

FORM = "annotated"
"""Its name in cards."""

SPLITS: tuple[str, ...] = ("train", "valid", "test")
"""The splits in their order."""

_TASKS = (("boxes", "detection"), ("label_maps", "segmentation"), ("tags", "multilabel"))
"""What images have, and the task that learns from it."""


def annotations_file(split: str) -> str:
    """Return the path of a split's JSON file in a prepared folder."""
    return f"annotations/instances_{split}.json"


def make_card(
    images: Mapping[str, Sequence[AnnotatedImage]], classes: Sequence[str], name: str, notes: Sequence[str]
) -> Card:
    """Return the card of annotated images: classes, images of each split, objects (and tags) of each class.

    `details["has"]` lists what there is, `details["totals"]` how much of it: images with an object, objects (without
    crowds), difficult ones among them, crowds, masks (of objects), tags and label maps. `details["task"]` is the
    `suitable_task`, if there is one.
    """
    counts = {split: _class_counts(of, classes) for split, of in images.items()}
    everything = [image for of in images.values() for image in of]
    objects = [each for image in everything for each in image.objects]
    totals = {
        "images": len(everything),
        "images_with_objects": sum(bool(image.objects) for image in everything),
        "objects": sum(not each.is_crowd for each in objects),
        "difficult": sum(each.is_difficult for each in objects),
        "crowds": sum(each.is_crowd for each in objects),
        "masks": sum(each.segmentation is not None and not each.is_crowd for each in objects),
        "tags": sum(len(image.tags) for image in everything),
        "label_maps": sum(bool(image.label_map) for image in everything),
    }
    has = [
        what
        for what, key in (("boxes", "objects"), ("masks", "masks"), ("tags", "tags"), ("label_maps", "label_maps"))
        if totals[key]
    ]
    details: dict[str, Any] = {"has": has, "totals": totals}
    if task := suitable_task(has):
        details["task"] = task
    items = {split: len(of) for split, of in images.items()}
    return Card(
        FORM, printable(name), tuple(classes), counts, details, warnings=tuple(map(printable, notes)), items=items
    )


def suitable_task(has: Collection[str]) -> str:
    """Return the task that learns from the most of what images have; "" if they have nothing to learn from.

    Boxes come first: label maps without them, and tags alone, are for the tasks that need nothing else.

    Args:
        has: what there is among "boxes", "masks", "tags" and "label_maps".
    """
    return next((task for what, task in _TASKS if what in has), "")


def _class_counts(images: Iterable[AnnotatedImage], classes: Sequence[str]) -> dict[str, int]:
    counts: Counter[int] = Counter()
    for image in images:
        counts.update(each.label for each in image.objects if not each.is_crowd)
        counts.update(image.tags)
    return {name: counts[label] for label, name in enumerate(classes)}
