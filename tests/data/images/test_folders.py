"""Folders of images by class: splits by their names, classes and images without what is hidden."""

from __future__ import annotations

import pytest

from dlcli.data.images.decoding import SUFFIX_OF
from dlcli.data.images.folders import IMAGE_SUFFIXES, class_folders, find_layout, holds_images, image_names, is_image


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["cat", "dog"], {"train": "."}),
        (["train", "test"], {"train": "train", "test": "test"}),
        (["Train", "VAL", "Testing"], {"train": "Train", "valid": "VAL", "test": "Testing"}),
        (["training", "validation"], {"train": "training", "valid": "validation"}),
        (["train", "cat"], {"train": "."}),  # a class may be called train
        (["test", "cat"], {"train": "."}),
        (["test"], {"test": "test"}),
        (["val", "valid", "train"], {"train": "train", "valid": "valid"}),
        ([], {"train": "."}),
    ],
)
def test_split_folders_are_known_by_their_names(tmp_path, folders, expected):
    for name in folders:
        (tmp_path / name).mkdir()
    found = find_layout(tmp_path).splits
    assert {split: path.relative_to(tmp_path).as_posix() for split, path in found.items()} == expected
    assert list(found) == [split for split in ("train", "valid", "test") if split in expected]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("cat/a.png", True),
        ("train/cat/a.JPG", True),
        ("val/猫/a.webp", True),
        ("a.png", False),
        ("cat/notes.txt", False),
        ("cat/.a.png", False),
        (".cat/a.png", False),
        ("cat/deep/a.png", True),
        ("cat/.deep/a.png", False),
    ],
)
def test_a_folder_holds_images_where_a_class_folder_has_one(tmp_path, file, expected):
    touch(tmp_path / file)
    assert holds_images(tmp_path) is expected


@pytest.mark.parametrize(
    ("files", "splits", "unlabelled", "unused"),
    [
        (["bus/a.png", "car/a.png", "train/a.png"], {"train": "."}, {}, ()),
        (["bus/a.png", "train/a.png", "train/far/b.png"], {"train": "."}, {}, ()),
        (["bus/a.png", "test/a.png", "val/a.png"], {"train": "."}, {}, ()),
        (["train/ant/a.png", "test/a.png"], {"train": "train"}, {"test": "test"}, ()),
        (["train/ant/a.png", "test/notes.txt"], {"train": "train"}, {}, ()),
        (["train/ant/a.png", "val/ant/a.png", "bus/a.png"], {"train": "train", "valid": "val"}, {}, ("bus",)),
        (["train/ant/a.png", "bus/notes.txt"], {"train": "train"}, {}, ()),
        (["train/a.png", "test/a.png"], {"train": "train", "test": "test"}, {}, ()),  # unlabelled, not two classes
    ],
)
def test_a_split_has_class_folders(tmp_path, files, splits, unlabelled, unused):
    touch(*(tmp_path / file for file in files))
    layout = find_layout(tmp_path)
    found = [
        {s: f.relative_to(tmp_path).as_posix() for s, f in part.items()} for part in (layout.splits, layout.unlabelled)
    ]
    assert (*found, layout.unused) == (splits, unlabelled, unused)
    assert len(layout.notes()) == len(unlabelled) + len(unused)


def test_hidden_and_other_files_are_neither_classes_nor_images(tmp_path):
    names = ["狗/2.PNG", "狗/10.jpeg", "狗/.a.png", "狗/notes.txt", "狗/png", "cat/a.bmp", ".git/a.png", "README.png"]
    touch(*(tmp_path / name for name in names))
    (tmp_path / "狗" / "folder.png").mkdir()
    assert class_folders(tmp_path) == ["cat", "狗"]
    assert image_names(tmp_path / "狗") == ["10.jpeg", "2.PNG"]
    assert image_names(tmp_path / "bird") == []


def test_every_format_that_is_decoded_is_found_by_its_suffix(tmp_path):
    assert set(SUFFIX_OF.values()) <= set(IMAGE_SUFFIXES)
    touch(*(tmp_path / f"a{suffix}" for suffix in IMAGE_SUFFIXES))
    assert len(image_names(tmp_path)) == len(IMAGE_SUFFIXES)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, True),
        (b"\xff\xd8\xff\xe0", True),
        (b"RIFF\x10\0\0\0WEBPVP8 ", True),
        (b"BM" + b"\0" * 12 + b"\x28\0\0\0", True),
        (b"P5\n8 8\n255\n", True),
        (b"GIF89a", True),  # cannot be decoded, and is reported
        (b"BM is not only a format", False),
        (b"P5 was a class", True),
        (b"P5", False),
        (b"RIFF\x10\0\0\0WAVE", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("name", ["photo", "photo.large", "photo.jpg_"])
def test_without_a_known_suffix_the_first_bytes_decide(tmp_path, name, head, expected):
    (tmp_path / name).write_bytes(head)
    assert is_image(str(tmp_path / name)) is expected
    assert image_names(tmp_path) == [name] * expected


def test_a_class_is_listed_once_and_never_from_a_folder_around_it(tmp_path):
    touch(tmp_path / "root" / "cat" / "a.png", tmp_path / "far" / "b.png")
    root = tmp_path / "root"
    for name, target in (
        ("dog", "../far"),
        ("kitty", "cat"),
        ("all", "."),
        ("up", ".."),
        ("gone", "x"),
        ("loop", "loop"),
    ):
        (root / name).symlink_to(target)
    skipped = []
    assert class_folders(root, skipped) == ["cat", "dog"]
    assert sorted(line.rpartition("/")[2].partition(":")[0] for line in skipped) == [
        "all",
        "gone",
        "kitty",
        "loop",
        "up",
    ]
