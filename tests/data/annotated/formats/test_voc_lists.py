"""The lists of Pascal VOC: which split comes first, lines as tools write them, classes of images, bounds."""

from __future__ import annotations

import itertools

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.formats import voc_lists
from dlcli.data.annotated.formats.voc_lists import SPLIT_OF, Lists, read_lists

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


@pytest.fixture
def listed(tmp_path, put):
    """Return a function that reads lists by their names, among images of which there are XML files."""

    def read(lists, task="", known=()):
        for name, content in lists.items():
            put(f"ImageSets/{name}.txt", content)
        names = [f"ImageSets/{name}.txt" for name in lists] + [f"Annotations/{name}.xml" for name in known]
        return read_lists(tmp_path, names, task)

    return read


def splits(lists):
    return {stem: split for stem, (_, split) in lists.splits.items()}


@pytest.mark.parametrize("order", list(itertools.permutations(("test", "val", "train", "trainval"))))
def test_what_is_measured_comes_first_in_any_order_of_the_files(listed, order):
    content = {"test": "a\n", "val": "a\nb\n", "train": "a\nb\nc\n", "trainval": "a\nb\nc\nd\n"}
    found = listed({f"Main/{name}": content[name] for name in order})
    assert splits(found) == {"a": "test", "b": "valid", "c": "train", "d": "train"}


@pytest.mark.parametrize(
    ("name", "split"), [*SPLIT_OF.items(), ("Train", "train"), ("Validation", "valid"), ("TEST", "test")]
)
@pytest.mark.parametrize("folder", ["Main", "main", "Segmentation"])
def test_each_list_alone(listed, name, split, folder):
    assert listed({f"{folder}/{name}": "2007_000027\n"}) == Lists({"2007_000027": ("2007_000027", split)}, {}, False)


def test_lists_with_capitals_are_those_of_splits_and_classes(listed):
    found = listed({"Main/Train": "a", "Main/Validation": "b", "Main/Cat_Validation": "b 1"})
    assert splits(found) == {"a": "train", "b": "valid"}
    assert found.tags == {"b": ("Cat",)} and found.notes == ()


def test_a_list_of_no_known_split_is_noted(listed):
    found = listed({"Main/default": "a", "Segmentation/fold 1": "a", "Layout/person": "a", "Main/train": "b"})
    assert splits(found) == {"b": "train"}
    (note,) = found.notes
    assert note == "ImageSets/Main/default.txt: a list of no split and no class that is known, not used; 2 such"


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("boxes", {"a": "train", "b": "valid"}),
        ("masks", {"b": "train", "c": "test"}),
        ("semantic", {"b": "train", "c": "test"}),
        ("", {"a": "train", "b": "valid", "c": "test"}),
        ("tags", {"a": "train", "b": "valid", "c": "test"}),
    ],
)
def test_the_lists_that_a_task_reads(listed, task, expected):
    content = {"Main/train": "a", "Main/val": "b", "Segmentation/train": "b", "Segmentation/test": "c"}
    assert splits(listed(content, task)) == expected


@pytest.mark.parametrize(("task", "folder"), [("boxes", "Segmentation"), ("masks", "Main"), ("semantic", "Main")])
def test_a_task_without_lists_reads_the_others(listed, task, folder):
    assert splits(listed({f"{folder}/val": "a"}, task)) == {"a": "valid"}


def test_other_files_are_no_lists(listed, tmp_path, put):
    for name in ("train.txt", "lists/Main/train.txt", "ImageSets/train.txt", "ImageSets/Main/old/train.txt"):
        put(name, "a\n")
    put("ImageSets/Main/train.csv", "a\n")
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")]
    assert len(names) == 5
    assert read_lists(tmp_path, names, "") == Lists({}, {}, False)
    assert listed({"Layout/train": "a", "Action/everything": "a"}) == Lists({}, {}, False)


