"""The packed copy: rows as written, and stale as soon as its origin changes."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from dlcli.data.card import Card
from dlcli.data.images import packed

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
CARD = Card("images", "toy", ("a", "b"), {"train": {"a": 2, "b": 3}}, {"channels": 3, "image_size": [4, 6]})
NAMES = (("1.png", "2.png"), ("1.png", "2.png", "3.png"))


@pytest.fixture
def root(tmp_path):
    for name in CARD.classes:
        (tmp_path / "train" / name).mkdir(parents=True)
        for file in ("1.png", "2.png", "3.png"):
            (tmp_path / "train" / name / file).write_bytes(b"abc")
    labels = packed.labels_of(CARD, "train")
    packed.write_split(tmp_path, "train", [IMAGES[:2], IMAGES[2:]], IMAGES.shape, labels)
    packed.seal(tmp_path, {"train": origin(tmp_path)})
    return tmp_path


def origin(root, card=CARD, names=NAMES, split="train"):
    return packed.origin_of(card, split, root / split, names)


def opened(root, card=CARD, names=NAMES):
    return packed.open_split(root, card, "train", origin(root, card, names))


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


def touch(path):
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def grow_unseen(path):
    facts = path.stat()
    path.write_bytes(b"abcd")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("change", [touch, grow_unseen, lambda path: path.write_bytes(b"xyz")])
def test_a_file_changed_in_place_makes_it_stale(root, change):
    change(root / "train" / "b" / "2.png")
    assert opened(root) is None


def test_a_copy_that_keeps_times_is_as_good(root, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copies") / "copy"
    shutil.copytree(root, copy)
    np.testing.assert_array_equal(opened(copy).images, IMAGES)


@pytest.mark.parametrize("names", [(("1.png", "3.png"), NAMES[1]), (NAMES[1], NAMES[0])])
def test_other_files_make_it_stale(root, names):
    assert opened(root, names=names) is None


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


def test_labels_follow_the_order_of_the_classes_and_not_that_of_the_counts():
    card = dataclasses.replace(CARD, classes=("c", "a", "b"), counts={"train": {"b": 1, "c": 2}, "test": {}})
    assert packed.labels_of(card, "train").tolist() == [0, 0, 2]
    assert packed.labels_of(card, "test").shape == (0,)
    assert packed.labels_of(card, "test").dtype == np.int64


def test_the_file_is_what_numpy_writes(root):
    np.testing.assert_array_equal(np.load(packed.images_file(root, "train")), IMAGES)
    np.testing.assert_array_equal(np.load(packed.labels_file(root, "train")), [0, 0, 1, 1, 1])


def test_fewer_rows_than_were_promised_are_not_used(root):
    packed.write_split(root, "train", [IMAGES[:4]], IMAGES.shape, packed.labels_of(CARD, "train"))
    assert opened(root) is None


def test_labels_that_do_not_fit_the_counts_are_not_used(root):
    packed.write_split(root, "train", [IMAGES], IMAGES.shape, np.array([0, 1, 1, 1, 1]))
    assert opened(root) is None


def test_a_file_that_is_gone_is_an_error_of_the_system(root):
    (root / "train" / "b" / "1.png").unlink()
    with pytest.raises(FileNotFoundError):
        opened(root)


def test_a_split_is_sealed_without_touching_the_others(root):
    card = dataclasses.replace(CARD, counts={**CARD.counts, "test": {"a": 5, "b": 0}})
    shutil.copytree(root / "train" / "b", root / "test" / "a")
    test = origin(root, card, (NAMES[1], ()), "test")
    packed.write_split(root, "test", [IMAGES], IMAGES.shape, packed.labels_of(card, "test"))
    assert packed.open_split(root, card, "test", test) is None
    packed.seal(root, {"test": test})
    np.testing.assert_array_equal(packed.open_split(root, card, "test", test).images, IMAGES)
    np.testing.assert_array_equal(opened(root).images, IMAGES)


def test_chunks_need_not_be_contiguous(root):
    packed.write_split(root, "train", [IMAGES[::-1]], IMAGES.shape, packed.labels_of(CARD, "train"))
    np.testing.assert_array_equal(opened(root).images, IMAGES[::-1])


@pytest.mark.parametrize("rows", [[], [19], [0, 0, 19, 7, 6], list(range(20))])
def test_stacked_rows_come_in_the_order_that_is_asked_for(rows):
    whole = np.random.default_rng(0).integers(0, 255, (20, 3), dtype=np.uint8)
    stacked = packed.Stacked([whole[:7], whole[7:7], whole[7:]])
    np.testing.assert_array_equal(stacked[np.array(rows, np.int64)], whole[rows])
    assert stacked[np.array(rows, np.int64)].dtype == np.uint8
