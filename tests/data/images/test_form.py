"""Reading images by class: prepared, the user's own, changed and damaged."""

from __future__ import annotations

import dataclasses
import shutil

import cv2
import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.data.card import CARD_NAME, Card, read_card
from dlcli.data.images.form import open_images
from dlcli.data.images.writer import PixelSplit, write_pixels
from dlcli.data.importing.preparing import prepare_dataset

CLASSES = ("cat", "dog")


class ToyImporter:
    options = None

    def locate(self, source):
        return []

    def space_needed(self, files):
        return 0

    def write(self, files, folder, report):
        random = np.random.default_rng(0)

        def splits():
            for name, count in (("test", 4), ("train", 9)):
                images = random.integers(0, 256, (count, 6, 5, 3), dtype=np.uint8)
                parts = [images[:2], images[2:]]
                names = [f"{number}.png" for number in range(count)][::-1]
                yield PixelSplit(name, parts, np.arange(count) % 2, names)

        return write_pixels(folder, "toy", CLASSES, splits(), 13)


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    monkeypatch.setattr("dlcli.data.importing.preparing.options_of", lambda importer: {})
    folder = tmp_path / "toy"
    prepare_dataset(ToyImporter(), None, folder, command="dl prepare toy", force=False, report=print)
    return folder


def pixels_of(files):
    return np.stack([cv2.imread(str(path))[:, :, ::-1] for path in files])


