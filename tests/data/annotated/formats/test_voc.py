"""Folders of Pascal VOC, and what people make of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from toys.annotated import picture, voc_file, voc_folder, voc_object

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.formats.voc import CLASSES, matches, read
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import to_pixels

CAT = voc_object("cat", (1, 1, 10, 12))


def splits(found):
    return {image.path.name: image.split for image in found.images}


def test_pixel_numbers_from_1_become_positions(tmp_path):
    more = {"pose": "Left", "truncated": "1", "difficult": "1"}
    objects = [
        voc_object("cat", (1, 1, 40, 30)),
        voc_object("dog", (5, 6, 5, 6), **more),
        voc_object("dog", (9.5, 8, 2, 3.25)),
        voc_object("dog", ("x", "", 2, 3)),
    ]
    [image] = read(voc_folder(tmp_path, {"1": objects}), Reading()).images
    assert [each.box for each in image.objects[:3]] == [(0, 0, 40, 30), (5, 6, 5, 6), (9.5, 8, 1, 2.25)]
    assert np.isnan(image.objects[3].box[:2]).all()
    assert [each.is_difficult for each in image.objects] == [False, True, False, False]
    assert image.objects[1].extra == {"pose": "Left", "truncated": 1}
    assert image.size == (40, 30) and image.annotation == "1.xml" and image.split == ""


def test_lists_are_splits_and_what_is_measured_comes_first(tmp_path):
    root = voc_folder(
        tmp_path,
        {name: [CAT] for name in "abcde"},
        lists={"Main/train": "a", "Main/val": "b", "Main/trainval": "a b c", "Main/test": "d"},
    )
    found = read(root, Reading())
    assert splits(found) == {"a.jpg": "train", "b.jpg": "valid", "c.jpg": "train", "d.jpg": "test"}
    assert found.notes == ("e.xml: in no list of ImageSets, not used; 1 such",)


def test_lists_with_capitals_are_splits_and_others_are_noted(tmp_path):
    root = voc_folder(
        tmp_path,
        {name: [CAT] for name in "abc"},
        lists={"Main/Train": "a", "Main/Validation": "b", "Main/default": "a b c"},
    )
    found = read(root, Reading())
    assert splits(found) == {"a.jpg": "train", "b.jpg": "valid"}
    assert found.notes == (
        "ImageSets/Main/default.txt: a list of no split and no class that is known, not used; 1 such",
        "c.xml: in no list of ImageSets, not used; 1 such",
    )


def test_lists_of_segmentation_are_read_too_or_alone(tmp_path):
    root = voc_folder(
        tmp_path,
        {name: [CAT] for name in "abc"},
        lists={"Main/train": "a", "Main/val": "b", "Segmentation/train": "b", "Segmentation/val": "c"},
    )
    assert splits(read(root, Reading())) == {"a.jpg": "train", "b.jpg": "valid", "c.jpg": "valid"}
    assert splits(read(root, Reading(task="semantic"))) == {"b.jpg": "train", "c.jpg": "valid"}
    assert splits(read(root, Reading(task="boxes"))) == {"a.jpg": "train", "b.jpg": "valid"}


def test_lists_of_classes_are_tags_of_images_without_xml(tmp_path):
    root = voc_folder(tmp_path, {"a": [CAT]}, lists={"Main/train": "a b c"})
    picture(root / "JPEGImages" / "b.jpg")
    picture(root / "JPEGImages" / "c.jpg")
    for name, lines in (("cat", "a  1\nb  1\nc -1\n"), ("dog", "a  1\nb  1\nc  0\n")):
        (root / f"ImageSets/Main/{name}_train.txt").write_text(lines)
    found = read(root, Reading())
    assert [image.tags for image in found.images] == [(), ("cat", "dog"), ()]
    assert check(found, root).notes == ()


def test_years_are_joined_and_equal_names_stay_apart(tmp_path):
    for year, name in (("VOC2007", "cat"), ("VOC2012", "dog")):
        root = tmp_path / "VOCdevkit" / year
        voc_folder(root, {"1": [voc_object(name, (1, 1, 9, 9))]}, lists={"Main/trainval": "1"})
    for source in (tmp_path, tmp_path / "VOCdevkit"):
        assert matches(source)
        found = read(source, Reading())
        assert [(image.path.parent.parent.name, image.objects[0].name) for image in found.images] == [
            ("VOC2007", "cat"),
            ("VOC2012", "dog"),
        ]
        assert [image.annotation for image in found.images] == ["VOC2007/1.xml", "VOC2012/1.xml"]
        assert len(check(found, source).images["train"]) == 2


def test_years_without_images_find_them_beside(tmp_path):
    for split in ("train", "valid"):
        voc_file(tmp_path / split / "Annotations" / f"{split}.xml", [CAT])
        picture(tmp_path / "photos" / f"{split}.jpg")
    found = read(tmp_path, Reading())
    assert splits(found) == {"train.jpg": "train", "valid.jpg": "valid"}
    assert check(found, tmp_path).notes == ()


def test_lists_of_images_with_their_xml_files(tmp_path):
    root = voc_folder(tmp_path, {"a": [CAT], "my b": [CAT]})
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_text("JPEGImages/a.jpg Annotations/a.xml\nmy b\n\n")
    assert splits(read(root, Reading())) == {"a.jpg": "train", "my b.jpg": "train"}


def test_any_folders_and_folders_of_splits(tmp_path):
    for split in ("train", "valid"):
        voc_file(tmp_path / "apart/xml" / split / "1.xml", [CAT])
        picture(tmp_path / "apart/photos" / split / "1.jpg")
        voc_file(tmp_path / "together" / split / "1.xml", [CAT])
        picture(tmp_path / "together" / split / "1.jpg")
    for source in (tmp_path / "apart", tmp_path / "together"):
        found = read(source, Reading())
        assert matches(source)
        assert [(image.path.parent.name, image.split) for image in found.images] == [
            ("train", "train"),
            ("valid", "valid"),
        ]
        assert check(found, source).notes == ()


@pytest.mark.parametrize("filename", ["1", "C:\\photos\\1.jpg", "/etc/1.png", "gone.jpg", "", "../../../1.jpg"])
def test_the_image_is_found_by_its_name_or_by_that_of_the_xml(filename, tmp_path):
    voc_file(tmp_path / "set/1.xml", [CAT], filename=filename)
    wanted = picture(tmp_path / "set/images/1.jpg")
    picture(tmp_path / "1.jpg")
    [image] = read(tmp_path / "set", Reading()).images
    assert image.path == wanted


def test_images_elsewhere_and_images_without_xml(tmp_path):
    voc_file(tmp_path / "xml/1.xml", [CAT])
    wanted = picture(tmp_path / "photos/1.jpg")
    [image] = read(tmp_path / "xml", Reading(images=tmp_path / "photos")).images
    assert image.path == wanted
    picture(tmp_path / "photos/2.jpg")
    assert [image.annotation for image in read(tmp_path, Reading()).images] == ["1.xml", ""]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<annotation><object></annotation>", "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "document type"),
        ('\ufeff<!DOCTYPE annotation SYSTEM "/etc/passwd"><annotation/>'.encode("utf-16-le"), "document type"),
        (b"<html/>", "its root is 'html'"),
        (b"", "not well-formed"),
        (b"<annotation>" + b" " * (10 * 2**20) + b"</annotation>", "larger than 10 MiB"),
        (b'<?xml version="1.0" encoding="nonsense"?><annotation/>', "not well-formed"),
    ],
)
def test_an_xml_file_that_cannot_be_read_is_left_out_with_its_image_and_a_note(content, says, tmp_path):
    root = voc_folder(tmp_path, {"1": [CAT]})
    picture(root / "JPEGImages/2.jpg")  # no background: nobody knows what it shows
    (root / "Annotations/2.xml").write_bytes(content)
    found = read(root, Reading())
    assert [image.path.name for image in found.images] == ["1.jpg"]
    [note] = found.notes
    assert note.startswith("2.xml: ") and says in note


def test_xml_in_utf_16_is_read(tmp_path):
    root = voc_folder(tmp_path, {"1": []})
    path = root / "Annotations/1.xml"
    text = f'<?xml version="1.0" encoding="utf-16"?><annotation>{voc_object("猫", (1, 1, 9, 9))}</annotation>'
    path.write_bytes(text.encode("utf-16"))
    assert [each.name for each in read(root, Reading()).images[0].objects] == ["猫"]


def write_map(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels, "P")
    image.putpalette(list(range(256)) * 3)
    image.save(path)


def test_label_maps_and_instances_of_vocs_palette(tmp_path):
    objects = [voc_object("cat", (3, 3, 12, 12)), voc_object("dog", (20, 5, 30, 20))]
    root = voc_folder(tmp_path, {"1": objects}, lists={"Segmentation/train": "1"})
    classes, numbers = np.zeros((2, 30, 40), np.uint8)
    for (rows, columns), number, name in (
        ((slice(3, 12), slice(3, 12)), 1, "cat"),
        ((slice(5, 20), slice(20, 30)), 2, "dog"),
        ((slice(22, 28), slice(2, 8)), 3, "person"),
    ):
        classes[rows, columns], numbers[rows, columns] = CLASSES.index(name) + 1, number
    classes[0], numbers[0] = 255, 255
    write_map(root / "SegmentationClass/1.png", classes)
    write_map(root / "SegmentationObject/1.png", numbers)
    found = read(root, Reading())
    assert found.palette == ("", *CLASSES)
    checked = check(found, root)
    assert checked.classes == CLASSES and checked.notes == ()
    [image] = checked.images["train"]
    assert [CLASSES[each.label] for each in image.objects] == ["cat", "dog", "person"]
    assert image.objects[2].box == (2, 22, 8, 28)
    for number, each in enumerate(image.objects, 1):
        assert np.array_equal(to_pixels(each.segmentation, 30, 40), numbers == number)
        assert each.area == (numbers == number).sum()
    assert checked.label_values[:21] == tuple(range(21)) and set(checked.label_values[21:]) == {255}


def segmented(root, *names):
    """Write photos of these paths, and label maps that differ at the places of their names."""
    for name in names:
        picture(root / f"JPEGImages/{name}.jpg", seed=len(name))
        pixels = np.zeros((30, 40), np.uint8)
        pixels[names.index(name) :] = 1
        write_map(root / f"SegmentationClass/{name}.png", pixels)


def map_of(found):
    """Return the label map of each image, both as paths without a suffix below their folders."""
    return {
        str(image.path.with_suffix("")).partition("JPEGImages/")[2]: image.label_map
        and str(image.label_map.with_suffix("")).partition("SegmentationClass/")[2]
        for image in found.images
    }


def test_label_maps_of_one_name_in_several_folders_stay_with_their_images(tmp_path):
    names = ("train/1", "val/1", "val/2")
    segmented(tmp_path, *names)
    found = read(tmp_path, Reading(task="semantic"))
    assert map_of(found) == {name: name for name in names} and found.notes == ()
    (tmp_path / "SegmentationClass/train/1.png").unlink()
    found = read(tmp_path, Reading(task="semantic"))
    assert map_of(found) == {"train/1": None, "val/1": "val/1", "val/2": "val/2"}
    assert found.notes == (
        "SegmentationClass/val/1.png: the label map of another image of this name, not used for both; 1 such",
    )


def test_a_label_map_without_folders_is_of_one_image(tmp_path):
    segmented(tmp_path, "1", "2")
    for folder in ("a", "b"):
        (tmp_path / "JPEGImages" / folder).mkdir()
    (tmp_path / "JPEGImages/1.jpg").rename(tmp_path / "JPEGImages/a/1.jpg")
    picture(tmp_path / "JPEGImages/b/1.jpg")
    found = read(tmp_path, Reading())
    assert map_of(found) == {"a/1": "1", "b/1": None, "2": "2"}
    assert [note.partition(":")[0] for note in found.notes] == ["SegmentationClass/1.png"]


def in_folders(root, *names):
    """Write VOC's files of these paths; each shows an object of the class that its folders are called."""
    for name in names:
        folder = name.rpartition("/")[0]
        voc_file(root / f"Annotations/{name}.xml", [voc_object(folder, (1, 1, 10, 12))], filename="1.jpg")
        picture(root / f"JPEGImages/{name}.jpg")


