"""Writing images by class: files, packed copy and card agree, whatever the order and the names of the source."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dlcli.core.files import write_json
from dlcli.data.card import CARD_NAME
from dlcli.data.images import packed
from dlcli.data.images.form import open_images
from dlcli.data.images.writer import PixelSplit, write_pixels

CLASSES = ("猫", "dog", "none yet")


def pixels(count, *, seed=0, channels=3, size=(4, 6)):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, channels), dtype=np.uint8)


def split(name, images, labels, names=None, cuts=()):
    labels = np.array(labels)
    names = [f"{row:03d}" for row in range(len(labels))] if names is None else names
    return PixelSplit(name, np.split(images, cuts), labels, names)


TRAIN = split("train", pixels(7), [1, 0, 1, 0, 0, 1, 1])
TEST = split("test", pixels(3, seed=1), [1, 0, 1])


def write(folder, *splits, classes=CLASSES):
    folder.mkdir(exist_ok=True)
    card = write_pixels(folder, "toy", classes, iter(splits), sum(len(part.labels) for part in splits))
    write_json(folder / CARD_NAME, card.to_json())
    return card


def content(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != packed.INDEX)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("channels", [1, 3])
def test_each_file_holds_the_pixels_of_its_row_in_its_class(tmp_path, channels):
    images, labels = pixels(7, channels=channels), [1, 0, 1, 0, 0, 1, 1]
    write(tmp_path, split("train", images, labels))
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        found = np.asarray(Image.open(tmp_path / "train" / CLASSES[label] / f"{row:03d}.png"))
        np.testing.assert_array_equal(found.reshape(image.shape), image)
    assert len(list(tmp_path.rglob("*.png"))) == len(images)


def test_the_form_opens_the_packed_copy_as_it_was_written(tmp_path):
    write(tmp_path, TEST, TRAIN)
    form = open_images(tmp_path)
    for part in (TRAIN, TEST):
        order = np.lexsort((part.file_names, part.labels))
        origin = packed.origin_of(form.card, part.name, tmp_path / part.name, form.names[part.name])
        copy = packed.open_split(tmp_path, form.card, part.name, origin)
        np.testing.assert_array_equal(copy.images, np.concatenate(part.parts)[order])
        np.testing.assert_array_equal(copy.labels, part.labels[order])
        assert [path.stem for path in form.files(part.name)] == [part.file_names[row] for row in order]


def test_the_card_counts_every_class_also_one_without_images(tmp_path):
    card = write(tmp_path, TEST, TRAIN)
    assert card.counts == {"train": {"猫": 3, "dog": 4, "none yet": 0}, "test": {"猫": 1, "dog": 2, "none yet": 0}}
    assert list(card.counts) == ["train", "test"]
    assert (card.form, card.name, card.classes, card.warnings) == ("images", "toy", CLASSES, ())
    assert (tmp_path / "test" / "none yet").is_dir()


def test_mean_and_deviation_are_of_the_training_pixels_alone(tmp_path):
    images = np.concatenate(TRAIN.parts)
    details = write(tmp_path, TEST, TRAIN).details
    np.testing.assert_allclose(details["mean"], images.mean((0, 1, 2)) / 255, atol=1e-6)
    np.testing.assert_allclose(details["std"], images.std((0, 1, 2)) / 255, atol=1e-6)
    assert (details["channels"], details["image_size"]) == (3, [4, 6])


@pytest.mark.parametrize("cuts", [[3], [1, 2, 6], [0, 7]])
def test_images_in_several_arrays_are_as_those_in_one(tmp_path, cuts):
    images, labels = pixels(7), TRAIN.labels
    whole = write(tmp_path / "whole", split("train", images, labels))
    parts = write(tmp_path / "parts", split("train", images, labels, cuts=cuts))
    assert parts == whole
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_the_order_of_the_rows_changes_nothing(tmp_path):
    images = np.concatenate(TRAIN.parts)
    order = np.random.default_rng(5).permutation(len(images))
    shuffled = split("train", images[order], TRAIN.labels[order], [TRAIN.file_names[row] for row in order])
    assert write(tmp_path / "a", TRAIN) == write(tmp_path / "b", shuffled)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_the_order_of_the_splits_changes_nothing(tmp_path):
    assert write(tmp_path / "a", TRAIN, TEST) == write(tmp_path / "b", TEST, TRAIN)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_chunks_change_nothing(tmp_path, monkeypatch):
    first = write(tmp_path / "a", TEST, TRAIN)
    monkeypatch.setattr("dlcli.data.images.writer._ROWS", 2)
    assert write(tmp_path / "b", TEST, TRAIN) == first
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_names_that_are_not_trusted_stay_in_their_class_and_are_all_there(tmp_path):
    names = ["../../up", "a/b.png", "A.PNG", "a", "", "con", "a"]
    write(tmp_path / "data", split("train", pixels(7), [0] * 6 + [1], names))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    found = sorted(path.name.casefold() for path in (tmp_path / "data" / "train" / "猫").iterdir())
    assert len(set(found)) == 6 and "up.png" in found and "con.png" not in found
    assert [path.name for path in (tmp_path / "data" / "train" / "dog").iterdir()] == ["a.png"]


@pytest.mark.parametrize(("shared", "warning"), [(1, "leak: 1 image is in"), (2, "leak: 2 images are in")])
def test_images_that_stand_in_both_splits_are_on_the_card(tmp_path, shared, warning):
    test = pixels(3, seed=1)
    test[:shared] = pixels(7)[2 : 2 + shared]
    card = write(tmp_path, split("test", test, [0, 1, 0]), TRAIN)
    assert card.warnings == (f"{warning} both train and test",)


def test_a_training_split_alone_is_a_dataset(tmp_path):
    write(tmp_path, TRAIN)
    assert open_images(tmp_path).splits() == ("train",)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (1, 64)])
def test_the_smallest_and_the_largest_size_are_packed(tmp_path, size):
    card = write(tmp_path, split("train", pixels(2, size=size), [0, 1]))
    assert packed.is_packable(card)
    assert open_images(tmp_path).packed("train").images.shape == (2, *size, 3)


def test_a_class_folder_that_is_there_is_not_written_into(tmp_path):
    (tmp_path / "train" / "dog").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        write(tmp_path, TRAIN)
