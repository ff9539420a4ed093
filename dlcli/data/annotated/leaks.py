"""Copies of images within and between splits, and films that a split cuts through: what makes figures too good."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.images.decoding import read_bytes
from dlcli.data.images.near_duplicates import MAX_COMPARED, Fingerprints, fingerprints_of

FEWEST_FRAMES = 10
MAX_FRAME_BITS = 12
"""Signs by which half of the frames of a film differ from the one before, at most; of unrelated photos 31 do."""

_MOST_SHOWN = 3
_NUMBERED = re.compile(r"(.*?)(\d{1,12})$")
_TOGETHER = "remove them, or list each copy in the same split; a split that `dl prepare` draws keeps copies together"


@dataclass(frozen=True)
class _Item:
    """An image: its split, and its path in the folder."""

    split: str
    file: str


def examine_leaks(form: AnnotatedForm) -> Iterator[Finding]:
    """Yield copies across splits and within them, by content and by look, and films that lie in several splits."""
    items = [_Item(split, image.file) for split in form.splits() for image in form.of_split(split)]
    if len(items) > MAX_COMPARED:
        yield Finding("copies", OK, f"not looked for among more than {MAX_COMPARED:,} images")
        return
    fingerprints = fingerprints_of([form.root / item.file for item in items])
    groups = fingerprints.groups()
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    copies = [members.tolist() for members in np.split(order, cuts) if len(members) > 1]
    yield from _copies(form, items, copies)
    yield from _films(items, fingerprints)


def _copies(form: AnnotatedForm, items: Sequence[_Item], copies: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """Yield a finding for the groups that cross splits and one for those that do not."""
    if not copies:
        yield Finding("copies", OK, "none")
        return
    across = [group for group in copies if len({items[at].split for at in group}) > 1]
    within = [group for group in copies if len({items[at].split for at in group}) == 1]
    if across:
        text = f"groups of copies in several splits: {len(across):,}: {_shown(form, items, across)}"
        yield Finding("copies across splits", WARNING, text, _TOGETHER)
    if within:
        text = f"groups of copies: {len(within):,}: {_shown(form, items, within)}"
        yield Finding("copies within a split", WARNING, text, "remove all but one of each, unless their boxes differ")


def _shown(form: AnnotatedForm, items: Sequence[_Item], groups: Sequence[Sequence[int]]) -> str:
    """Return the first groups by name, each with whether its files are equal or only look alike."""
    parts = []
    for group in groups[:_MOST_SHOWN]:
        files = [items[at].file for at in group]
        kind = "equal files" if _are_equal(form, files) else "look alike"
        names = " = ".join(shorten(file.removeprefix("images/"), 40) for file in files[:_MOST_SHOWN])
        more = f" and {len(files) - _MOST_SHOWN:,} more" if len(files) > _MOST_SHOWN else ""
        parts.append(f"{names}{more} ({kind})")
    return "; ".join(parts) + ("; ..." if len(groups) > _MOST_SHOWN else "")


def _are_equal(form: AnnotatedForm, files: Sequence[str]) -> bool:
    try:
        first = read_bytes(form.root / files[0])
        return all(read_bytes(form.root / file) == first for file in files[1:])
    except DataError:
        return False


def _films(items: Sequence[_Item], fingerprints: Fingerprints) -> Iterator[Finding]:
    """Yield a finding for each series of numbered images that look like a film and lie in several splits."""
    hash_of = dict(zip(fingerprints.readable.tolist(), fingerprints.hashes.tolist(), strict=True))
    for prefix, members in _series(items).items():
        splits = {items[at].split for at in members}
        hashes = [hash_of[at] for at in members if at in hash_of]
        if len(splits) < 2 or len(hashes) < FEWEST_FRAMES:
            continue
        differing = np.median([(one ^ other).bit_count() for one, other in itertools.pairwise(hashes)])
        if differing <= MAX_FRAME_BITS:
            name = shorten(prefix, 60)
            text = (
                f"{name}*: {len(members):,} images that look like frames of one film lie in {', '.join(sorted(splits))}"
            )
            yield Finding("films", WARNING, text, "keep the frames of a film in one split: split by folder or by list")


def _series(items: Sequence[_Item]) -> Mapping[str, list[int]]:
    """Return the positions of images whose names differ in their last number only, in the order of that number."""
    found: dict[str, list[tuple[int, int]]] = {}
    for at, item in enumerate(items):
        numbered = _NUMBERED.match(PurePosixPath(item.file).stem)
        if numbered:
            found.setdefault(numbered[1], []).append((int(numbered[2]), at))
    return {prefix: [at for _, at in sorted(members)] for prefix, members in found.items()}
