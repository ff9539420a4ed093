"""The packed copy: rows as written, and stale as soon as its origin changes."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from dlcli.data.card import Card
from dlcli.data.images import packed

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
CARD = Card("images", "toy", ("a", "b"), {"train": {"a": 2, "b": 3}}, {"channels": 3, "image_size": [4, 6]})


@pytest.fixture
def root(tmp_path):
    for name in CARD.classes:
        (tmp_path / "train" / name).mkdir(parents=True)
    labels = packed.labels_of(CARD, "train")
    packed.write_split(tmp_path, "train", [IMAGES[:2], IMAGES[2:]], IMAGES.shape, labels)
    packed.seal(tmp_path, CARD, {"train": tmp_path / "train"})
    return tmp_path


def opened(root, card=CARD):
    return packed.open_split(root, card, "train", root / "train")


def test_rows_are_those_written_and_memory_mapped(root):
    split = opened(root)
    assert isinstance(split.images, np.memmap) and split.labels.dtype == np.int64
    np.testing.assert_array_equal(split.images, IMAGES)
    assert split.labels.tolist() == [0, 0, 1, 1, 1]
    assert sorted(path.name for path in (root / "packed").iterdir()) == [
        "packed.json",
        "train.images.npy",
        "train.labels.npy",
    ]


def test_a_changed_class_folder_makes_it_stale(root):
    facts = (root / "train" / "a").stat()
    os.utime(root / "train" / "a", ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
    assert opened(root) is None


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ("b", "a")},
        {"counts": {"train": {"a": 3, "b": 2}}},
        {"details": {"channels": 1, "image_size": [4, 6]}},
        {"details": {"channels": 3, "image_size": [6, 4]}},
    ],
)
def test_a_changed_card_makes_it_stale(root, change):
    assert opened(root, dataclasses.replace(CARD, **change)) is None


def test_a_pickled_array_is_not_loaded(root):
    np.save(packed.images_file(root, "train"), np.array([{}], dtype=object), allow_pickle=True)
    assert opened(root) is None


@pytest.mark.parametrize("name", ["train.images.npy", "train.labels.npy"])
def test_a_truncated_copy_is_not_used(root, name):
    path = root / "packed" / name
    path.write_bytes(path.read_bytes()[:-5])
    assert opened(root) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"schema": 99, "splits": {}})])
def test_a_damaged_index_is_stale(root, text):
    (root / "packed" / "packed.json").write_text(text)
    assert opened(root) is None


def test_a_failed_write_leaves_the_old_copy(root):
    def chunks():
        yield IMAGES[:1]
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        packed.write_split(root, "train", chunks(), IMAGES.shape, packed.labels_of(CARD, "train"))
    np.testing.assert_array_equal(opened(root).images, IMAGES)
    assert len(list((root / "packed").iterdir())) == 3


def test_large_images_are_not_packed():
    assert packed.is_packable(CARD)
    assert not packed.is_packable(dataclasses.replace(CARD, details={"image_size": [65, 64]}))
    assert not packed.is_packable(dataclasses.replace(CARD, details={"image_size": None}))


def test_stacked_parts_answer_as_one_array():
    random = np.random.default_rng(0)
    whole = random.integers(0, 255, (20, 3, 2), dtype=np.uint8)
    stacked = packed.Stacked([whole[:7], whole[7:8], whole[8:]])
    rows = random.permutation(20)[:9]
    assert stacked.shape == whole.shape
    assert np.array_equal(stacked[rows], whole[rows])
