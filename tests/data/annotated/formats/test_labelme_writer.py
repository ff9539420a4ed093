"""Writing labelme's files: one file by hand, and what labelme's reader reads back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.formats import labelme
from dlcli.data.annotated.formats.labelme_writer import labelme_text
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import from_pixels, to_pixels

CLASSES = ("cat", "big dog", 'say "狗"\n')


def image_of(*objects, tags=(), file="images/train/a.jpg"):
    return AnnotatedImage(file, 100, 200, objects, tags)


def boxed(label, box, **more):
    return Annotation(label, box, (box[2] - box[0]) * (box[3] - box[1]), **more)


@pytest.fixture
def read_back(tmp_path, picture, put):
    """Return a function that writes an image's file beside it, and returns what is read."""

    def back(image):
        picture("a.jpg")
        put("a.json", labelme_text(image, CLASSES))
        found = labelme.read(tmp_path, Reading())
        assert found.notes == ()
        [read] = found.images
        assert (read.path, read.size) == (tmp_path / "a.jpg", (200, 100))
        return read

    return back


def test_the_file_by_hand():
    triangle = [[4.0, 3.0, 20.0, 3.0, 4.0, 9.5]]
    objects = boxed(0, (1.25, 2, 9, 9.75)), boxed(1, (4, 3, 20, 9.5), segmentation=triangle)
    text = labelme_text(image_of(*objects, tags=(1, 0)), CLASSES)
    assert text.endswith("}\n")
    common = {"group_id": None, "flags": {}}
    assert json.loads(text) == {
        "version": "5.5.0",
        "flags": {"big dog": True, "cat": True},
        "shapes": [
            {"label": "cat", "points": [[1.25, 2], [9, 9.75]], "shape_type": "rectangle", **common},
            {"label": "big dog", "points": [[4, 3], [20, 3], [4, 9.5]], "shape_type": "polygon", **common},
        ],
        "imagePath": "a.jpg",
        "imageData": None,
        "imageHeight": 100,
        "imageWidth": 200,
    }


def test_boxes_and_tags_come_back_exactly(read_back):
    random = np.random.default_rng(0)
    corners = np.sort(random.uniform(0, 100, (30, 2, 2)), axis=1).reshape(30, 4).tolist()
    image = image_of(*(boxed(number % 3, tuple(box)) for number, box in enumerate(corners)), tags=(2, 0))
    read = read_back(image)
    assert [(CLASSES.index(each.name), each.box) for each in read.objects] == [
        (each.label, each.box) for each in image.objects
    ]
    assert all(each.segmentation is None for each in read.objects)
    assert read.tags == (CLASSES[2], CLASSES[0])


def test_a_polygon_comes_back_exactly_and_equal_labels_stay_apart(read_back):
    first, second = [[4.125, 3.0, 20.0, 3.0, 20.0, 9.33]], [[40.0, 3.0, 60.0, 3.0, 60.0, 9.0, 40.0, 9.0]]
    objects = boxed(1, (4.125, 3, 20, 9.33), segmentation=first), boxed(1, (40, 3, 60, 9), segmentation=second)
    assert [each.segmentation for each in read_back(image_of(*objects)).objects] == [first, second]


def test_a_mask_of_pixels_comes_back_as_its_outline(read_back):
    pixels = np.zeros((100, 200), np.uint8)
    pixels[10:30, 20:60] = 1
    pixels[30:50, 40:60] = 1
    [each] = read_back(image_of(boxed(0, (20, 10, 60, 50), segmentation=from_pixels(pixels)))).objects
    assert np.array_equal(to_pixels(each.segmentation, 100, 200), pixels)


def test_pieces_are_one_polygon_and_holes_are_filled(read_back):
    pixels = np.zeros((100, 200), np.uint8)
    pixels[10:40, 20:60] = pixels[60:80, 100:140] = 1
    whole = pixels.copy()
    pixels[20:25, 30:40] = 0
    [each] = read_back(image_of(boxed(0, (20, 10, 140, 80), segmentation=from_pixels(pixels)))).objects
    assert len(each.segmentation) == 1
    differs = to_pixels(each.segmentation, 100, 200) != whole
    assert not differs[10:40, 20:60].any() and not differs[60:80, 100:140].any()
    assert differs.sum() <= 60  # pixels that the line between the pieces, at most 40 + 20 long, may draw


def test_crowds_are_left_out(read_back):
    crowd = boxed(1, (0, 0, 9, 9), is_crowd=True)
    assert [each.name for each in read_back(image_of(crowd, boxed(0, (1, 1, 5, 5)), crowd)).objects] == ["cat"]
    assert json.loads(labelme_text(image_of(crowd), CLASSES))["shapes"] == []


def test_an_image_without_objects_comes_back_empty(read_back):
    read = read_back(image_of())
    assert (read.objects, read.tags) == ((), ())


@pytest.mark.parametrize("file", ["a.jpg", "images/a.jpg", "/etc/a.jpg", "../../a.jpg"])
def test_the_image_is_expected_beside_the_file(file):
    assert json.loads(labelme_text(image_of(file=file), CLASSES))["imagePath"] == "a.jpg"


def test_names_are_written_as_they_are_and_not_escaped():
    assert "狗" in labelme_text(image_of(boxed(2, (0, 0, 1, 1))), CLASSES)
