"""Every format that is written: written, read by its reader and checked, the data are the same."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.data.annotated.formats import voc, yolo
from dlcli.data.annotated.formats.texts import WRITERS
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.card import Card
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import AnnotatedImporter
from dlcli.datasets.annotated.options import AnnotatedOptions

CLASSES = ("big dog", "cat")
READERS = {"voc": voc.read, "yolo": yolo.read}


def boxed(label, *box, **more):
    box = tuple(map(float, box))
    return Annotation(label, box, (box[2] - box[0]) * (box[3] - box[1]), **more)


@pytest.fixture
def round_trip(tmp_path, picture):
    """Return a function that writes objects by split in a format and returns what is read back, by split."""

    def back(format, **splits):
        images = {}
        for split, objects in splits.items():
            picture(f"images/{split}/{split}.jpg")
            images[split] = (AnnotatedImage(f"images/{split}/{split}.jpg", 100, 200, tuple(objects)),)
        form = AnnotatedForm(tmp_path, Card("annotated", "toy", CLASSES, {split: {} for split in splits}), images, True)
        WRITERS[format].write(form, tmp_path)
        checked = check(READERS[format](tmp_path, Reading()), tmp_path)
        assert checked.classes == CLASSES
        return {split: [each for image in of for each in image.objects] for split, of in checked.images.items()}

    return back


OBJECTS = {
    "train": [boxed(0, 0, 0, 200, 100), boxed(1, 10, 20, 50, 40), boxed(1, 198, 97, 200, 100)],
    "valid": [boxed(1, 3, 4, 5, 6)],
    "test": [boxed(0, 100, 50, 150, 60)],
}


def test_whole_pixels_come_back_exactly_from_voc(round_trip):
    back = round_trip("voc", **OBJECTS)
    assert {split: [(each.label, each.box) for each in found] for split, found in back.items()} == {
        split: [(each.label, each.box) for each in found] for split, found in OBJECTS.items()
    }


def test_difficult_objects_come_back_from_voc_and_crowds_as_difficult(round_trip):
    objects = [
        boxed(0, 0, 0, 9, 9),
        boxed(1, 0, 0, 9, 9, is_difficult=True, extra={"pose": "Left", "truncated": 1}),
        boxed(1, 20, 0, 30, 9, is_crowd=True),
    ]
    back = round_trip("voc", train=objects)["train"]
    assert [each.is_difficult for each in back] == [False, True, True]
    assert not any(each.is_crowd for each in back)
    assert back[1].extra["pose"] == "Left"


def test_any_box_comes_back_from_yolo(round_trip):
    random = np.random.default_rng(0)
    corners = random.uniform(0, 0.5, (20, 2)) * [200, 100]
    sides = random.uniform(3, 50, (20, 2))
    objects = [boxed(at % 2, *each) for at, each in enumerate(np.hstack([corners, corners + sides]).round(3).tolist())]
    back = round_trip("yolo", train=objects, test=OBJECTS["test"])
    assert [each.label for each in back["train"]] == [each.label for each in objects]
    np.testing.assert_allclose([each.box for each in back["train"]], [each.box for each in objects], atol=1e-4)
    assert sorted(back) == ["test", "train"]


def test_polygons_come_back_from_yolo(round_trip):
    polygon = [10.5, 20.25, 50.0, 20.25, 50.0, 40.0, 30.0, 60.0]
    objects = [
        dataclasses.replace(boxed(0, 10.5, 20.25, 50, 60), segmentation=[polygon]),
        boxed(1, 100, 0, 120, 10),
        boxed(1, 100, 0, 120, 10, is_crowd=True),
    ]
    first, second = round_trip("yolo", train=objects)["train"]
    np.testing.assert_allclose(first.segmentation[0], polygon, atol=1e-4)
    np.testing.assert_allclose(second.box, (100, 0, 120, 10), atol=1e-4)
    expected = to_pixels([polygon], 100, 200)
    assert (to_pixels(first.segmentation, 100, 200) != expected).sum() <= 1


def test_polygons_come_back_from_voc_pixel_by_pixel(round_trip):
    polygons = [[10.5, 20.25, 50.0, 20.25, 50.0, 40.0, 30.0, 60.0], [100.0, 0, 120, 0, 120, 30]]
    objects = [
        boxed(1, 150, 0, 190, 50),
        dataclasses.replace(boxed(0, 10.5, 20.25, 50, 60), segmentation=[polygons[0]]),
        dataclasses.replace(boxed(1, 100, 0, 120, 30), segmentation=[polygons[1]]),
    ]
    plain, first, second = round_trip("voc", train=objects, test=OBJECTS["test"])["train"]
    assert (plain.label, plain.segmentation) == (1, None)
    for each, label, polygon in ((first, 0, polygons[0]), (second, 1, polygons[1])):
        assert each.label == label
        assert np.array_equal(to_pixels(each.segmentation, 100, 200), to_pixels([polygon], 100, 200))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source", "format"), [("bccd", "voc", "voc"), ("raccoon", "voc", "yolo")])
def test_real_boxes_come_back_exactly(tmp_path, name, source, format):
    root = real_data(name)
    first = prepared(tmp_path / "first", source, root, to=format)
    again = prepared(tmp_path / "again", format, tmp_path / "first")
    assert boxes_of(first) == boxes_of(again)


@pytest.mark.slow
def test_real_masks_come_back_from_yolo(tmp_path):
    form = prepared(tmp_path / "first", "coco", real_data("coco-mini"), to="yolo")
    again = prepared(tmp_path / "again", "yolo", tmp_path / "first")
    num_masks = 0
    others = {image.file: image for split in again.splits() for image in again.of_split(split)}
    for split in form.splits():
        for image in form.of_split(split)[::5]:
            other = others[image.file]
            objects = [each for each in image.objects if not each.is_crowd]
            assert [each.label for each in objects] == [each.label for each in other.objects]
            for one, two in zip(objects, other.objects, strict=True):
                first, second = (to_pixels(each.segmentation, image.height, image.width) for each in (one, two))
                assert (first & second).sum() > 0.97 * (first | second).sum()  # pieces are joined by lines
                num_masks += 1
    assert num_masks > 500


def real_data(name):
    root = os.environ.get("DLCLI_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"DLCLI_DATA has no {name}")
    return Path(root) / name


def prepared(folder, format, source, **options):
    importer = AnnotatedImporter(AnnotatedOptions(**options), format)
    prepare_dataset(importer, source, folder, command="dl", force=False, report=lambda line: None)
    return open_annotated(folder)


def boxes_of(form):
    return {
        image.file: [(each.label, each.box, each.is_difficult) for each in image.objects]
        for split in form.splits()
        for image in form.of_split(split)
    }
