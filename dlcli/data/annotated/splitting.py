"""Cutting a test part off annotated images: by their rarest classes, with copies and groups kept together.

Copies become a group, so that the validation part and folds, which are drawn later, keep them together as well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.checking import Checked
from dlcli.data.annotated.describing import SPLITS
from dlcli.data.images.decoding import read_bytes
from dlcli.data.images.each import for_each
from dlcli.data.images.near_duplicates import MAX_COMPARED, group_of
from dlcli.data.images.pixels import leak_warning
from dlcli.data.parts import stratified_part


def with_test_part(checked: Checked, fraction: float, seed: int) -> Checked:
    """Return the data in splits: the source's, or a seeded part of the images for testing where it has none for that.

    A `valid` beside which there is no `test` becomes the test split: training cuts its own validation part, so that
    what is measured at the end never selects a checkpoint. A `valid` alone is divided; a `test` alone is for measuring.
    Copies of an image have a common `group`.

    Args:
        checked: the data.
        fraction: of the images, for testing.
        seed: of the choice.
    """
    splits = {split: images for split, images in checked.images.items() if split}
    loose = checked.images.get("", ())
    notes: list[str] = []
    if loose:
        splits = {"train": (*splits.get("train", ()), *loose), **{k: v for k, v in splits.items() if k != "train"}}
        if len(splits) > 1:
            notes.append(f"{len(loose):,} images in no split are in train")
    if set(splits) == {"valid"}:
        notes.append("valid is the only split: it is divided into train and test")
        splits = {"train": splits["valid"]}
    if "valid" in splits and "test" not in splits:
        notes.append("valid is the only other split: it is used as the test split")
        splits["test"] = splits.pop("valid")
    everything = [image for of in splits.values() for image in of]
    copies = _copies(checked, everything)
    grouped = iter(with_copies_grouped(everything, copies))
    splits = {split: tuple(itertools.islice(grouped, len(of))) for split, of in splits.items()}
    if set(splits) == {"train"}:
        is_test = choose_part(splits["train"], copies, fraction, seed)
        pairs = list(zip(splits["train"], is_test.tolist(), strict=True))
        splits["test"] = tuple(image for image, chosen in pairs if chosen)
        splits["train"] = tuple(image for image, chosen in pairs if not chosen)
    ordered = {split: splits[split] for split in SPLITS if splits.get(split)}
    notes += leaks(checked, ordered)
    return dataclasses.replace(checked, images=ordered, notes=(*checked.notes, *notes))


def _copies(checked: Checked, images: Sequence[AnnotatedImage]) -> Sequence[Hashable]:
    """Return a key for each image that its copies share: by their look, or by their bytes if there are too many."""
    if len(images) > MAX_COMPARED:
        return [_digest(checked, image) for image in images]
    return copies_of([Path(image.file) for image in images])


def copies_of(files: Sequence[Path]) -> Sequence[Hashable]:
    """Return a key for each image that its copies share: by their look, or by their bytes if there are too many."""
    if len(files) > MAX_COMPARED:
        return for_each(_digest_of, files, are_large=True)
    keys: list[int] = group_of(files).tolist()
    return keys


def _digest_of(file: Path) -> Hashable:
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except DataError:
        return file


def with_copies_grouped(images: Sequence[AnnotatedImage], copies: Sequence[Hashable]) -> list[AnnotatedImage]:
    """Return images of which copies, and the groups that they are in, have one group.

    Args:
        images: the images.
        copies: a key for each, which copies share; not "".
    """
    member_of = _groups(images, copies).tolist()
    sizes = Counter(member_of)
    taken = {image.group for image in images}
    fresh = (name for number in itertools.count(1) if (name := f"copies {number}") not in taken)
    names: dict[int, str] = {}
    for image, member in zip(images, member_of, strict=True):
        if image.group:
            names[member] = min(image.group, names.get(member, image.group))
    for member in dict.fromkeys(member_of):
        if sizes[member] > 1 and member not in names:
            names[member] = next(fresh)
    return [
        dataclasses.replace(image, group=names.get(member, "")) for image, member in zip(images, member_of, strict=True)
    ]


def choose_part(images: Sequence[AnnotatedImage], copies: Sequence[Hashable], fraction: float, seed: int) -> np.ndarray:
    """Return which images belong to the part, (N,) bool.

    Images of one group, and copies of one image, are together. Each group counts as its rarest class, so that the part
    has some of each.

    Args:
        images: the images.
        copies: a key for each, which copies share; not "".
        fraction: of the groups.
        seed: of the choice.
    """
    member_of = _groups(images, copies)
    frequency = Counter(label for image in images for label in image.labels)
    rarest = np.full(len(images), -1, np.int64)
    for image, group in zip(images, member_of.tolist(), strict=True):
        for label in image.labels:
            if rarest[group] < 0 or (frequency[label], label) < (frequency[int(rarest[group])], rarest[group]):
                rarest[group] = label
    first = np.unique(member_of)
    chosen = first[stratified_part(rarest[first], fraction, seed)]
    return np.asarray(np.isin(member_of, chosen))


def _groups(images: Sequence[AnnotatedImage], copies: Sequence[Hashable]) -> np.ndarray:
    """Return for each image the index of the first one that it belongs with, by group or as a copy, (N,) int64."""
    parent = list(range(len(images)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    seen: dict[Hashable, int] = {}
    for at, (image, copy) in enumerate(zip(images, copies, strict=True)):
        for key in (copy, image.group):
            if key != "":
                one, other = sorted((root(seen.setdefault(key, at)), root(at)))
                parent[other] = one
    return np.array([root(at) for at in range(len(images))], np.int64)


def leaks(checked: Checked, splits: dict[str, tuple[AnnotatedImage, ...]]) -> list[str]:
    """Return a note for each pair of splits that share byte-identical images."""
    digests = {split: [_digest(checked, image) for image in images] for split, images in splits.items()}
    notes: list[str] = []
    for one, other in itertools.combinations(digests, 2):
        known = set(digests[one])
        notes.extend(leak_warning(one, other, sum(digest in known for digest in digests[other])))
    return notes


def _digest(checked: Checked, image: AnnotatedImage) -> bytes:
    return checked.files[image.file].sha256
