"""Packed copies in several files: the same rows and batches as in one, and only what is stale is made again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError
from dlcli.data.card import CARD_NAME
from dlcli.data.images import shards
from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.form import cut_images, open_images
from dlcli.data.images.loader import packed_loader
from dlcli.data.images.packed import Stacked
from dlcli.data.images.writer import PixelSplit, write_pixels
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.order import Order, Shard

TRAIN, TEST, SIZE = 23, 4, 5


class Importer:
    """Small images of one size, or of two."""

    options = None

    def __init__(self, sides: tuple[int, ...] = (6,)) -> None:
        self._sides = sides

    def locate(self, source: Path | None) -> list[Path]:
        return []

    def space_needed(self, files: list[Path]) -> int:
        return 0

    def write(self, files: list[Path], folder: Path, report: Any) -> Any:
        random = np.random.default_rng(0)

        def splits() -> Iterator[PixelSplit]:
            for name, count in (("test", TEST), ("train", TRAIN)):
                images = random.integers(0, 256, (count, self._sides[0], 5, 3), dtype=np.uint8)
                names = [f"{number:02d}.png" for number in range(count)]
                yield PixelSplit(name, [images], np.arange(count) % 2, names)

        card = write_pixels(folder, "toy", ("cat", "dog"), splits(), TRAIN + TEST)
        if len(self._sides) > 1:
            card.details["image_size"] = None
        return card


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that prepares a folder of this name, cut into shards of this size."""
    monkeypatch.setattr("dlcli.data.importing.preparing.options_of", lambda importer: {})
    said: list[str] = []

    def call(name: str, size: int | None, importer: Importer | None = None) -> tuple[Path, bool, list[str]]:
        more = {"shard_size": size, "cut": cut_images}
        folder, how = tmp_path / name, {"command": "dl prepare toy", "force": False, "report": said.append}
        _, is_new = prepare_dataset(importer or Importer(), None, folder, **how, **more)
        return folder, is_new, said

    return call


def files_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in (folder / "packed").glob("*.npy")}


def rows_of(folder: Path, split: str = "train") -> np.ndarray:
    packed = open_images(folder).packed(split)
    assert packed is not None
    return np.concatenate(packed.parts)


def test_a_cut_copy_has_the_rows_of_the_uncut_one_in_files_of_one_size(prepare: Any) -> None:
    whole, cut = prepare("whole", None)[0], prepare("cut", SIZE)[0]
    assert sorted(path.name for path in (cut / "packed").iterdir()) == [
        "shards.json",
        "test.images-00000-of-00001.npy",
        *(f"train.images-0000{number}-of-00005.npy" for number in range(5)),
    ]
    packed = open_images(cut).packed("train")
    assert packed is not None and [len(part) for part in packed.parts] == [5, 5, 5, 5, 3]
    assert all(isinstance(part, np.memmap) for part in packed.parts)
    for split in ("train", "test"):
        assert np.array_equal(rows_of(cut, split), rows_of(whole, split))
        labels = [open_images(folder).packed(split).labels for folder in (cut, whole)]
        assert np.array_equal(*labels)


@pytest.mark.parametrize("size", [1, 5, 23, 1000])
@pytest.mark.parametrize("shard", [Shard(), Shard(1, 2)])
@pytest.mark.parametrize("start", [0, 2])
def test_batches_of_a_seed_are_the_same_from_any_start_and_in_any_process(
    prepare: Any, size: int, shard: Shard, start: int
) -> None:
    batches = []
    for name, wanted in (("whole", None), ("cut", size)):
        packed = open_images(prepare(name, wanted)[0]).packed("train")
        assert packed is not None
        order = Order(np.arange(TRAIN), 4, seed=7, shard=shard)
        loader = packed_loader(packed.images, packed.labels, order, BatchAugmentation(pad=1, flip=True, cutout=2))
        batches.append([batch for epoch in (0, 1) for batch in loader.batches(epoch, start)])
    for one, other in zip(*batches, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in ("images", "labels", "rows"))
        assert all(torch.equal(one["plan"][key], other["plan"][key]) for key in one["plan"])


def test_only_the_shard_of_a_changed_file_is_made_again(prepare: Any) -> None:
    folder = prepare("cut", SIZE)[0]
    before = files_of(folder)
    changed = open_images(folder).files("train")[7]  # in the second shard
    cv2.imwrite(str(changed), np.full((6, 5, 3), 9, np.uint8))
    rows = rows_of(folder)
    assert (rows[7] == 9).all() and not (rows[6] == 9).all()
    after = files_of(folder)
    assert {name for name in after if after[name] != before[name]} == {"train.images-00001-of-00005.npy"}
    assert np.array_equal(rows_of(folder), rows) and files_of(folder) == after


def test_a_removed_file_moves_the_rows_behind_it(prepare: Any) -> None:
    folder = prepare("cut", SIZE)[0]
    before, rows = files_of(folder), rows_of(folder)
    open_images(folder).files("train")[12].unlink()
    assert np.array_equal(rows_of(folder), np.delete(rows, 12, axis=0))
    after = files_of(folder)
    kept = {name for name in after if after[name] == before.get(name)}
    assert kept == {"test.images-00000-of-00001.npy", *(f"train.images-0000{number}-of-00005.npy" for number in (0, 1))}


