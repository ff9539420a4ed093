"""JSON files of COCO's kind, and what people make of them."""

from __future__ import annotations

import pytest
from toys.annotated import coco_file, coco_value, picture

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.formats.coco import matches, read
from dlcli.data.annotated.found import Reading

BOX = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 12]}


def value(*annotations, **more):
    return coco_value({7: "a.jpg", 9: "b.jpg"}, annotations or [BOX], {3: "cat", 1: "dog"}) | more


def test_classes_are_in_the_order_of_ids_and_boxes_have_their_far_sides(tmp_path):
    coco_file(tmp_path / "annotations/instances_train2017.json", value(BOX, BOX | {"category_id": 1, "iscrowd": 1}))
    coco_file(tmp_path / "annotations/captions_train2017.json", value())
    wanted = picture(tmp_path / "train2017/a.jpg")
    picture(tmp_path / "val2017/a.jpg")
    found = read(tmp_path, Reading())
    assert found.classes == ("dog", "cat") and matches(tmp_path)
    assert [(image.path.name, image.split, image.size) for image in found.images] == [
        ("a.jpg", "train", (40, 30)),
        ("b.jpg", "train", (40, 30)),
    ]
    assert found.images[0].path == wanted
    assert [(each.name, each.box, each.is_crowd) for each in found.images[0].objects] == [
        ("cat", (1, 2, 11, 14), False),
        ("dog", (1, 2, 11, 14), True),
    ]


def test_two_files_are_two_splits(tmp_path):
    for split in ("train", "val"):
        coco_file(tmp_path / f"annotations/instances_{split}.json", value())
        picture(tmp_path / f"images/{split}/a.jpg")
    images = [image for image in read(tmp_path, Reading()).images if image.objects]
    assert [(image.split, image.path.parent.name) for image in images] == [("train", "train"), ("valid", "val")]


def test_a_file_with_its_images_anywhere(tmp_path):
    json_file = coco_file(tmp_path / "labels.json", value())
    picture(tmp_path / "elsewhere/a.jpg")
    options = Reading(images=tmp_path / "elsewhere")
    for source in (tmp_path, json_file):
        assert matches(source)
        assert read(source, options).images[0].path == tmp_path / "elsewhere/a.jpg"
        assert read(source, Reading()).images[0].path == tmp_path / "elsewhere/a.jpg"
        assert read(source, Reading()).images[0].split == ""


def test_folders_of_splits_with_a_file_each(tmp_path):
    for split in ("train", "valid", "test"):
        coco_file(tmp_path / split / "_annotations.coco.json", value())
        picture(tmp_path / split / "a.jpg")
    images = [image for image in read(tmp_path, Reading()).images if image.objects]
    assert sorted((image.split, image.path.parent.name) for image in images) == [
        ("test", "test"),
        ("train", "train"),
        ("valid", "valid"),
    ]


def test_ids_of_any_kind(tmp_path):
    for number, (image_id, category) in enumerate([(0, 0), ("x", "y"), (7.0, "3")]):
        row = {"image_id": image_id, "category_id": category, "bbox": [1, 2, 10, 12]}
        folder = tmp_path / str(number)
        coco_file(folder / "a.json", coco_value({image_id: "a.jpg"}, [row], {category: "cat"}))
        picture(folder / "a.jpg")
        assert [each.name for each in read(folder, Reading()).images[0].objects] == ["cat"]


def test_difficult_objects_and_what_else_is_said(tmp_path):
    row = BOX | {"ignore": 1, "pose": "Left", "area": 55.5, "keypoints": [1, 2]}
    coco_file(tmp_path / "pascal_train2007.json", value(row))
    picture(tmp_path / "a.jpg")
    found = read(tmp_path, Reading())
    [each] = found.images[0].objects
    assert each.is_difficult and each.extra == {"pose": "Left", "area": 55.5} and found.images[0].split == "train"
    [checked] = check(found, tmp_path).images["train"][0].objects
    assert checked.area == 55.5 and checked.extra == {"pose": "Left"}


def test_areas_that_are_missing_or_cannot_be(tmp_path):
    triangle = {"segmentation": [[1, 2, 11, 2, 1, 12]], "bbox": [1, 2, 10, 10]}
    moved = {"segmentation": [[21, 2, 31, 2, 21, 12]], "bbox": [21, 2, 10, 10]}
    rows = [BOX | triangle, BOX | moved | {"area": 9999}, BOX | {"bbox": [1, 20, 10, 4], "area": -1}]
    coco_file(tmp_path / "a.json", value(*rows))
    picture(tmp_path / "a.jpg")
    [image] = [image for image in check(read(tmp_path, Reading()), tmp_path).images[""] if image.objects]
    assert [each.area for each in image.objects] == [50, 50, 40]


def test_entries_that_belong_to_nothing_are_counted(tmp_path):
    rows = [BOX, BOX | {"image_id": 99}, BOX | {"category_id": 99}, BOX | {"category_id": None}]
    content = value(*rows)
    content["images"] += [{"id": 7, "file_name": "c.jpg"}, {"id": 11}, 5, {"id": [1], "file_name": "d.jpg"}]
    content["annotations"].append("x")
    content["categories"].append({"name": "no id"})
    coco_file(tmp_path / "a.json", content)
    found = read(tmp_path, Reading())
    assert [len(image.objects) for image in found.images] == [1, 0]
    assert [note.rpartition(", the first")[0] for note in found.notes] == [
        "a.json: categories without an id, left out: 1",
        "a.json: images whose id another one has, left out: 1",
        "a.json: images without an id or a file_name, left out: 3",
        "a.json: annotations of unknown images, left out: 2",
        "a.json: annotations of unknown categories, left out: 2",
    ]


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "..\\secret.jpg"])
def test_names_stay_in_the_folder(name, tmp_path):
    picture(tmp_path / "secret.jpg")
    content = coco_value({7: name}, [BOX], {3: "cat"})
    content["images"][0]["label_map"] = "../secret.jpg"
    coco_file(tmp_path / "set/a.json", content)
    [image] = read(tmp_path / "set", Reading()).images
    assert image.path == tmp_path / "set/secret.jpg" and image.label_map is None


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"images": 3, "annotations": []}', "[" * 100_000])
def test_a_damaged_file_is_an_error_that_names_it(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.json"):
        read(path, Reading())


def test_folders_without_such_a_file_are_not_claimed(tmp_path):
    picture(tmp_path / "cat/1.jpg")
    (tmp_path / "cat/1.json").write_text('{"shapes": [], "images": "annotations"}')
    assert not matches(tmp_path) and not matches(tmp_path / "none") and not matches(tmp_path / "cat/1.jpg")
    with pytest.raises(DataError, match="no annotations of COCO"):
        read(tmp_path, Reading())
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none", Reading())
