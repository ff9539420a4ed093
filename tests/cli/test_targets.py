from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toys.annotated import picture, voc_file, voc_object
from toys.shapes import coco_shapes

from dlcli.core.errors import DataError, UsageError
from dlcli.data.annotated.form import open_annotated
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions
from dlcli.engine.targets import ensure_prepared, is_known, resolve_target


def test_a_task_means_its_default_dataset() -> None:
    target = resolve_target("classification", None)
    assert (target.spec.name, target.dataset, target.data) == ("classification", "cifar10", Path("data/cifar10"))


def test_a_dataset_means_its_task() -> None:
    target = resolve_target("mnist", None)
    assert (target.spec.name, target.dataset, target.data) == ("classification", "mnist", Path("data/mnist"))


def test_data_can_lie_elsewhere() -> None:
    assert resolve_target("mnist", "/mnt/mnist").data == Path("/mnt/mnist")
    assert resolve_target("classification", "/mnt/birds").dataset == "birds"


def test_a_folder_of_ones_own_means_the_task_of_its_form(bench: Any) -> None:
    bench.photos("my photos")
    target = resolve_target("my photos", None)
    assert (target.spec.name, target.dataset, target.data) == ("classification", "my photos", Path("my photos"))


def maps_alone(folder: Path) -> None:
    """Write images and label maps as VOC has them, and neither boxes nor lists."""
    picture(folder / "JPEGImages/1.jpg")
    (folder / "SegmentationClass").mkdir()
    Image.fromarray(np.full((30, 40), 8, np.uint8)).save(folder / "SegmentationClass/1.png")


def maps_and_lists(folder: Path) -> None:
    maps_alone(folder)
    (folder / "ImageSets/Segmentation").mkdir(parents=True)
    (folder / "ImageSets/Segmentation/train.txt").write_text("1\n")


def maps_and_boxes(folder: Path) -> None:
    maps_alone(folder)
    voc_file(folder / "Annotations/1.xml", [voc_object("cat", (1, 1, 9, 9))])


def tags_alone(folder: Path) -> None:
    """Write images and VOC's lists of the images that show each class."""
    picture(folder / "JPEGImages/1.jpg")
    (folder / "ImageSets/Main").mkdir(parents=True)
    for name, sign in (("train", ""), ("cat_train", "  1"), ("dog_train", " -1")):
        (folder / f"ImageSets/Main/{name}.txt").write_text(f"1{sign}\n")


def damaged(folder: Path) -> None:
    (folder / "ImageSets").mkdir(parents=True)


@pytest.mark.parametrize(
    ("write", "task"),
    [
        (maps_alone, "segmentation"),
        (maps_and_lists, "segmentation"),
        (maps_and_boxes, "detection"),
        (tags_alone, "multilabel"),
        (coco_shapes, "detection"),
        (damaged, "detection"),
    ],
)
def test_annotated_images_mean_the_task_that_their_annotations_suit(
    write: Callable[[Path], object], task: str, bench: Any
) -> None:
    write(Path("mine"))
    assert resolve_target("mine", None).spec.name == task
    if write is not damaged:
        assert open_annotated(Path("mine")).card.details["task"] == task


def test_a_dataset_means_the_task_that_it_was_prepared_for(bench: Any) -> None:
    maps_and_boxes(Path("mine"))
    for kind, task in (("all", "detection"), ("semantic", "segmentation")):
        importer, folder = voc_importer(AnnotatedOptions(annotations=kind)), Path("data", kind)
        prepare_dataset(importer, Path("mine"), folder, command="", force=False, report=lambda line: None)
        assert resolve_target("voc", str(folder)).spec.name == resolve_target(kind, None).spec.name == task


def test_a_prepared_folder_is_called_what_its_card_says(bench: Any) -> None:
    card = {"form": "images", "name": "birds", "classes": ["a", "b"], "counts": {"train": {"a": 1, "b": 1}}}
    bench.write("data/x/dataset.json", json.dumps(card))
    assert is_known("x")
    target = resolve_target("x", None)
    assert (target.dataset, target.data) == ("birds", Path("data/x"))


def test_an_unknown_target_is_answered_with_the_nearest(bench: Any) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_target("minst", None)
    assert caught.value.hint == "did you mean 'mnist'?"


def test_embedded_data_is_prepared_on_the_way_and_once(bench: Any) -> None:
    said: list[str] = []
    target = resolve_target("digits", None)
    ensure_prepared(target, said.append)
    assert (bench.home / "data/digits/dataset.json").is_file()
    assert said[-1] == "prepared data/digits"
    ensure_prepared(target, said.append)
    assert said.count("prepared data/digits") == 1


def test_embedded_data_is_not_prepared_where_the_user_says_it_lies(bench: Any) -> None:
    with pytest.raises(DataError, match="elsewhere: no prepared data there"):
        ensure_prepared(resolve_target("digits", "elsewhere"), print)
