"""What `dl doctor` finds in annotated images: classes, boxes, unreadable files; copies and films are in `leaks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.core.findings import FAULT, OK, WARNING, Finding
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.data.annotated.leaks import examine_leaks

MAX_CHECKED = 500
"""Images of a split that are decoded for the check, spread over it; `dl prepare` has seen them all."""

SMALL, LARGE = 32**2, 96**2
"""Areas in square pixels between COCO's small, medium and large objects. Source: cocodataset.org, "Detection Eval"."""

RARE = 10
"""Training objects of a class, below which it is hardly learned."""

REFERENCE_SIDE, SHORTEST = 320, 8
"""An object whose shorter side has fewer than 8 pixels in an image of 320 is one cell of a detector's finest map."""

MOST_OVERLAP = 0.8
"""IoU of two boxes of one class above which they are one object, annotated twice."""

LONGEST = 20
"""Ratio of the sides above which a box is probably a slip of the mouse."""

_WHOLE = 0.995
_MOST_SHOWN = 5


def examine_annotated(folder: Path) -> Iterator[Finding]:
    """Yield the card and its warnings, then findings on classes, boxes, files, and copies within and between splits.

    Raises:
        DataError: the folder holds no annotated images, or does not fit its card.
    """
    yield from examine_form(open_annotated(folder))


def examine_form(form: AnnotatedForm) -> Iterator[Finding]:
    """Yield the findings on an opened folder; see `examine_annotated`."""
    card = form.card
    yield Finding("card", OK if form.is_prepared else WARNING, f"{card.name}: {len(card.classes)} classes")
    yield from (Finding("card", WARNING, warning) for warning in card.warnings)
    for split in form.splits():
        yield _split(form, split)
    yield from _classes(form)
    placed = [
        (image, each)
        for split in form.splits()
        for image in form.of_split(split)
        for each in image.objects
        if not each.is_crowd
    ]
    if placed:
        yield from _sizes(placed)
        yield from _suspicious(placed)
        yield from _overlaps(form)
    for split in form.splits():
        yield from _unreadable(form, split)
    yield from examine_leaks(form)


def _split(form: AnnotatedForm, split: str) -> Finding:
    """Return how many images, objects and empty images a split has."""
    images = form.of_split(split)
    num_objects = sum(not each.is_crowd for image in images for each in image.objects)
    empty = [image for image in images if not image.labels and not image.label_map]
    found = f"images: {len(images):,}, objects: {num_objects:,}"
    if empty:
        found += f", images without any: {len(empty):,}, the first {_name(empty[0])}"
    state = WARNING if 2 * len(empty) > len(images) else OK
    return Finding(split, state, found, "are annotations missing?" if state == WARNING else "")


def _classes(form: AnnotatedForm) -> Iterator[Finding]:
    """Yield the classes that training sees never or rarely, and those that no evaluation sees."""
    classes = form.card.classes
    first = form.splits()[0]
    for split in form.splits():
        counts = Counter(label for image in form.of_split(split) for label in _labels(image))
        if not counts:
            continue  # label maps alone
        missing = [name for label, name in enumerate(classes) if not counts[label]]
        rare = [f"{name} ({counts[label]})" for label, name in enumerate(classes) if 0 < counts[label] < RARE]
        if missing:
            fix = "annotate some, or leave the class out" if split == first else "the mean leaves them out"
            yield Finding(f"{split} classes", WARNING, f"no objects of {_listed(missing)}", fix)
        if rare and split == first:
            yield Finding(f"{split} classes", WARNING, f"fewer than {RARE} objects of {_listed(rare)}", "annotate more")


def _labels(image: AnnotatedImage) -> list[int]:
    return [each.label for each in image.objects if not each.is_crowd] + list(image.tags)