def test_lists_of_several_years_are_joined(tmp_path, put):
    put("VOC2007/ImageSets/Main/train.txt", "a\nb\n")
    put("VOC2012/ImageSets/Main/train.txt", "c\n")
    put("VOC2012/ImageSets/Main/val.txt", "b\n")
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.txt")]
    assert splits(read_lists(tmp_path, names, "boxes")) == {"a": "train", "b": "valid", "c": "train"}


@pytest.mark.parametrize(
    ("line", "known", "expected"),
    [
        ("a", ["a"], ("a", "a")),
        ("  a.jpg\t\r", ["a"], ("a", "a.jpg")),
        ("A.JPG", ["a"], ("a", "A.JPG")),
        ("JPEGImages/a.jpg", ["a"], ("a", "a.jpg")),
        ("C:\\photos\\a.png", ["a"], ("a", "a.png")),
        ("../../etc/a", ["a"], ("a", "a")),  # only the name counts
        ("JPEGImages/a.jpg Annotations/a.xml", ["a"], ("a", "a.jpg")),
        ("a.jpg\ta.xml", ["a"], ("a", "a.jpg")),
        ("my a.jpg", ["my a"], ("my a", "my a.jpg")),
        ("my a.jpg", ["my a", "my"], ("my a", "my a.jpg")),  # a name with a blank before its first word
        ("my a", [], ("my a", "my a")),
        ("v1.2", ["v1.2"], ("v1.2", "v1.2")),  # no suffix of an image
        ("e\u0301te\u0301", [], ("été", "e\u0301te\u0301")),  # as macOS writes it
    ],
)
def test_a_line(listed, line, known, expected):
    stem, name = expected
    assert listed({"Main/val": f"\n{line}\n\n"}, known=known).splits == {stem: (name, "valid")}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(listed, encoding, end):
    found = listed(
        {"Main/val": f"été{end}b{end}".encode(encoding), "Main/cat_val": f"été  1{end}b -1".encode(encoding)}
    )
    assert found == Lists({"été": ("été", "valid"), "b": ("b", "valid")}, {"été": ("cat",)}, True)


def test_bytes_that_are_no_text_lose_only_their_line(listed):
    assert set(listed({"Main/val": b"a\n\xff\xc3\nb\n"}).splits) == {"a", "\ufffd\ufffd", "b"}


def test_classes_are_shown_by_1_alone(listed):
    found = listed(
        {
            "Main/cat_train": "a  1\nb -1\nc  0\nmy d.jpg  1\n",
            "Main/big_dog_val": "a  1\na  1\nb\t1\n",
            "Main/my_val_trainval": "c 1\n",
            "Main/bird_test": "a -1\n",
            "Main/fish_all": "a  1\n",
            "Segmentation/cow_train": "a  1\n",
        }
    )
    assert found.tags == {"a": ("big_dog", "cat"), "b": ("big_dog",), "c": ("my_val",), "my d": ("cat",)}
    assert found.has_tags and found.splits == {}


@pytest.mark.parametrize("content", ["", "1\n", "a\n", "a 2\n", "a 1.0\n", "a1\n"])
def test_a_list_of_a_class_without_images_is_one_all_the_same(listed, content):
    assert listed({"Main/cat_train": content}) == Lists({}, {}, True)


def test_a_list_above_its_bound_is_refused_and_never_cut(listed, monkeypatch):
    monkeypatch.setattr(voc_lists, "_MAX_BYTES", 4)
    assert set(listed({"Main/train": "a\nb\n"}).splits) == {"a", "b"}
    for lists in ({"Main/train": "a\nb\nc"}, {"Main/cat_train": "a 1\nb"}):
        with pytest.raises(DataError, match=r"train\.txt: larger than 0 MiB"):
            listed(lists)


def test_a_list_that_is_gone_or_a_folder_lists_nothing(tmp_path, put):
    put("ImageSets/Main/val.txt", "a")
    (tmp_path / "ImageSets/Main/test.txt").mkdir()
    names = [f"ImageSets/Main/{name}.txt" for name in ("train", "test", "val")]
    assert splits(read_lists(tmp_path, names, "")) == {"a": "valid"}
