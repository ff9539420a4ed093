"""VOC's label maps: numbers of objects and classes, what is seen where masks overlap, and the palette."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.formats.voc_masks import label_maps, palette, write_map
from dlcli.data.annotated.masks import from_pixels


def square(label, left, top, side, **more):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[top : top + side, left : left + side] = 1
    box = (float(left), float(top), float(left + side), float(top + side))
    return Annotation(label, box, float(side**2), segmentation=from_pixels(pixels), **more)


def image(*objects):
    return AnnotatedImage("a.jpg", 20, 30, tuple(objects))


def test_objects_and_classes():
    objects, classes = label_maps(image(square(4, 0, 0, 2), Annotation(1, (0, 0, 9, 9), 81), square(0, 10, 10, 3)))
    assert np.unique(objects, return_counts=True)[1].tolist() == [600 - 4 - 9, 4, 9]
    assert (objects[0, 0], objects[10, 10], classes[0, 0], classes[10, 10]) == (1, 3, 5, 1)


def test_the_smaller_object_is_seen_and_any_before_a_crowd():
    objects, classes = label_maps(image(square(0, 5, 5, 2), square(1, 4, 4, 6), square(2, 0, 0, 15, is_crowd=True)))
    assert [objects[at, at] for at in (5, 8, 12, 19)] == [1, 2, 255, 0]
    assert [classes[at, at] for at in (5, 8, 12, 19)] == [1, 2, 255, 0]


def test_no_masks_no_maps():
    assert label_maps(image(Annotation(1, (0, 0, 9, 9), 81), square(2, 0, 0, 15, is_crowd=True))) is None


def test_the_first_colours_are_vocs():
    assert palette()[[0, 1, 2, 3, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]


def test_a_file_holds_indices(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_map(tmp_path / "a.png", values)
    with Image.open(tmp_path / "a.png") as written:
        assert written.mode == "P"
        assert np.array_equal(np.asarray(written), values)
        assert np.array_equal(np.reshape(written.getpalette(), (-1, 3)), palette())
