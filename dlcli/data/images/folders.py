"""The folders of the form "images by class": lists splits, classes and image files without opening any file."""

from __future__ import annotations

import os
from pathlib import Path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}


def holds_images(root: Path) -> bool:
    """Return whether a folder holds images by class, with or without folders for the splits."""
    return any(image_names(folder / name) for folder in find_splits(root).values() for name in class_folders(folder))


def find_splits(root: Path) -> dict[str, Path]:
    """Return split -> folder: the existing split folders, or the folder itself as the training split."""
    there = {name.casefold(): root / name for name in class_folders(root)}
    found = {split: there[name] for split, names in SPLIT_FOLDERS.items() for name in names[::-1] if name in there}
    has_only_splits = set(there) <= {name for names in SPLIT_FOLDERS.values() for name in names}
    return found if "train" in found or (found and has_only_splits) else {"train": root}


def class_folders(folder: Path) -> list[str]:
    """Return the names of the class folders, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def image_names(folder: Path) -> list[str]:
    """Return the names of the image files in a class folder, sorted; none if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
            )
    except FileNotFoundError:
        return []
