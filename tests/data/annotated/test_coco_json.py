"""COCO's JSON values of annotated images: one file by hand, exact round trips, and every damage refused."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.coco_json import annotation_row, from_coco, is_inside, to_coco, xywh, xyxy

CLASSES = ("cat", "狗", "big dog")
TRIANGLE = [[4.0, 3.0, 20.0, 3.0, 4.0, 9.5]]
RUNS = {"size": [30, 40], "counts": [300, 9, 891]}
IMAGES = (
    AnnotatedImage(
        "images/train/a.jpg",
        30,
        40,
        (
            Annotation(2, (1.25, 2.0, 9.0, 9.7), 59.675, extra={"pose": "Left", "score": 0.5}),
            Annotation(0, (4.0, 3.0, 20.0, 9.5), 52.0, segmentation=TRIANGLE),
        ),
        tags=(0, 1),
        group="film 1",
    ),
    AnnotatedImage("images/train/b.png", 20, 10, label_map="maps/b.png"),
    AnnotatedImage(
        "images/train/c.jpg",
        30,
        40,
        (
            Annotation(1, (10.0, 0.0, 11.0, 9.0), 9.0, is_crowd=True, segmentation=RUNS),
            Annotation(1, (0.0, 0.0, 40.0, 30.0), 1200.0, is_difficult=True),
        ),
    ),
)


@pytest.fixture
def value():
    """Return the JSON values of `IMAGES`, to be damaged."""
    return copy.deepcopy(to_coco(IMAGES, CLASSES))


def test_the_values_by_hand():
    assert to_coco(IMAGES[:1], CLASSES) == {
        "images": [
            {
                "id": 1,
                "file_name": "images/train/a.jpg",
                "height": 30,
                "width": 40,
                "tags": [1, 2],
                "group": "film 1",
            }
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 3,
                "bbox": [1.25, 2.0, 7.75, 7.7],
                "area": 59.675,
                "iscrowd": 0,
                "pose": "Left",
                "score": 0.5,
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 1,
                "bbox": [4.0, 3.0, 16.0, 6.5],
                "area": 52.0,
                "iscrowd": 0,
                "segmentation": TRIANGLE,
            },
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "狗"}, {"id": 3, "name": "big dog"}],
    }


def test_ids_count_across_images_and_marks_stand_where_they_hold(value):
    assert [(row["id"], row["image_id"]) for row in value["annotations"]] == [(1, 1), (2, 1), (3, 3), (4, 3)]
    assert [row["iscrowd"] for row in value["annotations"]] == [0, 0, 1, 0]
    assert [row.get("ignore") for row in value["annotations"]] == [None, None, None, 1]
    assert value["images"][1] == {
        "id": 2,
        "file_name": "images/train/b.png",
        "height": 20,
        "width": 10,
        "label_map": "maps/b.png",
    }


@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_round_trip_through_a_text_is_exact(value, ascii_only):
    assert from_coco(json.loads(json.dumps(value, ensure_ascii=ascii_only)), "x.json") == (CLASSES, IMAGES)


def test_rows_may_come_in_any_order_of_their_images(value):
    rows = value["annotations"]
    rows[0]["image_id"], rows[2]["image_id"] = 3, 1
    _, images = from_coco(value, "x.json")
    assert [[each.area for each in image.objects] for image in images] == [[52.0, 9.0], [], [59.675, 1200.0]]


def test_nothing_is_a_file_too():
    assert to_coco((), ()) == {"images": [], "annotations": [], "categories": []}
    assert from_coco(to_coco((), ()), "x.json") == ((), ())


def test_what_a_source_says_does_not_overwrite_what_is_measured():
    extra = {"id": 77, "image_id": 78, "category_id": 79, "bbox": [], "area": -1, "iscrowd": 1, "ignore": 1, "note": 2}
    extra |= {"segmentation": [], "difficult": 1}
    row = annotation_row(Annotation(0, (1, 2, 3, 5), 6, extra=extra), 4, 5)
    assert row == {
        "note": 2,
        "id": 4,
        "image_id": 5,
        "category_id": 1,
        "bbox": [1, 2, 2, 3],
        "area": 6,
        "iscrowd": 0,
    }


def test_boxes_of_three_decimals_come_back_exactly():
    random = np.random.default_rng(0)
    corners = np.sort(random.integers(0, 10_000_000, (2000, 2, 2)), axis=1).reshape(2000, 4)
    for box in (tuple(each / 1000 for each in row) for row in corners.tolist()):
        assert xyxy(xywh(box)) == box


def test_finer_positions_are_off_by_at_most_a_thousandth():
    random = np.random.default_rng(1)
    boxes = np.sort(random.uniform(0, 5000, (500, 2, 2)), axis=1).reshape(500, 4)
    back = np.array([xyxy(xywh(tuple(box))) for box in boxes.tolist()])
    assert np.abs(back - boxes).max() <= 0.001 + 1e-9


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.jpg", True),
        ("images/train/a..b.jpg", True),
        ("images/été 狗.jpg", True),
        ("", False),
        ("/etc/passwd", False),
        ("../a.jpg", False),
        ("images/../../a.jpg", False),
        ("images/..", False),
        ("..\\a.jpg", False),
        ("C:/a.jpg", False),
        ("a.jpg:stream", False),
        ("a.jpg\0", False),
        (3, False),
        (None, False),
        (["a.jpg"], False),
    ],
)
def test_is_inside(path, expected):
    assert is_inside(path) is expected


@pytest.mark.parametrize(
    ("rows", "number", "changes", "says"),
    [
        ("images", 0, {"id": 2}, "the id 2 in place of 1"),
        ("images", 0, {"file_name": "../../etc/passwd"}, "the path"),
        ("images", 0, {"file_name": None}, "the path None"),
        ("images", 1, {"label_map": "/etc/passwd"}, "the path"),
        ("images", 1, {"label_map": 3}, "the path"),
        ("images", 0, {"group": ["a"]}, "a group that is no text"),
        ("images", 0, {"tags": [0]}, "the category 0"),
        ("images", 0, {"tags": [4]}, "the category 4"),
        ("images", 0, {"tags": 1}, "TypeError"),
        ("images", 1, {"height": 0}, "0 in place of a count"),
        ("images", 1, {"width": 10.0}, "10.0 in place of a count"),
        ("images", 1, {"width": True}, "True in place of a count"),
        ("annotations", 1, {"id": 3}, "the annotation id 3 in place of 2"),
        ("annotations", 0, {"image_id": 4}, "KeyError"),
        ("annotations", 0, {"image_id": 0}, "KeyError"),
        ("annotations", 0, {"image_id": []}, "TypeError"),
        ("annotations", 0, {"category_id": 0}, "the category 0"),
        ("annotations", 0, {"category_id": 4}, "the category 4"),
        ("annotations", 0, {"category_id": True}, "the category True"),
        ("annotations", 0, {"category_id": 1.0}, "the category 1.0"),
        ("annotations", 0, {"area": float("nan")}, "nan in place of a number"),
        ("annotations", 0, {"area": 10**400}, "OverflowError"),
        ("annotations", 0, {"area": False}, "False in place of a number"),
        ("annotations", 0, {"bbox": [0, 0, float("inf"), 1]}, "inf in place of a number"),
        ("annotations", 0, {"bbox": [0, 0, "9", 1]}, "'9' in place of a number"),
        ("annotations", 0, {"bbox": [0, 0, 1, 1, 1]}, "ValueError"),
        ("annotations", 0, {"bbox": [0, 0, 0.0004, 1]}, "the box"),
        ("annotations", 0, {"bbox": [-0.5, 0, 1, 1]}, "the box"),
        ("annotations", 0, {"bbox": [30, 0, 10.001, 1]}, "the box"),
        ("annotations", 0, {"bbox": [0, 20, 1, 10.001]}, "the box"),
        ("annotations", 2, {"segmentation": {"size": [40, 30], "counts": [1200]}}, "another size"),
        ("annotations", 2, {"segmentation": {"size": [30, 40], "counts": [1199]}}, "do not add up"),
        ("annotations", 2, {"segmentation": None}, "neither polygons nor run lengths"),
        ("categories", 1, {"id": 3}, "category ids"),
    ],
)
def test_damage_names_the_file_the_fault_and_the_fix(value, rows, number, changes, says):
    value[rows][number].update(changes)
    with pytest.raises(DataError) as error:
        from_coco(value, "folder/x.json")
    assert error.value.message.startswith("folder/x.json: damaged: ") and says in error.value.message
    assert error.value.hint == "prepare the data again with `dl prepare`"


@pytest.mark.parametrize("rows", ["images", "annotations", "categories"])
@pytest.mark.parametrize("content", [None, 3, [None], ["a"], [[]], {"a": 1}])
def test_values_of_another_kind_are_damage(value, rows, content):
    with pytest.raises(DataError, match=r"x\.json: damaged"):
        from_coco(value | {rows: content}, "x.json")


@pytest.mark.parametrize("content", [None, [], 3, "images", {}])
def test_a_file_of_something_else_is_damage(content):
    with pytest.raises(DataError, match=r"x\.json: damaged"):
        from_coco(content, "x.json")


@pytest.mark.parametrize("rows", ["images", "annotations", "categories"])
def test_every_key_that_is_not_said_to_be_optional_is_required(value, rows):
    optional = {"tags", "group", "pose", "score"}
    required = [key for key in value[rows][0] if key not in optional]
    for key in required:
        damaged = copy.deepcopy(value)
        del damaged[rows][0][key]
        with pytest.raises(DataError, match=rf"x\.json: damaged: KeyError: '{key}'"):
            from_coco(damaged, "x.json")


def test_a_long_fault_prints_as_short_lines(value):
    value["annotations"][0]["id"] = "x" * 1_000_000
    with pytest.raises(DataError) as error:
        from_coco(value, "x.json")
    assert max(map(len, error.value.lines())) <= 300 and "dl prepare" in error.value.lines()[-1]