def _sizes(placed: Sequence[tuple[AnnotatedImage, Annotation]]) -> Iterator[Finding]:
    """Yield the shares of small, medium and large objects, and how many a small input makes too small to see."""
    areas = np.array([each.area for _, each in placed])
    small, large = float((areas < SMALL).mean()), float((areas >= LARGE).mean())
    yield Finding(
        "object sizes",
        OK,
        f"{small:.0%} small, {max(0.0, 1 - small - large):.0%} medium, {large:.0%} large (by COCO's areas)",
    )
    shortest = np.array([min(_sides(each)) / max(image.height, image.width) for image, each in placed])
    share = float((shortest * REFERENCE_SIDE < SHORTEST).mean())
    if share > 0:
        state = WARNING if share > 0.1 else OK
        found = f"{share:.1%} of the objects are thinner than {SHORTEST} px at an image size of {REFERENCE_SIDE}"
        yield Finding("object sizes", state, found, "train at a larger image size" if state == WARNING else "")


def _sides(each: Annotation) -> tuple[float, float]:
    left, top, right, bottom = each.box
    return right - left, bottom - top


def _suspicious(placed: Sequence[tuple[AnnotatedImage, Annotation]]) -> Iterator[Finding]:
    """Yield how many boxes are long and thin, thinner than two pixels, or the whole image, with the first of each."""
    kinds: dict[str, list[AnnotatedImage]] = {"long": [], "tiny": [], "whole": []}
    for image, each in placed:
        width, height = _sides(each)
        if max(width, height) > LONGEST * min(width, height):
            kinds["long"].append(image)
        elif min(width, height) < 2:
            kinds["tiny"].append(image)
        elif width >= _WHOLE * image.width and height >= _WHOLE * image.height:
            kinds["whole"].append(image)
    texts = {
        "long": f"over {LONGEST} times as long as wide",
        "tiny": "less than 2 pixels wide or high",
        "whole": "as large as the image",
    }
    for kind, images in kinds.items():
        if images:
            state = OK if kind == "whole" and 10 * len(images) < len(placed) else WARNING
            found = f"{texts[kind]}: {len(images):,}, the first in {_name(images[0])}"
            yield Finding("boxes", state, found, "look at them, and correct what is a slip" if state == WARNING else "")


def _overlaps(form: AnnotatedForm) -> Iterator[Finding]:
    """Yield how many pairs of boxes of one class cover nearly the same, and the first image with one."""
    count, first = 0, ""
    for split in form.splits():
        for image in form.of_split(split):
            found = _num_overlapping([each for each in image.objects if not each.is_crowd])
            first = first or (_name(image) if found else "")
            count += found
    if count:
        text = f"pairs of one class with an IoU above {MOST_OVERLAP}: {count:,}, the first in {first}"
        yield Finding("boxes", WARNING, text, "is one object annotated twice?")


def _num_overlapping(objects: Sequence[Annotation]) -> int:
    if len(objects) < 2:
        return 0
    boxes = np.array([each.box for each in objects])
    labels = np.array([each.label for each in objects])
    corner = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    shared = corner.clip(0).prod(axis=-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    is_pair = (shared > MOST_OVERLAP * (areas[:, None] + areas[None] - shared)) & (labels[:, None] == labels[None])
    return int(np.triu(is_pair, 1).sum())


def _unreadable(form: AnnotatedForm, split: str) -> Iterator[Finding]:
    images = form.of_split(split)
    bad = []
    for image in images[:: max(1, len(images) // MAX_CHECKED)]:
        try:
            form.read(image)
        except DataError as error:
            bad.append(error.message)
    if bad:
        yield Finding(f"{split} files", FAULT, f"unreadable or changed: {len(bad)}, the first: {bad[0]}")


def _name(image: AnnotatedImage) -> str:
    return shorten(image.file, 80)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shorten(name, 30) for name in names[:_MOST_SHOWN])
    return shown if len(names) <= _MOST_SHOWN else f"{shown} and {len(names) - _MOST_SHOWN:,} more"
