"""Decoded images: each is decoded once, faults are not remembered, and the file ends with its cache."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.images import cache as module
from dlcli.data.images.cache import PixelCache

SIZES = [(2, 3), (4, 1), (1, 1)]


class Reader:
    """Reads images of noise, counts how often, and fails for rows in `broken`; picklable."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.broken: set[int] = set()

    def __call__(self, row: int) -> np.ndarray:
        self.calls[row] += 1
        if row in self.broken:
            raise DataError(f"{row}.jpg: damaged")
        return image(row)


def image(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (*SIZES[row], 3), np.uint8)


def assert_whole(cache: PixelCache) -> None:
    for row in (2, 0, 1, 0, 2):
        assert np.array_equal(cache[row], image(row))


@pytest.mark.parametrize(("kind", "times"), [("ram", [1, 1, 1]), ("disk", [1, 1, 1]), ("none", [2, 1, 2])])
def test_an_image_is_decoded_once_where_it_is_kept(kind: Any, times: list[int], tmp_path: Path) -> None:
    read = Reader()
    cache = PixelCache(SIZES, read, kind, tmp_path)
    assert_whole(cache)
    assert [read.calls[row] for row in range(3)] == times
    assert cache.num_bytes == 3 * (6 + 4 + 1)


@pytest.mark.parametrize("kind", ["ram", "disk"])
def test_an_image_that_failed_is_tried_again_and_leaves_the_others(kind: Any, tmp_path: Path) -> None:
    read = Reader()
    read.broken = {1}
    cache = PixelCache(SIZES, read, kind, tmp_path)
    for _ in range(2):
        with pytest.raises(DataError, match=r"1\.jpg: damaged"):
            cache[1]
    read.broken = set()
    assert_whole(cache)
    assert read.calls == {0: 1, 1: 3, 2: 1}


def test_forked_workers_read_what_another_has_decoded() -> None:
    read = Reader()
    cache = PixelCache(SIZES, read, "ram")
    child = os.fork()
    if child == 0:
        cache[0]
        os._exit(0)
    os.waitpid(child, 0)
    assert_whole(cache)
    assert read.calls == {1: 1, 2: 1}


@pytest.mark.parametrize(("kind", "expected"), [("disk", {}), ("ram", {0: 1}), ("none", {0: 1})])
def test_a_process_that_is_not_forked_shares_the_file_alone(kind: Any, expected: Any, tmp_path: Path) -> None:
    cache = PixelCache(SIZES, Reader(), kind, tmp_path)
    cache[0]
    other = pickle.loads(pickle.dumps(cache))
    other._read.calls.clear()
    assert np.array_equal(other[0], image(0))
    assert other._read.calls == expected


def test_the_file_is_deleted_with_its_cache_and_by_its_own_process(tmp_path: Path) -> None:
    cache = PixelCache(SIZES, Reader(), "disk", tmp_path / "new")
    [file] = (tmp_path / "new").iterdir()
    module._delete(file, os.getpid() + 1)  # as when a forked worker ends
    assert file.exists()
    del cache
    gc.collect()
    assert not file.exists()


def test_no_images_need_no_file(tmp_path: Path) -> None:
    assert PixelCache([], Reader(), "disk", tmp_path).num_bytes == 0
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_before_a_byte_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(DataError, match=r"for the decoded images, of which 0\.0 GB are free") as caught:
        PixelCache(SIZES, Reader(), "disk", tmp_path)
    assert caught.value.hint == "use --cache ram or --cache none"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        PixelCache(SIZES, Reader(), "disk", tmp_path / "file" / "inside")


def test_more_than_the_address_space_is_refused_with_the_other_kinds() -> None:
    with pytest.raises(DataError, match="of memory for the decoded images") as caught:
        PixelCache([(2**31, 2**29)], Reader(), "ram")
    assert caught.value.hint == "use --cache disk or --cache none"
