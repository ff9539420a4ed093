"""Preparing pairs of images: side by side, or in two folders of equal names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys.domains import picture, write_image

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.domains.form import DomainsForm, open_domains
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.domains.options import DomainsOptions
from dlcli.datasets.domains.pairs import PairsImporter


def prepare(source: Path | None, out: Path, **options: Any) -> tuple[Card, DomainsForm]:
    importer = PairsImporter(DomainsOptions(**options))
    card, _ = prepare_dataset(importer, source, out, command="dl prepare pairs", force=False, report=lambda _: None)
    return card, open_domains(out)


def side_by_side(path: Path, number: int) -> None:
    write_image(path, np.concatenate([picture(0, number), picture(1, number)], axis=1))


def assert_pairs(form: DomainsForm) -> None:
    """Check that all pairs show one scene, whose domains differ by 128 everywhere."""
    for split in form.splits():
        for first, second in zip(form.files(split, 0), form.files(split, 1), strict=True):
            assert (form.read(second).astype(int) - form.read(first) == 128).all()


def test_halves_are_cut_left_from_right(tmp_path: Path) -> None:
    for split, numbers in {"train": range(3), "val": range(3, 5), "test": range(5, 6)}.items():
        for number in numbers:
            side_by_side(tmp_path / "sketch2photo" / split / f"{number}.png", number)
    card, form = prepare(tmp_path / "sketch2photo", tmp_path / "out")
    assert card.classes == ("sketch", "photo") and form.is_paired
    assert card.counts == {"train": {"sketch": 3, "photo": 3}, "test": {"sketch": 1, "photo": 1}}
    assert card.warnings == ("the validation split is not used: 2 pairs",)
    assert card.details["image_size"] == [40, 50]
    assert_pairs(form)
    np.testing.assert_array_equal(form.read(form.files("test", 0)[0]), picture(0, 5))


def test_a_validation_split_is_the_test_split_where_there_is_no_other(tmp_path: Path) -> None:
    for split, number in (("train", 0), ("train", 1), ("val", 2)):
        side_by_side(tmp_path / "src" / split / f"{number}.png", number)
    card, form = prepare(tmp_path / "src", tmp_path / "out")
    assert card.warnings == ("the validation split is used as the test split",)
    assert [len(form.files(split, 0)) for split in ("train", "test")] == [2, 1]


def test_a_test_part_is_cut_off_as_pairs(tmp_path: Path) -> None:
    for number in range(10):
        side_by_side(tmp_path / "src" / f"{number}.png", number)
    card, form = prepare(tmp_path / "src", tmp_path / "out", test_fraction=0.3)
    assert card.counts == {"train": {"A": 7, "B": 7}, "test": {"A": 3, "B": 3}}
    assert_pairs(form)


LAYOUTS = {
    "--a and --b": ("first", "second", {}),
    "A and B": ("src/A", "src/B", {}),
    "trainA and trainB": ("src/trainA", "src/trainB", {}),
    "train/A and train/B": ("src/train/A", "src/train/B", {}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_folders_are_matched_by_name(layout: str, tmp_path: Path) -> None:
    first, second, _ = LAYOUTS[layout]
    for number in range(6):
        write_image(tmp_path / first / "deep" / f"{number}.n.png", picture(0, number))
        write_image(tmp_path / second / "deep" / f"{number}.n.bmp", picture(1, number))
    write_image(tmp_path / first / "alone.png", picture(0, 9))
    is_two = layout.startswith("--")
    options = {"a": str(tmp_path / first), "b": str(tmp_path / second)} if is_two else {}
    card, form = prepare(None if is_two else tmp_path / "src", tmp_path / "out", **options)
    assert sum(map(card.num_items, card.splits)) == 12 and form.is_paired
    assert_pairs(form)
    [note] = card.warnings
    assert note.startswith("left out: 1 image of the first domain without a partner of the same name, the first ")
    assert note.endswith("alone.png")


def test_splits_below_the_two_folders_are_used(tmp_path: Path) -> None:
    for split, number in (("train", 0), ("train", 1), ("test", 2)):
        write_image(tmp_path / "src" / "A" / split / f"{number}.png", picture(0, number))
        write_image(tmp_path / "src" / "B" / split / f"{number}.png", picture(1, number))
    card, form = prepare(tmp_path / "src", tmp_path / "out")
    assert card.counts == {"train": {"A": 2, "B": 2}, "test": {"A": 1, "B": 1}}
    np.testing.assert_array_equal(form.read(form.files("test", 1)[0]), picture(1, 2))


def test_a_pair_of_a_damaged_image_is_left_out(tmp_path: Path) -> None:
    for number in range(4):
        write_image(tmp_path / "a" / f"{number}.png", picture(0, number))
        write_image(tmp_path / "b" / f"{number}.png", picture(1, number))
    (tmp_path / "b" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    card, form = prepare(None, tmp_path / "out", a=str(tmp_path / "a"), b=str(tmp_path / "b"))
    assert sum(map(card.num_items, card.splits)) == 6
    assert card.warnings[0] == "left out: 1 file that cannot be used"
    assert_pairs(form)


def test_pairs_of_unequal_sizes_are_counted(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / "a" / f"{number}.png", picture(0, number))
        write_image(tmp_path / "b" / f"{number}.png", picture(1, number, (30, 30) if number == 1 else (40, 50)))
    card, _ = prepare(None, tmp_path / "out", a=str(tmp_path / "a"), b=str(tmp_path / "b"))
    assert card.warnings == (
        "1 pair of unequal sizes, the first 1.png: the second image is brought to the size of the first",
    )
    assert card.details["image_size"] is None


def test_an_odd_width_has_no_halves(tmp_path: Path) -> None:
    for number in range(3):
        side_by_side(tmp_path / "src" / f"{number}.png", number)
    write_image(tmp_path / "src" / "odd.png", picture(0, 1, (40, 101)))
    card, _ = prepare(tmp_path / "src", tmp_path / "out")
    assert card.warnings == ("left out: 1 image without two equal halves, the first odd.png",)
    only = tmp_path / "only"
    write_image(only / "odd.png", picture(0, 1, (40, 101)))
    with pytest.raises(DataError, match=r"cannot be cut into two equal halves, the first odd\.png, 101 pixels wide"):
        prepare(only, tmp_path / "other")


@pytest.mark.parametrize("names", [(), ("A/1.png", "B/2.png")])
def test_no_pair_is_an_error(names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for name in names:
        write_image(tmp_path / "src" / name, picture(0, 1))
    with pytest.raises(DataError, match="no pair of images for training"):
        prepare(tmp_path / "src", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_itself_is_no_pair(tmp_path: Path) -> None:
    for number in range(3):
        for name in ("a", "b"):
            write_image(tmp_path / name / f"{number}.png", picture(0, number))
    with pytest.raises(DataError, match="all images of a are in the other domain too"):
        prepare(None, tmp_path / "out", a=str(tmp_path / "a"), b=str(tmp_path / "b"))
