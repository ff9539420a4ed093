"""YOLO: every layout in use, boxes and polygons in pixels, and each fault noted or refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.faults import KINDS
from dlcli.data.annotated.formats import yolo
from dlcli.data.annotated.found import Reading

YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


def found(folder, **options):
    return yolo.read(folder, Reading(**options))


def by_name(result):
    return {image.path.name: image for image in result.images}


def labelled(put, picture, lines, names="[cat, dog]"):
    """Write one image, 200 x 100, with these label lines."""
    picture("images/train/a.jpg")
    put("labels/train/a.txt", lines)
    put("data.yaml", f"train: images/train\nnames: {names}\n")


def test_a_box_in_pixels(tmp_path, picture, put):
    labelled(put, picture, "1 0.5 0.25 0.1 0.5\n")
    result = found(tmp_path)
    (image,) = result.images
    assert (image.split, image.annotation) == ("train", "labels/train/a.txt")
    (each,) = image.objects
    assert each.name == "dog"
    assert each.box == pytest.approx((90, 0, 110, 50))
    assert (result.classes, result.notes) == (("cat", "dog"), ())


def test_a_turned_photo_is_measured_as_it_is_seen(tmp_path, picture, put):
    picture("images/train/a.jpg", 200, 100, turned=True)
    put("labels/train/a.txt", "0 0.5 0.5 1 1\n")
    put("data.yaml", YAML)
    assert found(tmp_path).images[0].objects[0].box == pytest.approx((0, 0, 100, 200))


def test_more_numbers_are_a_polygon(tmp_path, picture, put):
    labelled(put, picture, "0 0.1 0.2 0.5 0.2 0.5 0.6\n")
    (each,) = found(tmp_path).images[0].objects
    assert each.box is None
    assert each.segmentation[0] == pytest.approx([20, 20, 100, 20, 100, 60])


def test_splits_as_folders_and_the_background(tmp_path, picture, put):
    for split in ("train", "val", "test"):
        picture(f"images/{split}/{split}.jpg")
    put("labels/train/train.txt", "0 .5 .5 .1 .1\n")
    put("labels/val/val.txt", "")
    put("data.yaml", YAML + "test: images/test\n")
    images = by_name(found(tmp_path))
    assert {name: image.split for name, image in images.items()} == {
        "train.jpg": "train",
        "val.jpg": "valid",
        "test.jpg": "test",
    }
    named = [images[name] for name in ("train.jpg", "val.jpg", "test.jpg")]
    assert [(len(each.objects), each.annotation) for each in named] == [
        (1, "labels/train/train.txt"),
        (0, "labels/val/val.txt"),
        (0, ""),
    ]


def test_splits_as_lists_of_files_of_another_machine(tmp_path, picture, put):
    picture("images/a.jpg")
    picture("images/b.jpg")
    put("train.txt", "/home/ann/coco/images/a.jpg\nC:\\data\\images\\lost.jpg\n\n")
    put("val.txt", "./images/b.jpg\n")
    put("data.yaml", "path: ../datasets/coco\ntrain: train.txt\nval: [val.txt]\nnames: {0: cat}\n")
    result = found(tmp_path)
    assert {name: image.split for name, image in by_name(result).items()} == {"a.jpg": "train", "b.jpg": "valid"}
    assert "train.txt: images not found: 1" in result.notes[0]


def test_roboflows_paths_that_lead_beside_the_folder(tmp_path, picture, put):
    picture("train/images/a.jpg")
    put("train/labels/a.txt", "0 .5 .5 .1 .1\n")
    put("data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['cat']\n")
    result = found(tmp_path / "data.yaml")
    assert len(result.images[0].objects) == 1
    assert any(note.startswith("valid: no images in") for note in result.notes)


def test_a_path_inside_the_folder_and_none_outside_of_it(tmp_path, picture, put):
    picture("inner/images/a.jpg")
    picture("elsewhere/images/b.jpg")
    put("inner/data.yaml", "path: ../elsewhere\ntrain: images\nnames: [cat]\n")
    assert list(by_name(found(tmp_path / "inner"))) == ["a.jpg"]
    assert list(by_name(found(tmp_path / "inner", images=tmp_path / "elsewhere"))) == ["b.jpg"]
    put("data.yaml", "path: inner\ntrain: images\nnames: [cat]\n")
    assert list(by_name(found(tmp_path / "data.yaml"))) == ["a.jpg"]


def test_labels_beside_the_images_and_classes_txt(tmp_path, picture, put):
    picture("a.jpg")
    put("a.txt", "1 .5 .5 .1 .1\n")
    put("classes.txt", "cat\ndog\n\n")
    assert found(tmp_path).images[0].objects[0].name == "dog"
    assert found(tmp_path).classes == ("cat", "dog")


def darknet(put, picture, split_of_image, folder="", **lists):
    """Write images in folders of their splits, as CVAT does, and lists with the paths that darknet sees."""
    put(f"{folder}obj.names", "cat\ndog\n")
    for name, split in split_of_image.items():
        picture(f"{folder}obj_{split}_data/{name}.jpg")
        put(f"{folder}obj_{split}_data/{name}.txt", "1 .5 .5 .1 .1\n")
    for file, names in lists.items():
        put(f"{folder}{file}.txt", "".join(f"data/obj_{split_of_image[name]}_data/{name}.jpg\n" for name in names))


@pytest.mark.parametrize("folder", ["", "data/"])
@pytest.mark.parametrize("valid", ["valid", "val", "held_out"])
def test_darknets_lists_are_splits(tmp_path, picture, put, folder, valid):
    split_of_image = {"a": "train", "b": "train", "c": "valid", "d": "test"}
    darknet(put, picture, split_of_image, folder, **{"train": "ab", valid: "c", "test": "d"})
    if valid == "held_out":
        put(f"{folder}obj.data", "classes = 2\ntrain = data/train.txt\nvalid = data/held_out.txt\nbackup = backup/\n")
    assert yolo.matches(tmp_path)
    result = found(tmp_path)
    assert {image.path.stem: image.split for image in result.images} == split_of_image
    assert [each.name for image in result.images for each in image.objects] == ["dog"] * 4
    assert (result.classes, result.notes) == (("cat", "dog"), ())


def test_what_darknets_lists_leave_out_is_noted(tmp_path, picture, put):
    darknet(put, picture, dict.fromkeys("abc", "train"), train="a")
    put("obj.data", "train = data/train.txt\nvalid = data/train.txt\ntest = data/gone.txt\n")
    put("train.txt", "data/obj_train_data/a.jpg\ndata/obj_train_data/lost.jpg\n")
    result = found(tmp_path)
    assert [(image.path.name, image.split) for image in result.images] == [("a.jpg", "train")]
    assert result.notes == (
        "obj.data: valid = data/train.txt: the list of another split, not used",
        "obj.data: test = data/gone.txt: no such file beside obj.names, not used",
        "train.txt: images not found: 1, the first data/obj_train_data/lost.jpg",
        "obj_train_data/b.jpg: in no list, not used; 2 such",
    )


def test_darknets_images_elsewhere_or_nowhere(tmp_path, picture, put):
    darknet(put, picture, {"a": "train"}, "set/", train="a")
    (tmp_path / "set/obj_train_data").rename(tmp_path / "photos")
    assert [image.split for image in found(tmp_path / "set", images=tmp_path / "photos").images] == ["train"]
    picture("set/z.jpg")
    with pytest.raises(DataError, match=r"none of the images in train\.txt is there") as caught:
        found(tmp_path / "set")
    assert "--images" in caught.value.hint


def test_images_and_labels_without_any_names(tmp_path, picture, put):
    picture("images/train/a.jpg")
    put("labels/train/a.txt", "3 .5 .5 .1 .1\n")
    assert yolo.matches(tmp_path)
    result = found(tmp_path)
    assert (result.images[0].objects[0].name, result.images[0].split) == ("3", "train")
    assert "named 0, 1" in result.notes[0]


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("0 .5 .5 .1", "4 numbers"),
        ("0 .5 .5 .1 .1 .9", "confidence"),
        ("0 .1 .1 .2 .2 .3 .3 .4", "8 numbers"),
        ("0 .5 x .1 .1", "'x' is no number"),
        ("0.5 .5 .5 .1 .1", "no index"),
        ("nan .5 .5 .1 .1", "no index"),
        ("0 100 50 20 20", "pixels?"),
        ("0 inf .5 .1 .1", "no share"),
        ("7 .5 .5 .1 .1", "class 7 of 2: has no name"),
        ("-1 .5 .5 .1 .1", "class -1 of 2"),
    ],
)
def test_a_line_that_cannot_be_read_is_noted(tmp_path, picture, put, line, note):
    labelled(put, picture, f"0 .5 .5 .1 .1\n{line}\n")
    result = found(tmp_path)
    assert len(result.images[0].objects) == 1
    (fault,) = result.notes
    assert fault.startswith("labels/train/a.txt: ")
    assert note in fault


def test_values_that_are_no_numbers_are_left_to_the_checker(tmp_path, picture, put):
    labelled(put, picture, "0 nan .5 .1 .1\n0 1.2 .5 .1 .1\n")
    first, second = found(tmp_path).images[0].objects
    assert math.isnan(first.box[0])
    assert second.box == pytest.approx((230, 45, 250, 55))


def test_indices_from_1_are_noted_and_read_so(tmp_path, picture, put):
    labelled(put, picture, "1 .5 .5 .1 .1\n2 .5 .5 .2 .2\n")
    result = found(tmp_path)
    assert [each.name for each in result.images[0].objects] == ["cat", "dog"]
    assert "read as from 1" in result.notes[0]


def test_no_readable_line_at_all_is_an_error(tmp_path, picture, put):
    labelled(put, picture, "0 100 50 20 20\n")
    with pytest.raises(DataError, match="no label line can be read") as caught:
        found(tmp_path)
    assert "pixels?" in caught.value.details[0]


def test_key_points_behind_the_box_are_left_out(tmp_path, picture, put):
    labelled(put, picture, "0 .5 .5 .1 .1 .2 .2 2 .3 .3 1\n")
    put("data.yaml", "train: images/train\nnames: [cat]\nkpt_shape: [2, 3]\n")
    assert found(tmp_path).images[0].objects[0].box == pytest.approx((90, 45, 110, 55))


def test_an_image_in_two_splits_is_passed_on_in_both(tmp_path, picture, put):
    picture("images/a.jpg")
    picture("images/b.jpg")
    put("val.txt", "images/a.jpg\nimages/a.jpg\n")
    put("data.yaml", "train: images\nval: val.txt\nnames: [cat]\n")
    assert [(image.path.name, image.split) for image in found(tmp_path).images] == [
        ("a.jpg", "train"),
        ("b.jpg", "train"),
        ("a.jpg", "valid"),
    ]


@pytest.mark.parametrize(
    ("places", "split", "num_notes"), [("train: x\nval: x", "train", 1), ("val: x\ntest: x", "test", 0)]
)
def test_two_splits_of_the_same_images(tmp_path, picture, put, places, split, num_notes):
    picture("x/a.jpg")
    put("data.yaml", f"{places}\nnames: [cat]\n")
    result = found(tmp_path)
    assert [image.split for image in result.images] == [split]
    assert len(result.notes) == num_notes


def test_an_image_that_cannot_be_read_is_passed_on(tmp_path, picture, put):
    labelled(put, picture, "0 .5 .5 .1 .1\n")
    put("images/train/b.jpg", b"no image")
    put("labels/train/b.txt", "0 .5 .5 .1 .1\n")
    assert [len(image.objects) for image in found(tmp_path).images] == [1, 0]


def test_a_label_file_that_is_no_text_is_noted(tmp_path, picture, put):
    labelled(put, picture, "0 .5 .5 .1 .1\n")
    picture("images/train/b.jpg")
    put("labels/train/b.txt", b"\xff\xfe0\x00")
    assert any("b.txt: not UTF-8" in note for note in found(tmp_path).notes)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("0 .5 .5 .1 .1\n".encode("utf-16"), "not UTF-8"),
        ("\n0 100 50 20 20\n0 .5 .5 .1\n", "no line of it can be read"),
    ],
)
def test_an_image_whose_label_file_is_damaged_is_no_background(tmp_path, picture, put, labels, reason):
    labelled(put, picture, "0 .5 .5 .1 .1\n")
    for name, text in (("b", labels), ("c", "\n"), ("d", "0 100 50 20 20\n0 .5 .5 .2 .2\n")):
        picture(f"images/train/{name}.jpg")
        put(f"labels/train/{name}.txt", text)
    checked = check(found(tmp_path), tmp_path)
    assert {Path(image.file).name: len(image.objects) for image in checked.images["train"]} == {
        "a.jpg": 1,
        "c.jpg": 0,
        "d.jpg": 1,
    }
    start = f"{KINDS['annotation_damaged']}: 1, the first in labels/train/b.txt: {reason}"
    assert any(note.startswith(start) for note in checked.notes)


def test_a_folder_without_images_is_refused(tmp_path, put):
    put("data.yaml", YAML)
    with pytest.raises(DataError, match="no images"):
        found(tmp_path)


def test_splits_that_lead_nowhere_are_refused_with_advice(tmp_path, picture, put):
    picture("pictures/a.jpg")
    put("data.yaml", YAML)
    with pytest.raises(DataError, match="leads to no image") as caught:
        found(tmp_path)
    assert "--images" in caught.value.hint


@pytest.mark.parametrize("place", ["9" * 5000, "x\\0y", "/", "../..", "a.txt/b"])
def test_places_that_can_be_no_path(tmp_path, picture, put, place):
    picture("images/a.jpg")
    put("data.yaml", f'path: "{place}"\ntrain: "{place}"\nval: images\nnames: [cat]\n')
    result = found(tmp_path)
    assert [image.split for image in result.images if image.split == "valid"] == ["valid"]


def test_what_matches(tmp_path, put, picture):
    assert not yolo.matches(tmp_path)
    put("data.yaml", "[not, a, mapping]")
    assert not yolo.matches(tmp_path)
    put("data.yaml", YAML)
    assert yolo.matches(tmp_path)
    assert yolo.matches(tmp_path / "data.yaml")
    assert not yolo.matches(tmp_path / "missing")


@pytest.mark.parametrize(
    ("files", "is_yolo"),
    [
        (("images/a.jpg", "labels/a.txt"), True),
        (("images/train/a.jpg", "labels/train/a.txt"), True),
        (("train/images/a.jpg", "train/labels/a.txt"), True),
        (("a.jpg", "a.txt", "classes.txt"), True),
        (("images/a.jpg", "images/a.txt", "classes.txt"), True),
        (("a.jpg", "a.txt"), False),  # captions?
        (("images/a.jpg", "images/a.txt"), False),
        (("images/001.owl/a.jpg", "classes.txt", "images.txt"), False),  # CUB-200-2011
        (("labels/classes.txt", "images/a.jpg"), False),
        (("obj.names", "obj_train_data/a.jpg", "obj_train_data/a.txt", "train.txt"), True),
        (("obj.names", "obj_train_data/a.jpg"), False),
    ],
)
def test_what_matches_without_a_yaml_file(tmp_path, put, files, is_yolo):
    for name in files:
        put(name, "")
    assert yolo.matches(tmp_path) == is_yolo
