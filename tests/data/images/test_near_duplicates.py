"""Copies of images: found in every size and quality, and unlike pictures kept apart."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcli.data.images.near_duplicates import fingerprint, group_numbers, group_of, similar_pairs


def scene(seed, size=(320, 240)):
    """Return a picture of soft blobs."""
    rough = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC))


def test_a_photo_saved_anew_is_in_the_group_of_the_original(tmp_path):
    scene(0).save(tmp_path / "a.png")
    scene(1).save(tmp_path / "b.png")
    scene(0).save(tmp_path / "c.jpg", quality=60)
    scene(0).resize((800, 600)).save(tmp_path / "d.jpg")
    scene(0).resize((96, 72)).save(tmp_path / "e.png")
    Image.fromarray((np.asarray(scene(1)) * 0.8 + 20).astype(np.uint8)).save(tmp_path / "f.jpg")
    (tmp_path / "g.jpg").write_bytes(b"no image")
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.jpg", "d.jpg", "e.png", "g.jpg")]
    assert group_of(paths).tolist() == [0, 1, 0, 0, 0, 2]
    assert group_of([]).tolist() == []


def test_pictures_with_light_and_dark_in_the_same_places_are_apart(tmp_path):
    """Equal signs of brightness, but other levels."""
    levels = np.linspace(0, 255, 240)
    for name, ramp in (("a", levels), ("b", 255 * (levels / 255) ** 4)):
        Image.fromarray(np.tile(ramp.astype(np.uint8), (200, 1))).save(tmp_path / f"{name}.png")
    first, second = (fingerprint(tmp_path / f"{name}.png") for name in "ab")
    assert (first[0] ^ second[0]).bit_count() <= 8
    assert group_of([tmp_path / "a.png", tmp_path / "b.png"]).tolist() == [0, 1]


def test_small_things_on_an_even_ground_are_apart(tmp_path):
    for at in range(4):
        pixels = np.zeros((160, 160), np.uint8)
        pixels[20 + 30 * at : 30 + 30 * at, 20:30] = 255
        Image.fromarray(pixels).save(tmp_path / f"{at}.png")
    assert group_of([tmp_path / f"{at}.png" for at in range(4)]).tolist() == [0, 1, 2, 3]


def test_pairs_equal_those_of_every_pair_compared_alone():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, 40, dtype=np.uint64)
    thumbnails = random.integers(0, 255, (40, 256), dtype=np.uint8)
    hashes[20:30] = hashes[:10] ^ np.uint64(0b111111)  # six signs
    hashes[30:] = hashes[:10] ^ np.uint64(0b1111111)  # seven
    thumbnails[20:] = np.tile(thumbnails[:10], (2, 1))
    expected = [
        (one, other)
        for one in range(40)
        for other in range(one + 1, 40)
        if int(hashes[one] ^ hashes[other]).bit_count() <= 6 and (thumbnails[one] == thumbnails[other]).all()
    ]
    assert len(expected) == 20
    assert sorted(map(tuple, similar_pairs(hashes, thumbnails).tolist())) == expected


def test_many_equal_fingerprints_have_few_pairs():
    pairs = similar_pairs(np.zeros(3000, np.uint64), np.zeros((3000, 256), np.uint8))
    assert len(pairs) == 2999
    assert set(group_numbers(3000, pairs).tolist()) == {0}


def test_groups_join_through_a_common_member():
    pairs = np.array([[3, 4], [1, 2], [2, 4]])
    assert group_numbers(6, pairs).tolist() == [0, 1, 1, 1, 1, 2]


@pytest.mark.slow
def test_the_known_copies_among_the_raccoons():
    root = os.environ.get("DLCLI_DATA")
    if not root or not (Path(root) / "raccoon").is_dir():
        pytest.skip("DLCLI_DATA has no raccoon")
    paths = sorted((Path(root) / "raccoon/images").iterdir())
    groups: dict[int, set[int]] = {}
    for path, group in zip(paths, group_of(paths).tolist(), strict=True):
        groups.setdefault(group, set()).add(int(path.stem.rpartition("-")[2]))
    assert sorted(sorted(group) for group in groups.values() if len(group) > 1) == [
        [11, 116],
        [21, 45],
        [50, 52, 74],
        [65, 98],
        [83, 120],
    ]
