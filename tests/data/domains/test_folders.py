"""Which folders hold two domains, and which hold two classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.data.domains.folders import domain_names, find_domains, holds_domains
from dlcli.data.forms import form_of


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / "1.png").write_bytes(b"")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("trainA", "trainB", "testA", "testB"), {"train": ("trainA", "trainB"), "test": ("testA", "testB")}),
        (("train_a", "train_b"), {"train": ("train_a", "train_b")}),
        (("train/A", "train/B", "test/A", "test/B"), {"train": ("train/A", "train/B"), "test": ("test/A", "test/B")}),
        (("train/A", "train/B", "test/A"), {"train": ("train/A", "train/B")}),
        (("training/A", "training/B"), {"train": ("training/A", "training/B")}),
    ],
)
def test_both_layouts_are_found(tmp_path: Path, names: tuple[str, ...], found: dict[str, tuple[str, str]]) -> None:
    put(tmp_path, *names)
    layout = find_domains(tmp_path)
    assert layout is not None
    assert layout.folders == {split: (tmp_path / a, tmp_path / b) for split, (a, b) in found.items()}
    form = form_of(tmp_path)
    assert form is not None and form.name == "domains"


@pytest.mark.parametrize(
    "names",
    [
        ("train/cat", "train/dog", "test/cat", "test/dog"),
        ("cat", "dog"),
        ("A", "B"),
        ("train/A", "train/B", "train/C"),
        ("train/a", "train/b"),
        ("trainA", "testA", "testB"),
        ("testA", "testB"),
    ],
)
def test_classes_are_left_to_images_by_class(tmp_path: Path, names: tuple[str, ...]) -> None:
    put(tmp_path, *names)
    assert find_domains(tmp_path) is None
    form = form_of(tmp_path)
    assert form is not None and form.name == "images"


def test_empty_folders_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "trainA").mkdir()
    (tmp_path / "trainB").mkdir()
    assert not holds_domains(tmp_path)
    (tmp_path / "trainB" / "1.png").write_bytes(b"")
    assert holds_domains(tmp_path)


def test_folders_beside_the_domains_are_named(tmp_path: Path) -> None:
    put(tmp_path, "trainA", "trainB", "valA", "testA")
    layout = find_domains(tmp_path)
    assert layout is not None
    assert layout.notes() == ["testA/, valA/: not used"]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("apple2orange", ("apple", "orange")),
        ("summer2winter_yosemite", ("summer", "winter_yosemite")),
        ("Tag2Nacht", ("Tag", "Nacht")),
        ("photo2photo", ("A", "B")),
        ("Photo2photo", ("A", "B")),
        ("data2024", ("A", "B")),
        ("fruit", ("A", "B")),
        ("a2b2c", ("A", "B")),
        ("con2photo", ("A", "B")),
        ("苹果2橙子", ("苹果", "橙子")),
    ],
)
def test_domains_are_named_by_the_folder(name: str, names: tuple[str, str]) -> None:
    assert domain_names(name) == names
