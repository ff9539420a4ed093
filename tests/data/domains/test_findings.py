"""What `dl doctor` says of images of two domains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from toys.domains import write_image, write_own, write_prepared

from dlcli.core.findings import FAULT, OK, WARNING, Finding
from dlcli.data.domains.findings import examine_domains


def photo(seed: int) -> np.ndarray:
    """Return blurred noise, which looks like no other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return coarse.repeat(10, axis=0).repeat(10, axis=1)


def by_what(root: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine_domains(root)}


def write_photos(root: Path, names: dict[str, tuple[int, ...]]) -> Path:
    for folder, seeds in names.items():
        for seed in seeds:
            write_image(root / folder / f"{seed}.png", photo(seed))
    return root


def test_counts_sizes_and_unreadable_files_are_named(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 3, "trainB": 21, "testA": 2, "testB": 2})
    (root / "testA" / "001.png").write_bytes(b"")
    found = by_what(root)
    assert (found["card"].state, found["card"].found) == (WARNING, "x: unpaired images of A and B")
    assert found["train A"].state == WARNING and "images: 3, shorter sides of 40 to 40 px" in found["train A"].found
    assert found["train B"].state == OK
    assert found["test A files"].state == FAULT and "001.png: the file is empty" in found["test A files"].found


def test_copies_across_splits_and_domains_are_found(tmp_path: Path) -> None:
    root = write_photos(tmp_path, {"trainA": (1, 2), "trainB": (3, 4), "testA": (2, 5), "testB": (1, 6)})
    found = by_what(root)
    assert (
        "groups of images that look alike: 1, the first trainA/2.png = testA/2.png"
        in found["copies in train and test"].found
    )
    assert "the first trainA/1.png = testB/1.png" in found["copies in both domains"].found
    assert "copies" not in found


def test_without_copies_it_says_so(tmp_path: Path) -> None:
    root = write_photos(tmp_path, {"trainA": (1, 2), "trainB": (3, 4)})
    assert by_what(root)["copies"].state == OK


def test_the_two_images_of_a_pair_may_look_alike(tmp_path: Path) -> None:
    root = write_prepared(tmp_path, {"train": (2, 2)}, paired=True)
    found = by_what(root)
    assert found["card"].found == "night2day: pairs of night and day"
    assert "copies in both domains" not in found
