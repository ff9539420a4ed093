"""One photo in other colours, cuts and compressions is found; other photos, and digits that are alike, are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.images import look_alikes
from dlcli.data.images.look_alikes import SIDE, correlations, similar_files, similar_images, to_side


def scenes(count, seed=0, side=64):
    """Return random scenes, each of blurred patches of colour and of finer ones, (count, side, side, 3) uint8."""
    random = np.random.default_rng(seed)
    layers = []
    for size, weight in ((4, 1.0), (16, 0.5)):
        noise = random.random((count, size, size, 3)).astype(np.float32)
        layers.append(
            weight * np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in noise])
        )
    return (np.clip(sum(layers) / 1.5, 0, 1) * 255).astype(np.uint8)


def small(images):
    return np.stack([to_side(image) for image in images])


def pairs_of(images):
    found = similar_images(images)
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True)), found.similarity


CHANGES = {
    "the same": lambda image: image,
    "darker": lambda image: (0.6 * image).astype(np.uint8),
    "of other colours": lambda image: np.clip(image * [1.1, 0.9, 0.8], 0, 255).astype(np.uint8),
    "moved": lambda image: np.roll(image, (2, -3), axis=(0, 1)),
    "compressed": lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1),
    "cut": lambda image: cv2.resize(image[2:-2, 2:-2], (64, 64)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change):
    images = scenes(60)
    pairs, similarity = pairs_of(small([*images, change(images[7])]))
    assert pairs == [(7, 60)]
    assert similarity[0] == pytest.approx(1) if change is CHANGES["the same"] else similarity[0] > look_alikes.SIMILAR


def test_equal_images_without_any_outline_are_found():
    flat = np.stack([np.full((SIDE, SIDE, 3), value, np.uint8) for value in (9, 200, 9, 9)])
    assert pairs_of(flat)[0] == [(0, 2), (0, 3)]
    assert pairs_of(flat[:1])[0] == []


def test_a_correlation_is_the_largest_over_shifts():
    random = np.random.default_rng(0)
    outlines = random.normal(size=(3, SIDE, SIDE)).astype(np.float16)
    inner = slice(2, -2)
    wanted = [
        max(
            np.corrcoef(outlines[0, inner, inner].ravel(), outlines[other, top : top + 28, left : left + 28].ravel())[
                0, 1
            ]
            for top in range(5)
            for left in range(5)
        )
        for other in (0, 1, 2)
    ]
    found = correlations(outlines, np.zeros(3, int), np.arange(3))
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert correlations(outlines, np.zeros(3, int), np.arange(3), np.array([True, False, True]))[1] == -1


def test_digits_that_are_alike_anyway_are_hardly_ever_near_duplicates():
    from sklearn.datasets import load_digits

    images = small((load_digits().images[:200] * 15).astype(np.uint8)[..., None])
    found = similar_images(np.concatenate([images, images[:1]]))
    assert found.least > 0.9
    assert (0, 200) in list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(found.first) < 0.05 * len(images)


def test_blocks_and_one_array_give_the_same_pairs():
    images = small([*scenes(20), scenes(20)[3]])
    whole, blocks = similar_images(images), similar_images(iter([images[:9], images[9:]]))
    assert (
        (whole.first.tolist(), whole.second.tolist()) == (blocks.first.tolist(), blocks.second.tolist()) == ([3], [20])
    )


def test_files_that_cannot_be_read_are_counted_and_compared_with_none(tmp_path):
    images = scenes(6, side=300)
    files = [tmp_path / f"{number}.png" for number in range(8)]
    for file, image in zip(files, [*images, images[2]], strict=False):
        cv2.imwrite(str(file), image)
    files[1].write_bytes(b"no image")
    found = similar_files(files)
    assert (found.first.tolist(), found.second.tolist()) == ([2], [6])
    assert found.notes == ("images that cannot be read: 2, which are not compared; `dl doctor DATA` names them",)


def test_too_many_files_are_refused_before_one_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(look_alikes, "MAX_FILES", 3)
    with pytest.raises(DataError, match="4 images are too many; at most 3"):
        similar_files([tmp_path / "x.png"] * 4)


@pytest.mark.slow
def test_the_copies_among_the_raccoons_are_found(real_data):
    files = sorted((real_data / "raccoon" / "images").glob("*.jpg"))
    found = similar_files(files)
    number = [int(file.stem.split("-")[1]) for file in files]
    pairs = {frozenset((number[a], number[b])) for a, b in zip(found.first, found.second, strict=True)}
    assert pairs == set(
        map(frozenset, [(11, 116), (21, 45), (50, 52), (50, 74), (52, 74), (51, 85), (65, 98), (83, 120)])
    )
