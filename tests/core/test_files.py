from __future__ import annotations

import errno
import json
import math
import os

import pytest

from dlcli.core.files import atomic_file, finite, write_json, write_text


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
