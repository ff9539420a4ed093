"""Writing YOLO and VOC: what is read back equals what was written, on boxes, polygons, crowds and difficult objects."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.formats import yolo
from dlcli.data.annotated.formats.texts import WRITERS, annotation_text
from dlcli.data.annotated.formats.yolo_writer import joined, outline_of
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import from_pixels, to_pixels
from dlcli.data.card import Card

CLASSES = ("cat", "big dog", "no")


def boxed(label, box, **more):
    return Annotation(label, box, (box[2] - box[0]) * (box[3] - box[1]), **more)


@pytest.fixture
def form(tmp_path, picture):
    """Return a prepared folder with two splits, each with an image `a.jpg` of 200 x 100."""

    def make(train=(), test=(), tags=()):
        images = {}
        for split, objects in (("train", train), ("test", test)):
            picture(f"images/{split}/a.jpg")
            images[split] = (AnnotatedImage(f"images/{split}/a.jpg", 100, 200, tuple(objects), tags),)
        counts = {split: dict.fromkeys(CLASSES, 0) for split in images}
        return AnnotatedForm(tmp_path, Card("annotated", "toy", CLASSES, counts), images, True)

    return make


def yolo_back(form):
    WRITERS["yolo"].write(form, form.root)
    found = yolo.read(form.root, Reading())
    assert found.classes == CLASSES
    assert found.notes == ()
    return {image.split: image.objects for image in found.images}


def test_yolo_boxes_come_back(form):
    boxes = [(10, 20, 50, 40), (0, 0, 200, 100), (1 / 3, 2 / 7, 100 / 3, 70.123456)]
    back = yolo_back(form([boxed(label, box) for label, box in enumerate(boxes)]))
    assert [each.name for each in back["train"]] == list(CLASSES)
    np.testing.assert_allclose([each.box for each in back["train"]], boxes, atol=1e-4)
    assert back["test"] == ()


def test_yolo_polygons_come_back(form):
    polygon = [10.0, 20.0, 50.0, 20.0, 50.0, 40.0]
    objects = [boxed(0, (10, 20, 50, 40), segmentation=[polygon]), boxed(1, (0, 0, 20, 10))]
    masked, square = yolo_back(form(objects))["train"]
    np.testing.assert_allclose(masked.segmentation[0], polygon, atol=1e-4)
    np.testing.assert_allclose(square.segmentation[0], [0, 0, 20, 0, 20, 10, 0, 10], atol=1e-4)


def test_yolo_masks_of_pixels_and_of_several_pieces_come_back(form):
    pixels = np.zeros((100, 200), np.uint8)
    pixels[10:30, 20:60] = 1
    pixels[50:80, 100:140] = 1
    polygons = [[20.0, 10, 60, 10, 60, 30, 20, 30], [100.0, 50, 140, 50, 140, 80, 100, 80], [150.0, 0, 160, 0, 160, 9]]
    objects = [
        boxed(0, (20, 10, 140, 80), segmentation=from_pixels(pixels)),
        boxed(0, (20, 10, 160, 80), segmentation=polygons),
    ]
    first, second = (to_pixels(each.segmentation, 100, 200) for each in yolo_back(form(objects))["train"])
    assert np.abs(first.astype(int) - pixels).sum() <= 40  # the bridge has no width, but hotcoco draws its pixels
    expected = to_pixels(polygons, 100, 200)
    assert np.abs(second.astype(int) - expected).sum() <= 0.05 * expected.sum()


def test_joined_polygons_have_the_sum_of_the_areas():
    polygons = [[0, 0, 10, 0, 10, 10, 0, 10], [20, 0, 25, 0, 25, 5, 20, 5], [0, 30, 4, 30, 4, 34, 0, 34]]
    x, y = joined(polygons).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == 100 + 25 + 16


@pytest.mark.parametrize("empty", [[], from_pixels(np.zeros((100, 200), np.uint8))])
def test_a_mask_without_a_pixel_is_written_as_its_box(empty):
    image = AnnotatedImage("a.jpg", 100, 200, (boxed(0, (20, 10, 60, 30), segmentation=empty),))
    assert outline_of(image.objects[0], image).tolist() == [[20, 10], [60, 10], [60, 30], [20, 30]]
    assert annotation_text(image, CLASSES, "yolo") == "0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3\n"


def test_yolo_leaves_out_crowds_and_says_so(form):
    objects = [boxed(0, (0, 0, 9, 9)), boxed(1, (0, 0, 9, 9), is_crowd=True), boxed(2, (0, 0, 9, 9), is_difficult=True)]
    made = form(objects)
    assert [each.name for each in yolo_back(made)["train"]] == ["cat", "no"]
    text = (made.root / "data.yaml").read_text()
    assert "# 1 crowd regions are left out" in text
    assert "# 1 objects are marked difficult" in text
    assert not (made.root / "labels/test/a.txt").exists()


def voc_objects(root, name):
    tree = ElementTree.parse(root / "Annotations" / f"{name}.xml").getroot()
    return tree, [
        (
            each.findtext("name"),
            [int(each.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")],
            int(each.findtext("difficult")),
        )
        for each in tree.iter("object")
    ]


def test_voc_boxes_are_pixel_numbers_from_1(form):
    objects = [
        boxed(0, (0, 0, 200, 100)),
        boxed(1, (10, 20, 50, 40), is_difficult=True),
        boxed(2, (10, 20, 50, 40), is_crowd=True),
        boxed(0, (10.4, 20.6, 10.6, 20.7)),
        boxed(0, (199.9, 99.9, 200, 100)),
    ]
    made = form(objects)
    WRITERS["voc"].write(made, made.root)
    tree, found = voc_objects(made.root, "a")
    assert found == [
        ("cat", [1, 1, 200, 100], 0),
        ("big dog", [11, 21, 50, 40], 1),
        ("no", [11, 21, 50, 40], 1),
        ("cat", [11, 22, 11, 22], 0),
        ("cat", [200, 100, 200, 100], 0),
    ]
    assert [tree.findtext(f"size/{side}") for side in ("width", "height", "depth")] == ["200", "100", "3"]


def test_vocs_images_are_one_with_the_forms_and_named_apart(form):
    made = form([boxed(0, (0, 0, 9, 9))])
    WRITERS["voc"].write(made, made.root)
    lists = {path.name: path.read_text() for path in (made.root / "ImageSets/Main").iterdir()}
    assert (lists["train.txt"], lists["test.txt"]) == ("a\n", "a_test\n")
    for name, original in (("a.jpg", "images/train/a.jpg"), ("a_test.jpg", "images/test/a.jpg")):
        assert (made.root / "JPEGImages" / name).samefile(made.root / original)
    assert ElementTree.parse(made.root / "Annotations/a_test.xml").getroot().findtext("filename") == "a_test.jpg"


def test_vocs_lists_say_which_image_shows_which_class(form):
    made = form([boxed(0, (0, 0, 9, 9)), boxed(1, (0, 0, 9, 9), is_difficult=True)], tags=(2,))
    WRITERS["voc"].write(made, made.root)
    main = made.root / "ImageSets/Main"
    assert [(main / f"{name}_train.txt").read_text() for name in ("cat", "big_dog", "no")] == [
        "a  1\n",
        "a  0\n",
        "a  1\n",
    ]
    assert (main / "cat_test.txt").read_text() == "a_test -1\n"


def test_a_copy_where_there_are_no_links(form, monkeypatch):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("dlcli.data.annotated.formats.voc_writer.os.link", refuse)
    made = form()
    WRITERS["voc"].write(made, made.root)
    copy, original = made.root / "JPEGImages/a.jpg", made.root / "images/train/a.jpg"
    assert copy.read_bytes() == original.read_bytes()
    assert not copy.samefile(original)


def test_the_text_of_one_image():
    image = AnnotatedImage("x/a.jpg", 100, 200, (boxed(1, (0, 0, 100, 50)),))
    assert annotation_text(image, CLASSES, "yolo") == "1 0.25 0.25 0.5 0.5\n"
    xml = ElementTree.fromstring(annotation_text(image, ("a", "x < y & \x01"), "voc"))
    assert (xml.findtext("filename"), xml.findtext("object/name")) == ("a.jpg", "x < y & ?")
    assert annotation_text(dataclasses.replace(image, objects=()), CLASSES, "yolo") == ""
    with pytest.raises(UsageError, match="no writer"):
        annotation_text(image, CLASSES, "coco")
