from __future__ import annotations

import pytest

from dlcli.data.images.folders import is_image
from dlcli.data.inputs import expand_files, stem_of


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Images in two folders, one of them named in Chinese, and what is none."""
    monkeypatch.chdir(tmp_path)
    names = ["b.png", "a.JPG", ".hidden.png", "notes.txt", "猫 图/c.webp", "猫 图/deep/d.bmp", "set[1]/e.png", "1.png"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def expand(*inputs):
    return [path.replace("\\", "/") for path in expand_files(inputs, is_image)]


def test_a_named_file_is_taken_whatever_its_suffix(place):
    assert expand("notes.txt", "b.png") == ["notes.txt", "b.png"]


def test_a_folder_is_searched_in_the_order_of_names_and_hidden_files_are_left_out(place):
    assert expand("猫 图") == ["猫 图/c.webp", "猫 图/deep/d.bmp"]
    assert expand(".") == ["1.png", "a.JPG", "b.png", "set[1]/e.png", "猫 图/c.webp", "猫 图/deep/d.bmp"]


def test_a_glob_that_the_shell_left_closed_is_opened(place):
    assert expand("*.png") == ["1.png", "b.png"]
    assert expand("**/*.bmp") == ["猫 图/deep/d.bmp"]
    assert expand(str(place / "?.JPG")) == [str(place / "a.JPG")]


def test_a_file_whose_name_looks_like_a_glob_is_itself(place):
    assert expand("set[1]/e.png") == ["set[1]/e.png"]
    assert expand("set[1]") == ["set[1]/e.png"]


@pytest.mark.parametrize("name", ["gone.png", "no-*.png"])
def test_what_is_nothing_is_handed_on_for_its_reader_to_tell(place, name):
    assert expand(name) == [name]


def test_inputs_keep_their_order_and_may_repeat(place):
    assert expand("b.png", "猫 图", "b.png") == ["b.png", "猫 图/c.webp", "猫 图/deep/d.bmp", "b.png"]


def test_other_suffixes_may_be_asked_for(place):
    assert list(expand_files(["."], frozenset({".txt"}))) == ["notes.txt"]


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("photos/猫 1.png", "猫_1"),
        ("a.tar.gz", "a.tar"),
        ("/x/.hidden.png", "hidden"),
        ("houses.csv:12", "houses"),
        ("今天 天气，很好！", "今天_天气_很好"),
        ("???", "input"),
        ("", "input"),
        ("..", "input"),
        ("x" * 61, "x" * 60),
        ("词 " * 200, ("词_" * 30).rstrip("_")),
        ("../../etc/passwd", "passwd"),
    ],
)
def test_a_picture_is_called_after_its_input(source, stem):
    assert stem_of(source) == stem
