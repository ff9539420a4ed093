from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re

import pytest

from dlcli.core.files import (
    atomic_file,
    file_sha256,
    finite,
    hidden_beside,
    numbered_folder,
    staging_folder,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_file(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]  # noqa: PTH208


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"n": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"n": 2})
    assert path.read_text() == '{\n  "n": 1\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_what_json_has_no_number_for_is_null_however_deep_it_lies():
    value = {"a": math.nan, "b": [1, (math.inf, 2.5), {"c": -math.inf}], "d": "nan", "e": True, "f": None}
    expected = {"a": None, "b": [1, [None, 2.5], {"c": None}], "d": "nan", "e": True, "f": None}
    assert finite(value) == expected
    assert json.loads(json.dumps(finite(value), allow_nan=False)) == expected


@pytest.mark.parametrize("size", [0, 1, 2**18, 2**20 + 3])
def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path, size):
    data = bytes(range(256)) * (size // 256 + 1)
    path = tmp_path / "a.bin"
    path.write_bytes(data[:size])
    assert file_sha256(path) == hashlib.sha256(data[:size]).hexdigest()


def test_what_a_block_moves_out_of_its_staging_folder_stays_and_the_folder_goes(tmp_path):
    target = tmp_path / "new" / "deep" / "model.onnx"
    with staging_folder(target) as staging:
        assert staging.parent == target.parent
        assert staging == hidden_beside(target, "partial")
        (staging / "draft").write_text("done")
        (staging / "leftover").write_text("not needed")
        (staging / "draft").rename(target)
    assert target.read_text() == "done"
    assert [path.name for path in target.parent.iterdir()] == ["model.onnx"]


def test_the_staging_folder_itself_may_take_the_place(tmp_path):
    target = tmp_path / "data" / "toy"
    with staging_folder(target) as staging:
        (staging / "a.txt").write_text("a")
        staging.rename(target)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "data",
        "data/toy",
        "data/toy/a.txt",
    ]


def test_a_failed_block_leaves_nothing_not_even_the_parents_made_for_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), staging_folder(tmp_path / "a" / "b" / "toy") as staging:
        (staging / "half").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_leaves_parents_that_were_there_or_are_in_use(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="stop"), staging_folder(tmp_path / "a" / "b" / "toy"):
        (tmp_path / "a" / "b" / "of-someone-else").write_text("x")
        raise ValueError("stop")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["of-someone-else"]


def test_a_staging_folder_begins_empty_where_a_killed_process_of_that_number_left_one(tmp_path):
    leftover = hidden_beside(tmp_path / "toy", "partial")
    leftover.mkdir()
    (leftover / "old").write_text("old")
    with staging_folder(tmp_path / "toy") as staging:
        assert list(staging.iterdir()) == []


def test_where_no_folder_can_be_made_nothing_changes(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError), staging_folder(tmp_path / "file" / "toy"):
        raise AssertionError("the block must not run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_json_is_written_for_people_and_read_back(tmp_path):
    path = tmp_path / "新" / "a.json"
    write_json(path, {"名字": ["猫", 1.5, None]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"名字": ["猫", 1.5, None]}
    assert "猫" in path.read_text(encoding="utf-8")
    assert path.read_bytes().endswith(b"}\n")


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.json", "1\n")]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with atomic_file(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_where_a_folder_stands_the_file_is_not_written(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="a"):
        write_text(tmp_path / "a", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_hidden_names_of_a_path_are_its_neighbours_and_differ_by_kind(tmp_path):
    path = tmp_path / "数据.tar.gz"
    hidden = {kind: hidden_beside(path, kind) for kind in ("partial", "old")}
    assert {other.parent for other in hidden.values()} == {tmp_path}
    assert re.fullmatch(rf"\.数据\.tar\.gz\.{os.getpid()}-[0-9a-f]{{8}}\.partial", hidden["partial"].name)
    assert len({path, *hidden.values()}) == 3


def test_a_file_that_is_not_there_has_no_digest(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_sha256(tmp_path / "no.bin")


@pytest.mark.parametrize("value", [True, 0, "nan", "", None, [], {}])
def test_finite_values_stay_as_they_are(value):
    assert finite(value) == value
    assert type(finite(value)) is type(value)


def test_a_numbered_folder_has_the_number_behind_the_highest_that_is_taken(tmp_path):
    for name in ("a-1", "a-7", "a-x", "ab-9", "b-2"):
        (tmp_path / name).mkdir()
    assert [numbered_folder(tmp_path, stem).name for stem in ("a", "a", "b", "c+")] == ["a-8", "a-9", "b-3", "c+-1"]
    assert (tmp_path / "c+-1").is_dir()