def listed(root, **lists):
    (root / "ImageSets/Main").mkdir(parents=True)
    for name, lines in lists.items():
        (root / f"ImageSets/Main/{name}.txt").write_text("\n".join(lines))
    found = read(root, Reading())
    shown = {
        image.path.parent.name: (image.split, *(each.name for each in image.objects), *image.tags)
        for image in found.images
    }
    assert len(shown) == len(found.images)
    return shown, found.notes


@pytest.mark.parametrize("prefix", ["", "JPEGImages/", "Annotations\\"])
def test_files_of_one_name_in_several_folders_are_listed_by_their_paths(prefix, tmp_path):
    in_folders(tmp_path, "a/1", "b/1", "c/1")
    shown, notes = listed(tmp_path, train=[f"{prefix}a/1", f"{prefix}b/1.jpg"], val=["c/1"], trainval=["a/1", "c/1"])
    assert shown == {"a": ("train", "a"), "b": ("train", "b"), "c": ("valid", "c")}
    assert notes == ()


def test_a_listed_path_that_is_not_there_takes_no_other_file_of_its_name(tmp_path):
    in_folders(tmp_path, "a/1", "b/1")
    shown, notes = listed(tmp_path, train=["c/1", "a/1"])
    assert shown == {"a": ("train", "a")}
    assert notes == (
        "c/1: listed in ImageSets, but no file of this name is in that folder, not used; 1 such",
        "1.xml: in no list of ImageSets, not used; 1 such",
    )


