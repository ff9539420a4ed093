"""Every format that is written: written, read by its reader and checked, the data are the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.formats import voc, yolo
from dlcli.data.annotated.formats.texts import WRITERS
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.card import Card

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
