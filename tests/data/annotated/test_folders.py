"""Images are found by the names that annotations give them, and never outside of their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.folders import ImageIndex, read_json, split_of_path, split_of_word, stem_of

ROOT = Path("root")


@pytest.mark.parametrize(
    ("name", "near", "found"),
    [
        ("1.jpg", "", "a/1.jpg"),
        ("1.png", "", "b/1.png"),
        ("1", "b/x.xml", "b/1.png"),
        ("1.jpg", "c/xml/1.xml", "c/images/1.jpg"),
        ("D:\\data\\c\\images\\1.jpg", "", "c/images/1.jpg"),
        ("/data/a/1.jpg", "", "a/1.jpg"),
        ("../../1.jpg", "a/1.xml", "a/1.jpg"),
        ("e\u0301.JPEG", "", "é.jpg"),
        ("photo 2.v1", "", "photo 2.v1.jpg"),
        ("2.jpg", "", None),
        ("", "", None),
    ],
)
def test_the_nearest_image_of_a_name(name, near, found):
    index = ImageIndex(ROOT, ["a/1.jpg", "b/1.png", "c/images/1.jpg", "é.jpg", "photo 2.v1.jpg"])
    assert index.find(name, near) == (ROOT / found if found else None)


def test_stems_and_splits_of_names():
    assert stem_of("x\\Photo.final.JPG") == "photo.final" and stem_of("id 7") == "id 7"
    words = {
        "train2017": "train",
        "pascal_val2007": "valid",
        "trainval": "train",
        "Test": "test",
        "detrain": "",
        "": "",
    }
    assert {word: split_of_word(word) for word in words} == words
    paths = {"val/a.xml": "valid", "x/Train/y/a.xml": "train", "train.xml": "", "a/testing/b.jpg": "test"}
    assert {path: split_of_path(path) for path in paths} == paths


def test_a_json_file_is_bounded_and_its_faults_are_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {"a": 1}
    with pytest.raises(DataError, match="larger than 0 MiB"):
        read_json(path, 5)
    for content in (b"{", b"\xff", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not JSON"):
            read_json(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_json(tmp_path / "none.json")