def test_one_xml_file_is_of_one_of_several_listed_photos(tmp_path):
    in_folders(tmp_path, "b/1")
    (tmp_path / "Annotations/b/1.xml").rename(tmp_path / "Annotations/1.xml")
    picture(tmp_path / "JPEGImages/a/1.jpg")
    assert listed(tmp_path, train=["b/1", "a/1"])[0] == {"b": ("train", "b"), "a": ("train",)}


def test_classes_of_listed_paths(tmp_path):
    for name in "ab":
        picture(tmp_path / f"JPEGImages/{name}/1.jpg")
    shown, _ = listed(tmp_path, train=["a/1", "b/1"], cat_train=["a/1 1", "b/1 -1"], dog_train=["b/1 1"])
    assert shown == {"a": ("train", "cat"), "b": ("train", "dog")}


def test_the_palette_of_another_tool_is_read(tmp_path):
    root = voc_folder(tmp_path, {"1": [voc_object("van", (1, 1, 9, 9))]})
    write_map(root / "SegmentationClass/1.png", np.zeros((30, 40), np.uint8))
    assert read(root, Reading()).palette == ("", "van")
    (root / "class_names.txt").write_text("_background_\ntree\nvan\n")
    assert read(root, Reading()).palette == ("", "tree", "van")


def test_folders_of_images_by_class_are_not_claimed(tmp_path):
    for split in ("train", "test"):
        for name in ("Annotations", "cat"):
            picture(tmp_path / split / name / "1.jpg")
    (tmp_path / "readme.xml").write_text("<html/>")
    assert not matches(tmp_path)
    (tmp_path / "empty").mkdir()
    assert not matches(tmp_path / "empty") and not matches(tmp_path / "none")
    with pytest.raises(DataError, match="no annotations of Pascal VOC"):
        read(tmp_path / "empty", Reading())
    with pytest.raises(DataError, match="no such folder"):
        read(tmp_path / "none", Reading())
