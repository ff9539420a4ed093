"""--augment: the default, operations in place of it, or none; for small images in batches and for large ones alike."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from dlcli.core.config import Layer, resolve
from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.images.form import open_images
from dlcli.data.images.operations.batched import OperationBatches
from dlcli.data.images.operations.colour import FILL
from dlcli.data.images.operations.table import parse_augment
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.loading import ArrayLoader, ItemLoader
from dlcli.data.order import Shard
from dlcli.engine.task import HasNotes, notes_of
from dlcli.tasks.classification.augmenting import alternates, mirrors_images, operate
from dlcli.tasks.classification.config import (
    DEFAULT_AUGMENTATION,
    OF_SMALL_IMAGES,
    ClassificationConfig,
    ClassificationInference,
)
from dlcli.tasks.classification.inputs import preprocess_for
from dlcli.tasks.classification.recipes import recipe
from dlcli.tasks.classification.source import ImageSource

COUNTS = {"train": {"a": 14, "b": 5}, "test": {"a": 4, "b": 5}}
TRAIN = TrainConfig(batch_size=4, workers=0, val_fraction=0.2, seed=7)
OPERATIONS = "flip rotate=20 scale=0.6 colour=0.2 grey=0.2 erase=0.5"
BOTH_KINDS = [(8, ArrayLoader), (6, ItemLoader)]


def open_source(folder: Any, side: int = 8, train: TrainConfig = TRAIN, **config: Any) -> ImageSource:
    preprocess = Preprocess(3, side, side, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return ImageSource(open_images(folder), ("a", "b"), preprocess, ClassificationConfig(model="cnn", **config), train)


def seen(source: ImageSource, epoch: int = 0, *, start: int = 0, shard: Shard | None = None) -> dict[int, bytes]:
    """Return the pixels that training sees of each image in an epoch, by its row."""
    loader = source.loader("train", training=True, **({"shard": shard} if shard else {}))
    found = {}
    for batch in loader.batches(epoch, start):
        images = batch["images"]
        if source.augmentation is not None:
            images = source.augmentation.apply(images, batch["plan"])
        found |= {row: image.numpy().tobytes() for row, image in zip(batch["rows"].tolist(), images, strict=True)}
    return found


@pytest.mark.parametrize(("side", "kind"), BOTH_KINDS)
def test_what_is_seen_follows_from_seed_epoch_and_image_alone(make_images, side, kind):
    folder = make_images(COUNTS)
    source = open_source(folder, side, augment=OPERATIONS)
    assert isinstance(source.loader("train", training=True), kind)
    whole = seen(source, 1)
    assert len(whole) == 15
    assert seen(open_source(folder, side, augment=OPERATIONS), 1) == whole
    larger = dataclasses.replace(TRAIN, batch_size=5)
    assert seen(open_source(folder, side, larger, augment=OPERATIONS), 1) == whole
    assert seen(source, 1, start=2).items() < whole.items()
    halves = dataclasses.replace(TRAIN, batch_size=2)
    shares = [seen(open_source(folder, side, halves, augment=OPERATIONS), 1, shard=Shard(rank, 2)) for rank in (0, 1)]
    assert shares[0] | shares[1] == whole
    other = dataclasses.replace(TRAIN, seed=8)
    for different in (seen(source, 2), seen(open_source(folder, side, other, augment=OPERATIONS), 1)):
        assert all(different[row] != whole[row] for row in whole.keys() & different.keys())


def test_worker_processes_see_what_this_process_sees(make_images):
    folder = make_images(COUNTS)
    two = dataclasses.replace(TRAIN, workers=2)
    assert seen(open_source(folder, 6, two, augment=OPERATIONS)) == seen(open_source(folder, 6, augment=OPERATIONS))


def test_small_images_are_augmented_in_batches_and_large_ones_one_by_one(make_images):
    folder = make_images(COUNTS)
    assert open_source(folder, augment=OPERATIONS).augmentation == OperationBatches(parse_augment(OPERATIONS))
    assert open_source(folder, 6, augment=OPERATIONS).augmentation is None


@pytest.mark.parametrize("keep", [0, 30, 200])
def test_small_images_beside_an_unreadable_file_are_augmented_as_small_images(make_images, keep):
    folder = make_images(COUNTS)
    file = folder / "train" / "a" / "000.png"
    file.write_bytes(file.read_bytes()[:keep])  # without a header, or with one
    config = ClassificationConfig(model="cnn", crop_pad=1, flip=False, cutout=0)
    preprocess = preprocess_for(open_images(folder), config)
    assert (preprocess.height, preprocess.width) == (8, 8)
    source = ImageSource(open_images(folder), ("a", "b"), preprocess, config, TRAIN)
    num_moved = 0
    for row, pixels in seen(source).items():
        [image] = source.images_at("train", [row])
        wide = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        shifted = [wide[y : y + 8, x : x + 8].transpose(2, 0, 1).tobytes() for y in range(3) for x in range(3)]
        assert pixels in shifted
        num_moved += pixels != shifted[4]
    assert num_moved > 5


def test_small_images_beside_an_unreadable_file_alternate_by_the_epoch_and_may_be_cut(make_images):
    folder = make_images(COUNTS)
    (folder / "train" / "a" / "000.png").write_bytes(b"")
    source = open_source(folder, crop_pad=0, flip_mode="alternating")
    first, second = seen(source, 0), seen(source, 1)
    for row, pixels in first.items():
        [image] = source.images_at("train", [row])
        both = {view.transpose(2, 0, 1).tobytes() for view in (image, image[:, ::-1])}
        assert {pixels, second.get(row, pixels)} <= both
    assert {row for row in first if first[row] != second.get(row)} >= set(first) & set(second)
    for pixels in seen(open_source(folder, crop_pad=0, flip=False, cutout=4)).values():
        assert (np.frombuffer(pixels, np.uint8) == FILL).sum() >= 3 * 2 * 2


@pytest.mark.parametrize(("side", "kind"), BOTH_KINDS)
def test_operations_are_all_that_is_done(make_images, side, kind):
    """Nothing of the default augmentation is left: without strength, training sees what prediction sees."""
    source = open_source(make_images(COUNTS), side, augment="rotate=0")
    for row, pixels in seen(source).items():
        [image] = source.images_at("train", [row])
        difference = np.frombuffer(pixels, np.uint8).reshape(3, side, side).astype(int) - image.transpose(2, 0, 1)
        # Prediction averages areas, training is bilinear where an image shrinks by less than 1.4.
        assert np.abs(difference).mean() < (3 if side == 6 else 1e-9)


def test_a_photo_is_the_same_in_every_size_of_its_file_up_to_its_sharpness():
    """The operations act in the frame of the network, whatever the size of the file."""
    y, x = np.mgrid[:240, :320] / 240
    large = np.stack([200 * y, 120 * x, 60 + 80 * x], axis=-1).astype(np.uint8)
    small = large[::4, ::4].copy()
    preprocess, steps = Preprocess(3, 32, 32, (0.5,) * 3, (0.5,) * 3), parse_augment("flip rotate=30 scale=0.5 colour")
    for seed in range(8):
        one, other = (operate(preprocess, steps, image, seed).astype(int) for image in (large, small))
        assert np.abs(one - other).mean() < 4


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, True),
        ({"flip": False}, False),
        ({"augment": "none"}, True),
        ({"augment": "none", "flip": False}, False),
        ({"augment": "flip"}, True),
        ({"augment": "flip=0"}, False),
        ({"augment": "flip", "flip": False}, True),
        ({"augment": "rotate vflip"}, False),
        ({"augment": "trivial"}, False),
    ],
)
def test_whether_training_mirrors_images_has_one_answer_which_tta_follows(make_images, open_task, config, expected):
    assert mirrors_images(ClassificationConfig(**config)) is expected
    task = open_task(make_images({"train": {"a": 6, "b": 6}}), **config)
    task.set_inference(ClassificationInference(tta=True))
    assert task.export_plan().graphs[0].module.mirror is expected


def test_only_the_default_augmentation_mirrors_in_turn():
    assert alternates(ClassificationConfig(flip_mode="alternating"))
    assert not alternates(ClassificationConfig(flip_mode="alternating", augment="flip"))
    assert not alternates(ClassificationConfig(flip_mode="alternating", augment="none"))


def test_photos_have_operations_unless_their_default_augmentation_is_shaped():
    assert recipe("photos", {})["augment"] == "flip scale=0.35"
    for name in ("flip", "flip_mode"):
        assert recipe("photos", {name: 1})["augment"] == "default"
    assert "augment" not in recipe("photos", {"pretrained": "none"})


@pytest.mark.parametrize("name", OF_SMALL_IMAGES)
def test_options_of_small_images_are_refused_where_images_are_cropped_as_photos(make_images, name):
    small, large = (make_images(COUNTS, name=str(side), size=(side, side)) for side in (8, 70))
    assert open_source(small).augmentation is not None and open_source(large, 70).augmentation is None
    mixed = make_images(COUNTS, name="mixed")
    make_images({"train": {"a": 1}}, name="mixed", size=(9, 9))
    grey, no_images = make_images(COUNTS, name="grey", channels=1), small / "train" / "a"
    scaled, coloured = {"image_size": 16}, {"model": "resnet18", "pretrained": "default"}
    for folder, given in ((large, {}), (mixed, {}), (small, scaled), (grey, coloured), (None, {})):
        with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} acts on small images") as caught:
            recipe("photos", {name: 2, **given}, folder)
        assert "--augment" in caught.value.hint
        assert recipe("photos", {name: 0, **given}, folder) == recipe("photos", given, folder)
        recipe("photos", {name: 2, **given, "augment": "none"}, folder)
    for folder, given in ((small, coloured), (grey, {"image_size": 8}), (no_images, {})):
        recipe("photos", {name: 2, **given}, folder)
    recipe("digits", {name: 2})


@pytest.mark.parametrize("dataset", ["cifar10", "digits"])
def test_operations_replace_what_a_recipe_says_of_the_default(dataset):
    plain, own = recipe(dataset, {}), recipe(dataset, {"augment": "flip rotate"})
    assert own == {name: value for name, value in plain.items() if name not in DEFAULT_AUGMENTATION}
    for augment in ("default", "none", True, False):
        assert recipe(dataset, {"augment": augment, "crop_pad": 3}) == plain


@pytest.mark.parametrize("name", DEFAULT_AUGMENTATION)
def test_an_option_of_the_default_is_refused_beside_operations(name):
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} shapes the default augmentation"):
        recipe("cifar10", {"augment": "flip", name: 1})


@pytest.mark.parametrize(("stored", "meaning"), [(True, "default"), (False, "none"), ("flip", "flip")])
def test_runs_of_former_versions_have_their_augmentation(stored, meaning):
    assert resolve(ClassificationConfig, [Layer("config.toml", {"augment": stored})]).augment == meaning


def test_pictures_upside_down_are_noted_before_the_training(make_images, open_task):
    folder = make_images({"train": {"a": 6, "b": 6}})
    assert notes_of(open_task(folder, augment="flip")) == []
    task = open_task(folder, augment="flip vflip")
    assert isinstance(task, HasNotes)
    [note] = notes_of(task)
    assert "vflip may show a picture upside down" in note


@pytest.mark.parametrize("augment", ["default", "none", OPERATIONS])
@pytest.mark.parametrize(("side", "kind"), BOTH_KINDS)
def test_versions_are_what_epochs_make_of_images(make_images, augment, side, kind):
    source = open_source(make_images(COUNTS), side, augment=augment)
    rows = list(source.examples(4))
    versions = source.versions(rows, 3)
    assert [len(version) for version in versions] == [3] * 4
    for image, version in zip(source.images_at("train", rows), versions, strict=True):
        assert {pixels.shape for pixels in version} == {(side, side, 3)}
        is_plain = [np.array_equal(image, pixels) for pixels in version]
        assert all(is_plain) if augment == "none" else not all(is_plain)
    assert np.array_equal(source.versions(rows, 1, "none")[0][0], source.images_at("train", rows[:1])[0])
    assert source.augmentation == open_source(source.form.root, side, augment=augment).augmentation


def test_examples_are_of_every_class_and_of_the_training_part(make_images):
    source = open_source(make_images(COUNTS))
    examples = source.examples(5)
    assert sorted(examples.values()) == [0, 0, 0, 1, 1]
    labels = source.form.labels("train")
    assert all(labels[row] == label for row, label in examples.items())
    valid = {row for batch in source.loader("valid", training=False).batches() for row in batch["rows"].tolist()}
    assert not valid & examples.keys()
    assert len(source.examples(1000)) == 15
    assert [label for label, _ in itertools.groupby(source.examples(1000).values())] == [0, 1]
