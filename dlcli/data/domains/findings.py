"""What `dl doctor` finds in images of two domains: counts, sizes, unreadable files, and copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.core.findings import FAULT, OK, WARNING, Finding
from dlcli.data.domains.form import DomainsForm, open_domains
from dlcli.data.images.near_duplicates import MAX_COMPARED, fingerprints_of
from dlcli.data.images.probing import probe_image

MAX_CHECKED = 500
"""Images of a domain and split that are read for the check, spread over it; `dl prepare` has seen them all."""

FEW = 20
"""Training images of a domain, below which a network learns those images rather than the domain."""

Place = tuple[str, int]
"""Split and domain."""


def examine_domains(folder: Path) -> Iterator[Finding]:
    """Yield the card and its warnings, then findings on the images of each domain, and copies between them.

    Raises:
        DataError: the folder holds no images of two domains, or does not fit its card.
    """
    form = open_domains(folder)
    what = "pairs" if form.is_paired else "unpaired images"
    names = " and ".join(form.card.classes)
    yield Finding("card", OK if form.is_prepared else WARNING, f"{form.card.name}: {what} of {names}")
    yield from (Finding("card", WARNING, warning) for warning in form.card.warnings)
    for split in form.splits():
        for domain in (0, 1):
            yield from _examine(form, split, domain)
    yield from _copies(form)


def _examine(form: DomainsForm, split: str, domain: int) -> Iterator[Finding]:
    """Yield how many images a domain has and how large they are, and how many of them cannot be read."""
    files, what = form.files(split, domain), f"{split} {form.card.classes[domain]}"
    sides, bad = [], []
    for file in files[:: max(1, -(-len(files) // MAX_CHECKED))]:
        try:
            found = probe_image(file, with_digest=False)
            sides.append(min(found.height, found.width))
        except DataError as error:
            bad.append(f"{file.name}: {error.message}")
    size = f", shorter sides of {min(sides)} to {max(sides)} px, the median {int(np.median(sides))}" if sides else ""
    is_few = split == "train" and len(files) < FEW
    fix = "collect more" if is_few else ""
    yield Finding(what, WARNING if is_few else OK, f"images: {len(files):,}{size}", fix)
    if bad:
        yield Finding(f"{what} files", FAULT, f"unreadable: {len(bad)}, the first: {shorten(bad[0], 200)}")


def _copies(form: DomainsForm) -> Iterator[Finding]:
    """Yield findings on images that look alike in train and test, or in both domains."""
    places = [(split, domain) for split in form.splits() for domain in (0, 1)]
    items = [(place, file) for place in places for file in form.files(*place)]
    if len(items) > MAX_COMPARED:
        yield Finding("copies", OK, f"not looked for among more than {MAX_COMPARED:,} images")
        return
    numbers = fingerprints_of([file for _, file in items]).groups()
    groups: dict[int, list[tuple[Place, Path]]] = {}
    for number, item in zip(numbers.tolist(), items, strict=True):
        groups.setdefault(number, []).append(item)
    copies = [group for group in groups.values() if len(group) > 1]
    across_splits = [group for group in copies if _has_both_splits(group)]
    across_domains = [group for group in copies if len({domain for (_, domain), _ in group}) > 1]
    if across_splits:
        fix = "keep them in one split, or the test says too much"
        yield Finding("copies in train and test", WARNING, _shown(form, across_splits), fix)
    if across_domains and not form.is_paired:
        fix = "a network learns nothing from what is the same on both sides: leave them out"
        yield Finding("copies in both domains", WARNING, _shown(form, across_domains), fix)
    if not across_splits and not across_domains:
        yield Finding("copies", OK, "none in train and test, or in both domains")


def _has_both_splits(group: list[tuple[Place, Path]]) -> bool:
    """Return whether one domain has the image in train and in test."""
    return any(len({split for (split, other), _ in group if other == domain}) > 1 for domain in (0, 1))


def _shown(form: DomainsForm, groups: list[list[tuple[Place, Path]]]) -> str:
    first = " = ".join(str(file.relative_to(form.root)) for _, file in groups[0][:3])
    return f"groups of images that look alike: {len(groups):,}, the first {shorten(first, 200)}"