def test_fewer_images_leave_no_old_files(prepare: Any) -> None:
    folder = prepare("cut", SIZE)[0]
    for path in open_images(folder).files("train")[-9:]:
        path.unlink()
    assert len(rows_of(folder)) == TRAIN - 9
    assert sorted(files_of(folder)) == [
        "test.images-00000-of-00001.npy",
        *(f"train.images-0000{number}-of-00003.npy" for number in range(3)),
    ]


@pytest.mark.parametrize("damage", ["gone", "cut off", "other type", "no array"])
def test_a_damaged_shard_is_made_again(prepare: Any, damage: str) -> None:
    folder = prepare("cut", SIZE)[0]
    rows = rows_of(folder).copy()
    path = folder / "packed" / "train.images-00002-of-00005.npy"
    if damage == "gone":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "other type":
        np.save(path, np.zeros((5, 6, 5, 3), np.int64))
    else:
        path.write_bytes(b"x")
    assert np.array_equal(rows_of(folder), rows)


@pytest.mark.parametrize("index", ["", "[]", '{"schema": 1, "splits": {"train": 3}}', '{"schema": 2}', "[" * 100_000])
def test_a_damaged_record_costs_time_and_no_more(prepare: Any, index: str) -> None:
    folder = prepare("cut", SIZE)[0]
    rows = rows_of(folder).copy()
    (folder / "packed" / "shards.json").write_text(index)
    assert np.array_equal(rows_of(folder), rows)
    assert len(json.loads((folder / "packed" / "shards.json").read_text())["splits"]["train"]) == 5


def test_a_copied_folder_and_one_without_packed_files_are_packed_again(prepare: Any, tmp_path: Path) -> None:
    folder = prepare("cut", SIZE)[0]
    shutil.copytree(folder, tmp_path / "copy")  # keeps the times
    before = files_of(tmp_path / "copy")
    assert np.array_equal(rows_of(tmp_path / "copy"), rows_of(folder)) and files_of(tmp_path / "copy") == before
    shutil.rmtree(tmp_path / "copy" / "packed")
    assert np.array_equal(rows_of(tmp_path / "copy"), rows_of(folder))


def test_where_nothing_can_be_written_the_rows_are_in_memory(prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare("cut", SIZE)[0]
    rows = rows_of(folder).copy()
    (folder / "packed" / "shards.json").unlink()

    def refuse(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(shards, "_write", refuse)
    packed = open_images(folder).packed("train")
    assert packed is not None and len(packed.parts) == 1 and np.array_equal(packed.images, rows)


def test_an_unreadable_image_is_named(prepare: Any) -> None:
    folder = prepare("cut", SIZE)[0]
    bad = open_images(folder).files("train")[3]
    bad.write_bytes(b"x")
    with pytest.raises(DataError, match=bad.name):
        open_images(folder).packed("train")


def test_the_same_command_changes_nothing_and_another_size_cuts_anew(prepare: Any) -> None:
    assert prepare("cut", SIZE)[1] and not prepare("cut", SIZE)[1]
    assert prepare("cut", 10)[1] and not prepare("cut", 10)[1]
    folder, is_new, _ = prepare("cut", None)
    assert is_new and "train.images.npy" in files_of(folder)


def test_images_without_a_packed_copy_are_not_cut_and_that_is_said(prepare: Any) -> None:
    folder, is_new, said = prepare("mixed", SIZE, Importer((6, 7)))
    assert is_new and any("--shard-size changes nothing" in line for line in said)
    assert not prepare("mixed", SIZE, Importer((6, 7)))[1]
    assert not list((folder / "packed").glob("*-of-*"))


@pytest.mark.parametrize("size", [0, -1, "5", 5.0, True, None, [5]])
def test_a_card_with_another_size_is_that_of_an_uncut_copy(prepare: Any, size: Any) -> None:
    folder = prepare("whole", None)[0]
    card = json.loads((folder / CARD_NAME).read_text())
    card["details"]["shard_size"] = size
    (folder / CARD_NAME).write_text(json.dumps(card))
    packed = open_images(folder).packed("train")
    assert packed is not None and len(packed.parts) == 1


def test_bounds_cover_every_row_once() -> None:
    for count in range(12):
        for size in range(1, 14):
            bounds = shards.bounds_of(count, size)
            assert [row for start, end in bounds for row in range(start, end)] == list(range(count))
            assert all(0 < end - start <= size for start, end in bounds)


def test_stacked_arrays_give_rows_in_any_order() -> None:
    whole = np.random.default_rng(0).integers(0, 9, (17, 2), dtype=np.uint8)
    stacked = Stacked(np.split(whole, [3, 4, 11]))
    rows = np.random.default_rng(1).integers(0, 17, 40)
    assert stacked.shape == whole.shape
    assert np.array_equal(stacked[rows], whole[rows])
    assert stacked[rows[:0]].shape == (0, 2)


def test_an_interrupted_writer_leaves_no_half_file(prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare("cut", SIZE)[0]
    (folder / "packed" / "shards.json").unlink()
    before = files_of(folder)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "getpid", os.getpid)
    monkeypatch.setattr(np, "ascontiguousarray", stop)
    with pytest.raises(KeyboardInterrupt):
        open_images(folder).packed("train")
    assert files_of(folder) == before
    assert not list((folder / "packed").glob("*.partial"))