def listing(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_files_are_ordered_by_class_then_name(prepared):
    form = open_images(prepared)
    assert form.splits() == ("train", "test")
    names = [(path.parent.name, path.name) for path in form.files("test")]
    assert names == [("cat", "1.png"), ("cat", "3.png"), ("dog", "0.png"), ("dog", "2.png")]
    assert form.labels("test").tolist() == [0, 0, 1, 1] and form.labels("test").dtype == np.int64


def test_packed_rows_are_the_files(prepared):
    form = open_images(prepared)
    for split in form.splits():
        packed = form.packed(split)
        np.testing.assert_array_equal(packed.images, pixels_of(form.files(split)))
        np.testing.assert_array_equal(packed.labels, form.labels(split))


def test_a_removed_image_is_recounted_and_repacked(prepared):
    open_images(prepared).files("train")[3].unlink()
    form = open_images(prepared)
    assert form.card.num_items("train") == 8 == len(form.packed("train").images)
    np.testing.assert_array_equal(form.packed("train").images, pixels_of(form.files("train")))
    assert form.card.warnings == ("train: 8 images found, 9 were prepared; those found are used",)
    assert isinstance(open_images(prepared).packed("train").images, np.memmap)


def test_a_missing_packed_copy_is_made_again(prepared):
    before = np.array(open_images(prepared).packed("test").images)
    shutil.rmtree(prepared / "packed")
    np.testing.assert_array_equal(open_images(prepared).packed("test").images, before)
    assert (prepared / "packed" / "test.images.npy").is_file()


def test_where_the_copy_cannot_be_written_it_stays_in_memory(prepared, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    shutil.rmtree(prepared / "packed")
    monkeypatch.setattr("dlcli.data.images.packed.write_split", refuse)
    form = open_images(prepared)
    packed = form.packed("test")
    np.testing.assert_array_equal(packed.images, pixels_of(form.files("test")))
    assert form.packed("test") is packed and not (prepared / "packed").exists()


def test_a_bad_image_that_must_be_packed_is_named(prepared):
    open_images(prepared).files("train")[0].write_bytes(b"")
    shutil.rmtree(prepared / "packed")
    with pytest.raises(DataError, match=r"cat.*\.png: the file is empty"):
        open_images(prepared).packed("train")


def test_an_image_of_another_size_is_named(prepared):
    path = open_images(prepared).files("train")[0]
    cv2.imwrite(str(path), np.zeros((3, 3, 3), np.uint8))
    shutil.rmtree(prepared / "packed")
    with pytest.raises(DataError, match="3 x 3 pixels, but the card says 5 x 6"):
        open_images(prepared).packed("train")


def test_an_unknown_class_folder_is_an_error(prepared):
    (prepared / "train" / "bird").mkdir()
    with pytest.raises(DataError, match="bird: the card has no class") as caught:
        open_images(prepared)
    assert "dl prepare toy" in caught.value.hint


def test_a_split_that_is_gone_is_an_error(prepared):
    shutil.rmtree(prepared / "test")
    with pytest.raises(DataError, match="'test', but its folder is missing"):
        open_images(prepared)


def test_an_unknown_split_is_named(prepared):
    form = open_images(prepared)
    for ask in (form.files, form.labels, form.packed):
        with pytest.raises(DataError, match="no split 'valid'") as caught:
            ask("valid")
        assert caught.value.hint == "it has: train, test"


def test_a_missing_folder_names_the_command(tmp_path):
    with pytest.raises(DataError, match="no prepared dataset") as caught:
        open_images(tmp_path / "mnist")
    assert "dl prepare mnist SOURCE" in caught.value.hint


def test_another_form_is_refused(tmp_path):
    write_json(tmp_path / CARD_NAME, Card("text", "weibo", ("a",), {}).to_json())
    with pytest.raises(DataError, match="the form 'text'"):
        open_images(tmp_path)


@pytest.fixture
def own(tmp_path):
    root = tmp_path / "我的 照片"
    random = np.random.default_rng(0)
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for number in range(3):
            image = random.integers(0, 256, (6, 5, 3), dtype=np.uint8)
            (root / name / f"{number}.PNG").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (root / "dog" / "notes.txt").write_text("no image")
    (root / "dog" / ".hidden.png").write_bytes(b"")
    return root


def test_own_class_folders_are_read_and_left_as_they_are(own):
    before = listing(own)
    form = open_images(own)
    packed = form.packed("train")
    assert form.splits() == ("train",) and form.card.classes == CLASSES and not form.is_prepared
    assert form.card.counts == {"train": {"cat": 3, "dog": 3}}
    assert form.card.details["image_size"] == [6, 5] and form.card.details["channels"] == 3
    images = np.stack([cv2.imdecode(np.fromfile(path, np.uint8), 1)[:, :, ::-1] for path in form.files("train")])
    np.testing.assert_array_equal(packed.images, images)
    np.testing.assert_allclose(form.card.details["mean"], images.mean((0, 1, 2)) / 255, atol=1e-5)
    assert form.packed("train") is packed
    assert listing(own) == before


@pytest.mark.parametrize(("folders", "splits"), [(("train", "val"), ("train", "valid")), (("test",), ("test",))])
def test_own_split_folders_are_splits(own, tmp_path, folders, splits):
    for folder in folders:
        shutil.copytree(own, tmp_path / "split" / folder)
    form = open_images(tmp_path / "split")
    assert form.splits() == splits
    assert all(len(form.files(split)) == 6 for split in splits)


def test_own_folder_with_a_bad_image_is_not_packed(own):
    path = own / "cat" / "0.PNG"
    path.write_bytes(path.read_bytes()[:-30])
    assert open_images(own).packed("train") is None


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_file_that_is_no_image_has_no_say_in_the_size_of_the_others(own, content):
    (own / "cat" / "0.PNG").write_bytes(content)
    assert open_images(own).card.details["image_size"] == [6, 5]


def test_own_folder_of_several_sizes_is_not_packed(own):
    cv2.imwrite(str(own / "cat" / "9.png"), np.zeros((9, 9, 3), np.uint8))
    form = open_images(own)
    assert form.card.details["image_size"] is None and form.packed("train") is None


def test_a_folder_without_class_folders_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="no images by class"):
        open_images(tmp_path)


@pytest.mark.parametrize(
    "details",
    [
        {"channels": 2},
        {"channels": None},
        {"image_size": [6]},
        {"image_size": [6, 0]},
        {"image_size": [6.0, 5.0]},
        {"image_size": "6x5"},
        {"mean": [0.5]},
        {"std": None},
        {"std": ["a", "b", "c"]},
    ],
    ids=str,
)
def test_a_card_with_impossible_pixels_is_refused_with_the_command(prepared, details):
    card = read_card(prepared)
    write_json(prepared / CARD_NAME, dataclasses.replace(card, details={**card.details, **details}).to_json())
    with pytest.raises(DataError, match=r"dataset\.json") as caught:
        open_images(prepared)
    assert "dl prepare toy" in caught.value.hint


def test_a_training_split_that_was_emptied_is_an_error(prepared):
    for path in open_images(prepared).files("train"):
        path.unlink()
    with pytest.raises(DataError, match="training split is empty"):
        open_images(prepared)


def test_a_test_split_that_was_emptied_is_there_and_not_packed(prepared):
    for path in open_images(prepared).files("test"):
        path.unlink()
    emptied = open_images(prepared)
    assert emptied.files("test") == [] and emptied.labels("test").shape == (0,)
    assert emptied.packed("test") is None


def test_an_added_image_is_used_and_said(prepared):
    shutil.copy(open_images(prepared).files("train")[0], prepared / "train" / "dog" / "新.png")
    grown = open_images(prepared)
    assert grown.card.counts["train"]["dog"] == 5
    assert "10 images" in grown.card.warnings[-1] and "9 were prepared" in grown.card.warnings[-1]
    np.testing.assert_array_equal(grown.packed("train").images, pixels_of(grown.files("train")))


@pytest.mark.parametrize(("is_colour", "channels"), [(False, 1), (True, 3)])
def test_own_images_are_grey_where_all_are(tmp_path, is_colour, channels):
    for name in CLASSES:
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.full((6, 5), 51, np.uint8))
    if is_colour:
        cv2.imwrite(str(tmp_path / "dog" / "b.png"), np.full((6, 5, 3), 51, np.uint8))
    details = open_images(tmp_path).card.details
    assert details == {"channels": channels, "image_size": [6, 5], "mean": [0.2] * channels, "std": [0.0] * channels}


def test_large_images_of_ones_own_are_not_packed(tmp_path):
    for name in CLASSES:
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.zeros((65, 65, 3), np.uint8))
    large = open_images(tmp_path)
    assert large.card.details["image_size"] is None and large.packed("train") is None


def test_a_class_of_ones_own_that_only_the_test_folder_has_is_an_error(own, tmp_path):
    for split in ("train", "test"):
        shutil.copytree(own, tmp_path / "split" / split)
    (tmp_path / "split" / "test" / "cat").rename(tmp_path / "split" / "test" / "鸟")
    with pytest.raises(DataError, match="鸟"):
        open_images(tmp_path / "split")
