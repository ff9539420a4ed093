"""Names out of a file stay inside their folder."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.core.errors import DataError
from dlcli.data.importing.names import check_class_names, safe_stem, unique_png_names


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("frog_s_0001.png", "frog_s_0001"),
        ("../../x.png", "x"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "fallback"),
        ("", "fallback"),
        ("a\0b\n.png", "a_b_"),
        ("CON.png", "_CON"),
        ("nul.txt.png", "_nul.txt"),
        (".hidden.png", "hidden"),
        ("猫 猫.PNG", "猫 猫"),
        ("a:b.png", "a_b"),
    ],
)
def test_a_name_becomes_a_safe_stem(name, stem):
    assert safe_stem(name, "fallback") == stem


# Any character, surrogates included. The alphabet of `st.text()` costs seconds: hypothesis finds it by encoding all.
ANYTHING = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"])))


@given(ANYTHING)
def test_no_name_leaves_its_folder(name):
    stem = safe_stem(name, "fallback")
    for path_class in (PurePosixPath, PureWindowsPath):
        path = path_class(f"{stem}.png")
        assert len(path.parts) == 1 and not path.is_absolute() and not path.drive
    assert not stem.startswith(".") and 0 < len(stem.encode()) <= 201
    assert safe_stem(stem, "fallback") == stem


@given(st.lists(st.tuples(st.sampled_from(["a.png", "A.png", "a_2.png", "b", "../a"]), st.integers(0, 1))))
def test_names_of_one_class_are_unique_even_without_case(pairs):
    labels = [label for _, label in pairs]
    names = unique_png_names([name for name, _ in pairs], labels)
    folded = [(label, name.casefold()) for label, name in zip(labels, names, strict=True)]
    assert len(set(folded)) == len(folded)
    assert all(name.endswith(".png") for name in names)


def test_equal_names_are_counted():
    assert unique_png_names(["x.png", "x.png", "x.png", "x.png"], [0, 0, 1, 0]) == [
        "x.png",
        "x_2.png",
        "x.png",
        "x_3.png",
    ]


@pytest.mark.parametrize("names", [["a", "../b"], ["a", ""], ["a", "A"], ["con"], ["a/b"], [".."]])
def test_class_names_that_are_no_folders_are_refused(names):
    with pytest.raises(DataError, match="class name"):
        check_class_names(names, "meta")
