"""Finding images by the names that annotations give them, and never outside of their folder."""

from __future__ import annotations

import math

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.formats.places import ImageFinder, number, read_text


@pytest.mark.parametrize(
    ("name", "beside", "found"),
    [
        ("a.jpg", "x", "x/a.jpg"),
        ("a.jpg", "", "a.jpg"),
        ("../x/a.jpg", "y", "x/a.jpg"),
        ("..\\x\\a.jpg", "y", "x/a.jpg"),
        ("/home/ann/x/a.jpg", "", "x/a.jpg"),
        ("../../x/a.jpg", "", "x/a.jpg"),
        ("b.jpg", "", "x/b.jpg"),
        ("c.jpg", "", None),
        ("y/b.jpg", "", None),
        ("", "", None),
        ("..", "", None),
        ("/etc/passwd", "", None),
    ],
)
def test_find(tmp_path, picture, name, beside, found):
    for place in ("a.jpg", "x/a.jpg", "x/b.jpg", "x/c.jpg", "y/c.jpg"):
        picture(place)
    assert ImageFinder(tmp_path).find(name, beside) == found


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "C:\\x\\a.jpg", "a\0b", "", "x" * 999])
def test_a_missing_image_would_be_inside_the_folder(tmp_path, name):
    path = ImageFinder(tmp_path).missing(name)
    assert path.parent == tmp_path
    assert not path.exists()


def test_numbers():
    assert [number(value) for value in (1, "2.5", True, None, "x", [1])] == [1, 2.5, None, None, None, None]
    assert number(10**400) == math.inf


def test_texts_are_bounded(put):
    assert read_text(put("a.txt", b"\xef\xbb\xbfa")) == "a"
    with pytest.raises(DataError, match="larger"):
        read_text(put("b.txt", "abc"), max_bytes=2)
