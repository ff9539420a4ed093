"""Opening images of two domains: a prepared folder, or a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toys.domains import picture, write_image, write_own, write_prepared

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.data.card import Card
from dlcli.data.domains.form import matched, open_domains


def test_a_folder_of_ones_own_is_read_as_it_is(tmp_path: Path) -> None:
    root = write_own(tmp_path / "night2day", {"trainA": 3, "trainB": 4, "testA": 1, "testB": 2})
    form = open_domains(root)
    assert form.splits() == ("train", "test")
    assert form.card.classes == ("night", "day")
    assert form.card.counts == {"train": {"night": 3, "day": 4}, "test": {"night": 1, "day": 2}}
    assert not form.is_paired and not form.is_prepared
    assert form.files("train", 1) == [root / "trainB" / f"{number:03d}.png" for number in range(4)]
    np.testing.assert_array_equal(form.read(form.files("test", 1)[1]), picture(1, 1))


def test_a_test_split_of_one_domain_is_left_out_and_named(tmp_path: Path) -> None:
    form = open_domains(write_own(tmp_path / "x", {"trainA": 1, "trainB": 1, "testA": 2, "testB": 0}))
    assert form.splits() == ("train",)
    assert form.card.warnings == ("testB/ has no images: there is no test split",)


def test_a_domain_without_training_images_is_an_error(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 2, "trainB": 0})
    with pytest.raises(DataError, match="trainB: no images, and training needs some of both domains"):
        open_domains(root)


def test_other_folders_are_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images of two domains") as caught:
        open_domains(tmp_path)
    assert "trainA/ and trainB/" in caught.value.details[0]


def test_a_prepared_folder_is_recounted(tmp_path: Path) -> None:
    root = write_prepared(tmp_path, {"train": (3, 4), "test": (2, 2)})
    assert open_domains(root).card.warnings == ()
    (root / "train" / "day" / "001.png").unlink()
    form = open_domains(root)
    assert form.is_prepared
    assert form.card.counts["train"] == {"night": 3, "day": 3}
    assert form.card.warnings == ("train: 6 images found, 7 were prepared; those found are used",)


def test_a_pair_is_two_files_of_one_name_whatever_their_suffix(tmp_path: Path) -> None:
    root = write_prepared(tmp_path, {"train": (4, 4)}, paired=True)
    (root / "train" / "night" / "001.png").unlink()
    (root / "train" / "day" / "002.png").unlink()
    write_image(root / "train" / "day" / "002.jpg", picture(1, 2))
    form = open_domains(root)
    assert form.is_paired
    assert [path.name for path in form.files("train", 0)] == ["000.png", "002.png", "003.png"]
    assert [path.name for path in form.files("train", 1)] == ["000.png", "002.jpg", "003.png"]
    assert form.card.warnings == ("train: 6 images found, in pairs, 8 were prepared; those found are used",)


def test_names_with_dots_are_matched_in_one_order() -> None:
    """By whole names the two domains would be sorted differently: `a.n.jpg` < `a.z.jpg`, but `a.png` between them."""
    first, second = matched(("a.jpg", "a.n.jpg", "b/c.png"), ("a.n.png", "a.png", "b/c.jpg", "d.png"))
    assert first == ("a.jpg", "a.n.jpg", "b/c.png")
    assert second == ("a.png", "a.n.png", "b/c.jpg")


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("one",)},
        {"details": {"paired": "yes", "image_size": None}},
        {"details": {"paired": True, "image_size": [0, 5]}},
        {"details": {"paired": True, "image_size": 7}},
        {"counts": {"test": {"night": 1, "day": 1}}},
        {"form": "images"},
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    write_prepared(tmp_path, {"train": (1, 1), "test": (1, 1)})
    values = {
        "form": "domains",
        "name": "x",
        "classes": ("night", "day"),
        "counts": {"train": {"night": 1, "day": 1}},
        "details": {"paired": False, "image_size": None},
    }
    write_json(tmp_path / "dataset.json", Card(**{**values, **changes}).to_json())  # type: ignore[arg-type]
    with pytest.raises(DataError):
        open_domains(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    root = write_prepared(tmp_path, {"train": (1, 1)})
    (root / "train" / "day").rename(root / "train" / "dusk")
    with pytest.raises(DataError, match="the card names this folder, but it is missing"):
        open_domains(root)
