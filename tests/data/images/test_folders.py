"""Folders of images by class: splits by their names, classes and images without what is hidden."""

from __future__ import annotations

import pytest

from dlcli.data.images.decoding import SUFFIX_OF
from dlcli.data.images.folders import IMAGE_SUFFIXES, class_folders, find_splits, holds_images, image_names


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
        (["train", "cat"], {"train": "train"}),  # other folders beside a training split are no classes
        (["test", "cat"], {"train": "."}),  # a class may be called test
        (["test"], {"test": "test"}),
        (["val", "valid", "train"], {"train": "train", "valid": "valid"}),
        ([], {"train": "."}),
    ],
)
def test_split_folders_are_known_by_their_names(tmp_path, folders, expected):
    for name in folders:
        (tmp_path / name).mkdir()
    found = find_splits(tmp_path)
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
        ("cat/deep/a.png", False),
    ],
)
def test_a_folder_holds_images_where_a_class_folder_has_one(tmp_path, file, expected):
    touch(tmp_path / file)
    assert holds_images(tmp_path) is expected


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
