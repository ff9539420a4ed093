"""Images under a run: which belong to which part, under the run's classes, whichever way they are loaded."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import CARD_NAME, Card
from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.form import open_images
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.labels import balanced_weights
from dlcli.data.loading import ArrayLoader, ItemLoader
from dlcli.data.parts import part_of_fold
from dlcli.datasets.images.folder import ImageFolderImporter, ImageFolderOptions
from dlcli.tasks.classification.augmenting import centre_crop, random_crop
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.source import ImageSource

SPLITS = ("train", "valid", "test")
COUNTS = {"train": {"a": 12, "b": 7}, "test": {"a": 4, "b": 5}}
WITH_VALID = {"train": {"a": 8, "b": 5}, "valid": {"a": 4, "b": 2}, "test": {"a": 4, "b": 5}}
TRAIN = TrainConfig(batch_size=4, workers=0, val_fraction=0.2)


def open_source(folder, *, labels=("a", "b"), side=8, train=TRAIN, **config):
    preprocess = Preprocess(3, side, side, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return ImageSource(open_images(folder), labels, preprocess, ClassificationConfig(model="cnn", **config), train)


def rows_of(source, split, *, training=False):
    return [row for batch in source.loader(split, training=training).batches() for row in batch["rows"].tolist()]


def test_every_image_of_the_training_split_trains_or_validates(make_images):
    source = open_source(make_images(COUNTS))
    parts = [rows_of(source, split, training=split == "train") for split in SPLITS]
    assert sorted([*parts[0], *parts[1]]) == list(range(19))
    assert parts[2] == list(range(9))
    assert {source.form.labels("train")[row] for row in parts[1]} == {0, 1}


@pytest.mark.parametrize("is_prepared", [False, True])
def test_copies_of_an_image_train_or_validate_together(make_images, tmp_path, is_prepared):
    folder = make_images({"train": {"a": 12, "b": 12}})
    for name, number in itertools.product("ab", range(12)):
        file = folder / "train" / name / f"{number:03d}.png"
        (file.parent / f"copy-{number}.png").write_bytes(file.read_bytes())
    if is_prepared:
        importer = ImageFolderImporter(ImageFolderOptions())
        prepare_dataset(importer, folder, tmp_path / "out", command="x", force=False, report=lambda _line: None)
    source = open_source(tmp_path / "out" if is_prepared else folder)
    files = source.form.files("train")
    train, valid = ({files[row].read_bytes() for row in rows_of(source, split)} for split in ("train", "valid"))
    assert valid and not train & valid
    if is_prepared:
        assert not {file.read_bytes() for file in source.form.files("test")} & {file.read_bytes() for file in files}


def test_a_validation_split_of_the_datas_own_is_used_whole(make_images):
    source = open_source(make_images(WITH_VALID))
    assert [rows_of(source, split) for split in SPLITS] == [list(range(count)) for count in (13, 6, 9)]


def test_a_split_that_is_not_there_is_refused(make_images):
    with pytest.raises(DataError, match="no split 'test'"):
        open_source(make_images({"train": {"a": 3, "b": 3}})).loader("test", training=False)


@pytest.mark.parametrize("counts", [COUNTS, WITH_VALID])
@pytest.mark.parametrize("side", [8, 6])
def test_folds_are_those_of_the_labels_of_all_splits_together(make_images, counts, side):
    folder = make_images(counts)
    form = open_images(folder)
    labels = np.concatenate([form.labels(split) for split in form.splits()])
    tested = []
    for fold in (1, 2, 3):
        train = dataclasses.replace(TRAIN, folds="3", fold=fold)
        source = open_source(folder, side=side, train=train)
        for split in SPLITS:
            expected = part_of_fold(split, len(labels), train, labels=labels).tolist()
            assert rows_of(source, split) == expected
            for batch in source.loader(split, training=False).batches():
                rows = batch["rows"].tolist()
                np.testing.assert_array_equal(batch["labels"], labels[rows])
                images = np.stack(source.images_at(split, rows)).transpose(0, 3, 1, 2)
                np.testing.assert_array_equal(batch["images"], images)
        tested.append(rows_of(source, "test"))
    assert sorted(itertools.chain(*tested)) == list(range(28))


def test_packed_images_and_files_give_the_same_batches(make_images):
    folder = make_images(COUNTS)
    packed, files = open_source(folder), open_source(folder)
    files._is_packed = False
    for split, training in itertools.product(SPLITS, (True, False)):
        loaders = [source.loader(split, training=training) for source in (packed, files)]
        assert [type(loader) for loader in loaders] == [ArrayLoader, ItemLoader]
        for one, other in zip(*(loader.batches(2) for loader in loaders), strict=True):
            assert one["rows"].tolist() == other["rows"].tolist()
            assert one["labels"].tolist() == other["labels"].tolist()
            if not training:
                np.testing.assert_array_equal(one["images"], other["images"])


def test_classes_are_matched_by_name(make_images):
    folder = make_images(COUNTS)
    own, turned = open_source(folder), open_source(folder, labels=("b", "a"))
    first, second = (next(source.loader("test", training=False).batches()) for source in (own, turned))
    assert first["labels"].tolist() == (1 - second["labels"]).tolist()
    with pytest.raises(DataError, match="unknown to the run"):
        open_source(folder, labels=("a", "c"))


def test_class_weights_are_those_of_the_training_part_alone(make_images):
    source = open_source(make_images(COUNTS))
    labels = source.form.labels("train")[rows_of(source, "train")]
    np.testing.assert_array_equal(source.class_weights(), balanced_weights(labels, 2))


def test_unreadable_files_stand_on_the_card_once(make_images):
    folder = make_images(COUNTS, size=(70, 70))
    (folder / "train" / "a" / "003.png").write_bytes(b"no image")
    source = open_source(folder, side=32, max_bad=1)
    for split in ("train", "train", "valid"):
        list(source.loader(split, training=False).batches())
    assert sum("003.png" in warning for warning in source.card.warnings) == 1
    with pytest.raises(DataError, match="1 images cannot be read, more than --max-bad 0") as caught:
        strict = open_source(folder, side=32, max_bad=0)
        [list(strict.loader(split, training=False).batches()) for split in ("train", "valid")]
    assert "dl prepare image-folder" in caught.value.hint


PREPROCESS = Preprocess(3, 8, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_the_size_is_that_of_the_network(make_images):
    assert open_source(make_images(COUNTS), side=6).size == (6, 6)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, BatchAugmentation(4, True, 0, False)),
        ({"augment": "none"}, None),
        ({"crop_pad": 64, "cutout": 99}, BatchAugmentation(7, True, 8, False)),
        ({"flip": False, "flip_mode": "alternating"}, BatchAugmentation(4, False, 0, False)),
        ({"flip_mode": "alternating"}, BatchAugmentation(4, True, 0, True)),
    ],
)
def test_packed_images_are_augmented_as_the_options_say_within_their_size(make_images, options, expected):
    assert open_source(make_images(COUNTS), **options).augmentation == expected


def test_files_are_augmented_as_they_are_decoded_and_not_on_the_device(make_images):
    assert open_source(make_images(COUNTS), side=6).augmentation is None


@pytest.mark.parametrize("side", [8, 6])
def test_without_augmentation_training_sees_the_images_themselves(make_images, side):
    source = open_source(make_images(COUNTS), side=side, augment="none")
    seen = source.augmented(3)
    [rows] = [
        batch["rows"][:3].tolist() for batch in itertools.islice(source.loader("train", training=True).batches(), 1)
    ]
    np.testing.assert_array_equal(seen, np.stack(source.images_at("train", rows)))


@pytest.mark.parametrize("side", [8, 6])
def test_training_sees_augmented_images_of_the_networks_size(make_images, side):
    source = open_source(make_images(COUNTS), side=side)
    seen = source.augmented(4)
    assert (seen.dtype, seen.shape) == (np.uint8, (4, side, side, 3))
    np.testing.assert_array_equal(seen, source.augmented(4))


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (5, 5), (1000, 16)])
def test_plain_training_images_are_of_the_training_part_alone(make_images, count, expected):
    source = open_source(make_images(COUNTS))
    images = source.plain_training(count)[0].numpy()
    assert (images.dtype, images.shape) == (np.uint8, (expected, 3, 8, 8))
    rows = rows_of(source, "train", training=True)
    known = {image.transpose(2, 0, 1).tobytes() for image in source.images_at("train", rows)}
    assert len(rows) == 16
    assert {image.tobytes() for image in images} <= known
    assert len({image.tobytes() for image in images}) == expected


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_plain_batches_hold_every_image_of_a_split_once_with_its_class(make_images, split):
    source = open_source(make_images(COUNTS))
    found = {
        image.numpy().tobytes(): int(label)
        for images, labels in source.plain_batches(split)
        for image, label in zip(images, labels, strict=True)
    }
    loader = source.loader(split, training=False)
    expected = {
        image.numpy().tobytes(): int(label)
        for batch in loader.batches()
        for image, label in zip(batch["images"], batch["labels"], strict=True)
    }
    assert found == expected
    assert len(found) == loader.num_items


@pytest.mark.parametrize("counts", [COUNTS, {"train": {"a": 3, "b": 4}}])
def test_some_images_are_of_the_test_split_or_of_the_first(make_images, counts):
    source = open_source(make_images(counts))
    split = "test" if "test" in counts else "train"
    images = source.some_images(3)
    last = sum(counts[split].values()) - 1
    expected = np.stack(source.images_at(split, [0, last // 2, last])) if split == "test" else None
    assert images.shape == (3, 3, 8, 8)
    if expected is not None:
        np.testing.assert_array_equal(images, expected.transpose(0, 3, 1, 2))


def test_the_next_image_stands_in_for_one_that_cannot_be_read(make_images):
    source = open_source(make_images(COUNTS, size=(70, 70)))
    plain = source.images_at("test", range(9))
    for name in ("a/000.png", "b/003.png", "b/004.png"):  # rows 0, 7 and 8
        (source.form.root / "test" / name).write_bytes(b"")
    images = source.some_images(9)
    expected = [plain[row] for row in (1, 1, 2, 3, 4, 5, 6, 1, 1)]
    np.testing.assert_array_equal(images, np.stack(expected).transpose(0, 3, 1, 2))


def test_an_empty_split_gives_way_to_another_and_at_last_to_none(make_images):
    folder = make_images({"train": COUNTS["train"]}, size=(70, 70))
    for name in ("a", "b"):
        (folder / "test" / name).mkdir(parents=True)
    pixels = {"channels": 3, "image_size": [70, 70], "mean": [0.5] * 3, "std": [0.2] * 3}
    write_json(folder / CARD_NAME, Card("images", "pictures", ("a", "b"), COUNTS, pixels).to_json())
    source = open_source(folder)
    assert source.form.splits() == ("train", "test")
    expected = np.stack(source.images_at("train", [0, 9, 18])).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(source.some_images(3), expected)
    for file in source.form.files("train"):
        file.write_bytes(b"")
    assert source.some_images(3).shape == (0, 3, 8, 8)


def test_examples_can_be_read(make_images):
    source = open_source(make_images({"train": {"a": 6, "b": 6}}, size=(70, 70)))
    [first, *_] = source.examples(4)
    assert len(source.examples(4)) == 4
    source.form.files("train")[first].write_bytes(b"")
    examples = source.examples(4)
    assert first not in examples and sorted(examples.values()) == [0, 0, 1, 1]
    assert len(source.images_at("train", list(examples))) == 4


def test_a_centre_crop_does_not_depend_on_the_seed():
    image = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    first, second = (centre_crop(PREPROCESS, image, seed) for seed in (1, 2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, PREPROCESS.fit(image))


def test_a_random_crop_follows_from_its_seed_alone():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    before = torch.get_rng_state()
    crops = [random_crop(PREPROCESS, False, image, seed) for seed in (*range(8), 0)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all((crop.dtype, crop.shape) == (np.uint8, (8, 8, 3)) for crop in crops)
    np.testing.assert_array_equal(crops[0], crops[-1])
    assert len({crop.tobytes() for crop in crops}) == 8


def test_about_half_of_the_random_crops_are_mirrored():
    # Brighter from left to right, so that a crop tells whether it was mirrored.
    image = np.broadcast_to(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], (60, 60, 3)).copy()

    def is_mirrored(crop):
        return crop[:, 0].mean() > crop[:, -1].mean()

    assert not any(is_mirrored(random_crop(PREPROCESS, False, image, seed)) for seed in range(20))
    assert 10 <= sum(is_mirrored(random_crop(PREPROCESS, True, image, seed)) for seed in range(40)) <= 30
