"""Copies are found by their bytes, those in several classes are named, and little is read for it."""

from __future__ import annotations

import pytest

from dlcli.data.images import copies
from dlcli.data.images.copies import contradictions, first_copies, note_contradictions
from dlcli.data.images.form import open_images


@pytest.fixture
def folder(tmp_path):
    from PIL import Image

    for place, name, values in (("ant", "1", 10), ("ant", "2", 20), ("bee", "1", 30), ("bee", "3", 20)):
        path = tmp_path / place / f"{name}.bmp"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), values).save(path)
    return tmp_path


def test_a_copy_in_another_class_is_named(folder):
    [note] = contradictions(open_images(folder))
    assert note.startswith("1 image is in several classes: the first is ant/2.bmp, in ant, bee")
    assert note_contradictions(open_images(folder)).card.warnings == (note,)


def test_a_copy_in_the_same_class_contradicts_nothing(folder):
    (folder / "bee" / "3.bmp").unlink()
    (folder / "ant" / "3.bmp").write_bytes((folder / "ant" / "2.bmp").read_bytes())
    assert contradictions(open_images(folder)) == []


def test_copies_are_found_across_splits(folder):
    for name in ("train", "test"):
        (folder / name / "ant").mkdir(parents=True)
        (folder / name / "bee").mkdir(parents=True)
    for place, target in (("ant/1", "train/ant/1"), ("ant/2", "train/ant/2"), ("bee/1", "train/bee/1")):
        (folder / f"{place}.bmp").rename(folder / f"{target}.bmp")
    (folder / "bee" / "3.bmp").rename(folder / "test" / "bee" / "3.bmp")
    (folder / "ant").rmdir()
    (folder / "bee").rmdir()
    assert "train/ant/2.bmp" in contradictions(open_images(folder))[0]


def test_files_of_a_size_of_their_own_are_not_read(folder, monkeypatch):
    (folder / "bee" / "3.bmp").write_bytes((folder / "bee" / "3.bmp").read_bytes() + b"\0")
    read = []
    monkeypatch.setattr(copies, "read_bytes", lambda path: read.append(path.name) or path.read_bytes())
    assert contradictions(open_images(folder)) == []
    assert read == ["1.bmp", "2.bmp", "1.bmp"]


def test_too_many_bytes_are_not_read(folder, monkeypatch):
    monkeypatch.setattr(copies, "MAX_COMPARED_BYTES", 1000)
    assert contradictions(open_images(folder)) == []


def test_each_file_has_the_index_of_its_first_copy(folder):
    files = open_images(folder).files("train")  # ant/1, ant/2, bee/1, bee/3
    files += [folder / "gone.bmp", folder / "ant" / "1.bmp"]
    assert first_copies(files).tolist() == [0, 1, 2, 1, 4, 0]


def test_copies_among_too_many_bytes_are_not_looked_for(folder, monkeypatch):
    monkeypatch.setattr(copies, "MAX_COMPARED_BYTES", 1000)
    monkeypatch.setattr(copies, "read_bytes", lambda path: pytest.fail(f"{path} is read"))
    assert first_copies(open_images(folder).files("train")).tolist() == [0, 1, 2, 3]
