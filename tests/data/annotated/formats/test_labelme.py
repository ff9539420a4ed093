"""labelme: shapes of every kind, images found by any path, and each fault noted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.faults import KINDS
from dlcli.data.annotated.formats import labelme
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import to_pixels


def shape(label="cat", kind="rectangle", points=((10, 20), (50, 40)), **more):
    return {"label": label, "shape_type": kind, "points": [list(point) for point in points], **more}


def written(put, name="a.json", shapes=(), image="a.jpg", **more):
    content = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": image, "imageData": None}
    return put(name, json.dumps({**content, "imageHeight": 100, "imageWidth": 200, **more}))


def found(folder, **options):
    return labelme.read(folder, Reading(**options))


def objects(put, picture, tmp_path, *shapes):
    picture("a.jpg")
    written(put, shapes=shapes)
    result = found(tmp_path)
    return result.images[0].objects, result.notes


def test_a_file(tmp_path, picture, put):
    picture("a.jpg")
    written(put, shapes=[shape()], flags={"indoor": True, "dark": False})
    (image,) = found(tmp_path).images
    assert (image.path, image.annotation, image.size, image.tags) == (
        tmp_path / "a.jpg",
        "a.json",
        (200, 100),
        ("indoor",),
    )
    assert (image.objects[0].name, image.objects[0].box, image.objects[0].segmentation) == (
        "cat",
        (10, 20, 50, 40),
        None,
    )


def test_a_rectangle_drawn_from_its_lower_right_corner(tmp_path, picture, put):
    (each,), _ = objects(put, picture, tmp_path, shape(points=[(50, 40), (10, 20)]))
    assert each.box == (10, 20, 50, 40)


def test_a_polygon_and_a_circle_are_masks(tmp_path, picture, put):
    (polygon, circle), notes = objects(
        put,
        picture,
        tmp_path,
        shape(kind="polygon", points=[(0, 0), (10, 0), (10, 10)]),
        shape(kind="circle", points=[(100, 50), (100, 80)]),
    )
    assert polygon.segmentation == [[0, 0, 10, 0, 10, 10]]
    assert notes == ()
    area = int(to_pixels(circle.segmentation, 100, 200).sum())
    assert area == pytest.approx(math.pi * 30**2, rel=0.01)


def test_polygons_of_a_group_are_one_object(tmp_path, picture, put):
    first, second = [(0, 0), (10, 0), (10, 10)], [(20, 0), (30, 0), (30, 10)]
    found_objects, _ = objects(
        put,
        picture,
        tmp_path,
        shape(kind="polygon", points=first, group_id=1),
        shape(kind="polygon", points=second, group_id=1),
        shape("dog", "polygon", second, group_id=1),
        shape(kind="polygon", points=first, group_id=None),
        shape(group_id=1),
    )
    sizes = {(each.name, len(each.segmentation or ())) for each in found_objects}
    assert len(found_objects) == 4
    assert sizes == {("cat", 2), ("dog", 1), ("cat", 1), ("cat", 0)}


def test_flags_of_a_shape(tmp_path, picture, put):
    (each, other), _ = objects(
        put, picture, tmp_path, shape(flags={"difficult": True, "wet": True}), shape(flags={"difficult": False})
    )
    assert each.is_difficult
    assert each.extra == {"flags": ["difficult", "wet"]}
    assert not other.is_difficult


@pytest.mark.parametrize(
    ("faulty", "note"),
    [
        (shape(kind="line"), "a line has no area"),
        (shape(kind="point", points=[(1, 1)]), "a point has no area"),
        (shape(points=[(1, 1)]), "fewer than two points"),
        (shape(kind="circle", points=[(1, 1)]), "a circle of 1 points"),
        (shape(points=[(1, 1), (2, "x")]), "not two numbers"),
        (shape(points=[(1, 1), (2, True)]), "not two numbers"),
        (shape(points=[(1, 1, 1), (2, 2, 2)]), "not two numbers"),
        ({"label": "cat", "shape_type": "polygon", "points": 3}, "no points"),
        ({"label": 3, "points": []}, "no label"),
        ("shape", "no label"),
    ],
)
def test_a_shape_that_cannot_be_read_is_noted(tmp_path, picture, put, faulty, note):
    found_objects, notes = objects(put, picture, tmp_path, shape(), faulty)
    assert len(found_objects) == 1
    (fault,) = notes
    assert fault.startswith("a.json: shape 1: ")
    assert note in fault


def test_numbers_that_are_not_finite_are_left_to_the_checker(tmp_path, picture, put):
    (each,), _ = objects(put, picture, tmp_path, shape(points=[(math.nan, 1), (10**400, 2)]))
    assert math.isinf(each.box[2]) or math.isnan(each.box[2])


@pytest.mark.parametrize(
    ("json_name", "image_name", "written_path"),
    [
        ("a.json", "a.jpg", "a.jpg"),
        ("labels/a.json", "images/a.jpg", "..\\images\\a.jpg"),
        ("labels/a.json", "images/a.jpg", "C:\\Users\\ann\\images\\a.jpg"),
        ("train/a.json", "train/a.jpg", "renamed.jpg"),
        ("a.json", "a.png", None),
    ],
)
def test_the_image_is_found(tmp_path, picture, put, json_name, image_name, written_path):
    picture(image_name)
    written(put, json_name, [shape()], written_path)
    images = found(tmp_path).images
    assert [image.path for image in images] == [tmp_path / image_name]
    assert images[0].split == ("train" if "train" in json_name else "")


def test_of_two_images_of_one_name_the_one_beside_the_file(tmp_path, picture, put):
    for folder in ("x", "y"):
        picture(f"{folder}/a.jpg")
        written(put, f"{folder}/a.json", [shape(folder)])
    assert {image.path.parent.name: image.objects[0].name for image in found(tmp_path).images} == {"x": "x", "y": "y"}


def test_images_in_a_folder_elsewhere(tmp_path, picture, put):
    picture("photos/a.jpg")
    written(put, "json/a.json", [shape()])
    assert found(tmp_path / "json", images=tmp_path / "photos").images[0].path == tmp_path / "photos" / "a.jpg"


def test_a_path_does_not_lead_out_of_the_folder(tmp_path, picture, put):
    picture("secret/b.jpg")
    written(put, "inner/a.json", [shape()], "../secret/b.jpg")
    (image,) = found(tmp_path / "inner").images
    assert image.path == tmp_path / "inner" / "b.jpg"
    assert not image.path.exists()


def test_an_image_that_is_only_embedded_is_noted_and_skipped(tmp_path, picture, put):
    picture("a.jpg")
    written(put, "a.json", [shape()])
    written(put, "b.json", [shape()], "b.jpg", imageData="iVBORw0KGgo=")
    result = found(tmp_path)
    assert len(result.images) == 1
    assert "only embedded" in result.notes[0]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("{", "not JSON"),
        ("[1]", "no shapes"),
        ('{"shapes": 1}', "no shapes"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 99999, "not JSON"),
    ],
)
def test_a_file_that_is_none_is_noted(tmp_path, picture, put, text, note):
    picture("a.jpg")
    written(put, "a.json", [shape()])
    put("b.json", text)
    assert any(line.startswith("b.json: ") and note in line for line in found(tmp_path).notes)


@pytest.mark.parametrize("text", ["{", b"\xff\xfe{", '{"shapes": 1}'])
def test_an_image_whose_file_is_damaged_is_no_background(tmp_path, picture, put, text):
    for name in ("a", "b", "images/c", "d", "x/e", "y/e"):
        picture(f"{name}.jpg")
    written(put, shapes=[shape()])
    for name in ("b", "labels/c", "x/e"):
        put(f"{name}.json", text)
    result = found(tmp_path)
    assert sorted(image.path.relative_to(tmp_path).as_posix() for image in result.images if image.damage) == [
        "b.jpg",
        "images/c.jpg",
        "x/e.jpg",
    ]
    checked = check(result, tmp_path)
    assert sorted(Path(image.file).relative_to(tmp_path).as_posix() for image in checked.images[""]) == [
        "a.jpg",
        "d.jpg",
        "y/e.jpg",
    ]
    assert any(note.startswith(f"{KINDS['annotation_damaged']}: 3, the first in b.json: ") for note in checked.notes)


def test_a_damaged_file_beside_a_sound_one_of_its_image_loses_nothing(tmp_path, picture, put):
    picture("a.jpg")
    put("a.json", "{")
    written(put, "b.json", [shape()])
    assert [(len(image.objects), image.damage) for image in found(tmp_path).images] == [(1, "")]


def test_images_without_a_file_are_passed_on(tmp_path, picture, put):
    picture("a.jpg")
    picture("b.jpg")
    written(put, shapes=[shape()])
    result = found(tmp_path)
    assert [(image.annotation, len(image.objects)) for image in result.images] == [("a.json", 1), ("", 0)]


def test_a_second_file_of_an_image_is_noted(tmp_path, picture, put):
    picture("a.jpg")
    written(put, "a.json", [shape()])
    written(put, "b.json", [shape(), shape()])
    result = found(tmp_path)
    assert [len(image.objects) for image in result.images] == [1]
    assert "as a.json does" in result.notes[0]


@pytest.mark.parametrize("size", [{"imageWidth": None}, {"imageHeight": "x"}, {"imageWidth": math.inf}])
def test_a_size_that_is_none(tmp_path, picture, put, size):
    picture("a.jpg")
    written(put, shapes=[shape()], **size)
    assert found(tmp_path).images[0].size is None


def test_a_folder_without_such_files_is_refused(tmp_path, put):
    put("a.json", "{}")
    assert not labelme.matches(tmp_path)
    with pytest.raises(DataError, match="1 JSON files, of which none"):
        found(tmp_path)
    written(put, "b.json", [shape()])
    assert labelme.matches(tmp_path)
    assert not labelme.matches(tmp_path / "b.json")
