"""Every fault of an annotation is repaired or left out as its table says, counted, and named with its first place."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toys.annotated import picture

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import Checked, check
from dlcli.data.annotated.faults import KINDS
from dlcli.data.annotated.found import Found, FoundImage, FoundObject
from dlcli.data.annotated.masks import from_pixels, to_pixels

GOOD = FoundObject("cat", (2.0, 3.0, 12.0, 13.0))


def one(tmp_path: Path, *objects: FoundObject, classes: tuple[str, ...] = (), **more: Any) -> Checked:
    """Check one image of 40 x 30."""
    path = picture(tmp_path / "a.jpg")
    return check(Found((FoundImage(path, "a.xml", "train", objects, **more),), classes), tmp_path)


def boxes(checked: Checked) -> list[tuple[float, ...]]:
    return [each.box for images in checked.images.values() for image in images for each in image.objects]


def test_what_is_sound_passes_without_a_note(tmp_path):
    checked = one(tmp_path, GOOD, dataclasses.replace(GOOD, name="dog"), size=(40, 30))
    assert checked.notes == () and checked.classes == ("cat", "dog")
    assert boxes(checked) == [(2, 3, 12, 13)] * 2
    [image] = checked.images["train"]
    assert (image.height, image.width, image.labels) == (30, 40, (0, 1))
    assert image.objects[0].area == 100


@pytest.mark.parametrize(
    ("kind", "faulty", "left"),
    [
        ("class_empty", FoundObject("  ", (1, 1, 9, 9)), []),
        ("box_missing", FoundObject("cat", None), []),
        ("box_not_finite", FoundObject("cat", (1, math.nan, 9, 9)), []),
        ("box_not_finite", FoundObject("cat", (1, 1, math.inf, 9)), []),
        ("box_not_finite", FoundObject("cat", (1, 1, 10**400, 9)), []),
        ("box_inverted", FoundObject("cat", (9, 8, 1, 2)), [(1, 2, 9, 8)]),
        ("box_outside", FoundObject("cat", (40, 1, 60, 9)), []),
        ("box_outside", FoundObject("cat", (-9, -9, 0, 9)), []),
        ("box_cut", FoundObject("cat", (-5, 1, 50, 31)), [(0, 1, 40, 30)]),
        ("box_small", FoundObject("cat", (5, 5, 5, 5)), []),
        ("box_small", FoundObject("cat", (39.5, 5, 60, 9)), []),
        ("box_twice", GOOD, []),
        ("mask_damaged", FoundObject("cat", None, [[1.0, 2.0, 3.0]]), None),
    ],
)
def test_a_faulty_object_is_counted_and_the_sound_ones_stay(kind, faulty, left, tmp_path):
    checked = one(tmp_path, GOOD, faulty)
    assert boxes(checked) == [(2, 3, 12, 13), *(left or [])]
    assert f"{KINDS[kind]}: 1, the first in a.xml" in checked.notes
    assert len(checked.notes) == (1 if left is not None else 2)  # a mask without a box is missing as well


def test_a_box_repeated_in_another_class_is_another_object(tmp_path):
    checked = one(tmp_path, GOOD, dataclasses.replace(GOOD, name="dog"), GOOD)
    assert len(boxes(checked)) == 2


def test_images_that_are_missing_or_damaged_are_left_out(tmp_path):
    whole, cut = picture(tmp_path / "a.jpg"), picture(tmp_path / "cut.jpg")
    cut.write_bytes(cut.read_bytes()[:-300])
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    images = [FoundImage(path, f"{path.stem}.xml", "", (GOOD,)) for path in (whole, cut, text, tmp_path / "none.jpg")]
    checked = check(Found(tuple(images)), tmp_path)
    assert [image.file for image in checked.images[""]] == [str(whole)]
    missing, unreadable = checked.notes
    assert missing == f"{KINDS['image_missing']}: 1, the first in none.xml"
    assert unreadable.startswith(f"{KINDS['image_unreadable']}: 2, the first in cut.xml: a truncated or damaged image")


@pytest.mark.parametrize(
    ("pixels", "kind", "reason"),
    [
        (np.zeros((30, 40, 3), np.uint8), "label_map_missing", "its pixels are colours, not indices of a palette"),
        (np.zeros((30, 41), np.uint8), "label_map_size", "41 x 30 pixels, the image 40 x 30"),
        (None, "label_map_missing", "cannot be read: No such file or directory"),
    ],
)
def test_a_label_map_that_is_left_out_is_noted_with_the_reason(pixels, kind, reason, tmp_path):
    if pixels is not None:
        Image.fromarray(pixels).save(tmp_path / "map.png")
    assert (
        f"{KINDS[kind]}: 1, the first in a.xml: {reason}" in one(tmp_path, GOOD, label_map=tmp_path / "map.png").notes
    )


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b.jpg"])
def test_a_name_that_can_be_no_files_is_a_missing_image(tmp_path, name):
    images = [FoundImage(picture(tmp_path / "a.jpg"), "a.xml", "", (GOOD,)), FoundImage(tmp_path / name, "", "", ())]
    checked = check(Found(tuple(images)), tmp_path)
    assert [image.file for image in checked.images[""]] == [str(tmp_path / "a.jpg")]
    assert any(note.startswith(f"{KINDS['image_missing']}: 1, the first in ") for note in checked.notes)
    assert max(map(len, checked.notes)) <= 300


def test_the_files_own_size_counts_and_an_image_is_read_by_its_content(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((30, 40), np.uint8), "P").save(path, "PNG")
    checked = check(Found((FoundImage(path, "a.xml", "", (GOOD,), size=(0, 0)),)), tmp_path)
    [image] = checked.images[""]
    assert (image.height, image.width) == (30, 40) and checked.files[str(path)].suffix == ".png"
    assert checked.notes == (f"{KINDS['size_wrong']}: 1, the first in a.xml",)


def test_an_annotation_of_the_image_as_stored_is_turned_with_it(tmp_path):
    stored = np.zeros((30, 40), np.uint8)
    stored[3:13, 2:12] = 1
    polygon = [[2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0]]
    for orientation in (5, 6, 7, 8):
        path = picture(tmp_path / f"{orientation}.jpg", exif=orientation)
        objects = (
            dataclasses.replace(GOOD, segmentation=from_pixels(stored)),
            FoundObject("dog", GOOD.box, polygon),
        )
        image = FoundImage(path, "a.xml", "", objects, size=(40, 30))
        checked = check(Found((image,)), tmp_path)
        [turned] = checked.images[""]
        assert (turned.height, turned.width) == (40, 30)
        seen = np.asarray(_upright(stored, orientation))
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        hull = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        for each in turned.objects:
            assert each.box == hull
            assert np.array_equal(to_pixels(each.segmentation, 40, 30), seen)
        assert checked.notes == (f"{KINDS['size_before_exif']}: 1, the first in a.xml: {orientation}.jpg",)
        as_seen = check(Found((dataclasses.replace(image, objects=(GOOD,), size=(30, 40)),)), tmp_path)
        assert boxes(as_seen) == [GOOD.box] and as_seen.notes == ()


@pytest.mark.parametrize(
    ("size", "shape", "fault"),
    [
        ((30, 40), (40, 30), ""),
        ((40, 30), (40, 30), "instances_upright"),
        ((30, 40), (30, 40), "label_map_size"),
        ((40, 30), (30, 40), "label_map_size"),
    ],
)
def test_an_instance_map_is_used_where_it_fits_the_image_and_its_boxes(size, shape, fault, tmp_path):
    """The image is stored as 40 x 30 pixels and seen as 30 x 40; `size` is that of its annotation."""
    path, numbers = picture(tmp_path / "a.jpg", exif=6), np.zeros(shape, np.uint8)
    numbers[3:13, 2:12] = 1
    Image.fromarray(numbers).save(tmp_path / "map.png")
    image = FoundImage(path, "a.xml", "train", (GOOD,), size=size, instance_map=tmp_path / "map.png")
    checked = check(Found((image,)), tmp_path)
    [found] = checked.images["train"][0].objects
    assert (found.segmentation is None) == bool(fault)
    assert any(note.startswith(KINDS[fault]) for note in checked.notes) if fault else not checked.notes


@pytest.mark.parametrize(
    ("exif", "size", "shape", "kinds"),
    [(1, None, (31, 41), ["label_map_size"]), (6, (40, 30), (40, 30), ["size_before_exif", "instances_upright"])],
)
def test_an_image_of_which_only_a_lost_map_told_is_no_background(exif, size, shape, kinds, tmp_path):
    """The second image is stored as 40 x 30 pixels; turned by its EXIF orientation it is seen as its map has it."""
    Image.fromarray(np.ones(shape, np.uint8)).save(tmp_path / "map.png")
    placeless = (FoundObject("cat", None),)
    lost = FoundImage(picture(tmp_path / "b.jpg", exif=exif), "b.png", "", placeless, size)
    lost = dataclasses.replace(lost, instance_map=tmp_path / "map.png")
    sound = FoundImage(picture(tmp_path / "a.jpg"), "a.xml", "", (GOOD,))
    checked = check(Found((sound, lost)), tmp_path)
    assert [Path(image.file).name for image in checked.images[""]] == ["a.jpg"]
    assert [note.partition(":")[0] for note in checked.notes] == [
        KINDS[kind] for kind in ("annotation_damaged", *kinds)
    ]
    boxed = check(Found((sound, dataclasses.replace(lost, objects=(GOOD,)))), tmp_path)
    assert len(boxed.images[""]) == 2


def _upright(pixels: np.ndarray, orientation: int) -> Any:
    from PIL import ImageOps

    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(image)


def test_two_annotations_of_an_image_are_joined_and_one_listed_twice_is_not(tmp_path):
    path = picture(tmp_path / "a.jpg")
    other = FoundObject("dog", (1, 1, 9, 9))
    first = FoundImage(path, "a.xml", "train", (GOOD,))
    joined = check(Found((first, FoundImage(path, "b.xml", "train", (other,)))), tmp_path)
    assert boxes(joined) == [GOOD.box, other.box]
    assert joined.notes == (f"{KINDS['image_annotated_twice']}: 1, the first in a.xml",)
    twice = check(Found((first, dataclasses.replace(first, split="test"))), tmp_path)
    assert list(twice.images) == ["test"] and boxes(twice) == [GOOD.box]
    assert twice.notes == (f"{KINDS['image_in_two_splits']}: 1, the first in a.xml",)


def test_an_image_without_annotation_is_background(tmp_path):
    images = (
        FoundImage(picture(tmp_path / "a.jpg"), "a.xml", "", (GOOD,)),
        FoundImage(picture(tmp_path / "b.jpg"), ""),
        FoundImage(picture(tmp_path / "c.jpg"), "c.xml"),
    )
    checked = check(Found(images), tmp_path)
    assert [len(image.objects) for image in checked.images[""]] == [1, 0, 0]
    assert checked.notes == (f"{KINDS['image_without_annotation']}: 1, the first in b.jpg",)


def test_spellings_of_a_class_are_one_unless_the_source_lists_them(tmp_path):
    names = ("Car", "car", " car", "CAR", "é", "e\u0301", "A", "a")
    objects = [FoundObject(name, (at, 1, at + 9, 9)) for at, name in enumerate(names)]
    checked = one(tmp_path, *objects)
    assert checked.classes == ("A", "a", "car", "é")
    assert [each.label for each in checked.images["train"][0].objects] == [2, 2, 2, 2, 3, 3, 0, 1]
    assert checked.notes == (f"{KINDS['class_merged']}: 4, the first in a.xml",)
    listed = one(tmp_path, *objects[:2], FoundObject("CAR", (5, 5, 9, 9)), classes=("van", "car", "Car"))
    assert listed.classes == ("van", "car", "Car")
    assert [each.label for each in listed.images["train"][0].objects][:2] == [2, 1]


def test_nothing_usable_is_an_error_that_says_what_was_found(tmp_path):
    image = FoundImage(tmp_path / "none.jpg", "a.xml", "", (GOOD,))
    with pytest.raises(DataError, match="no image with an annotation that can be used") as caught:
        check(Found((image,)), tmp_path)
    assert "1 annotations, 1 images named" in caught.value.details[0] and "--images" in caught.value.hint
    with pytest.raises(DataError):
        check(Found((FoundImage(picture(tmp_path / "b.jpg"), ""),)), tmp_path)
    with pytest.raises(DataError):
        check(Found(()), tmp_path)


def test_notes_of_a_reader_are_bounded(tmp_path):
    path = picture(tmp_path / "a.jpg")
    notes = tuple(f"{number}.xml: broken\n{'x' * 1000}" for number in range(50))
    checked = check(Found((FoundImage(path, "a.xml", "", (GOOD,)),), notes=notes), tmp_path)
    assert len(checked.notes) == 21 and checked.notes[-1].startswith("30 more")
    assert max(map(len, checked.notes)) <= 300 and "\n" not in "".join(checked.notes)


@pytest.mark.parametrize("seed", range(40))
def test_no_rubbish_is_fatal_or_passes(seed, tmp_path):
    random = np.random.default_rng(seed)
    values = [0, 1, -1, 5.5, 39, 40, 1e300, -1e300, math.nan, math.inf, 10**400, "7", None, [], {}, True, b"x"]

    def pick() -> Any:
        return values[random.integers(len(values))]

    def box() -> Any:
        return [None, tuple(pick() for _ in range(4)), (), "abcd", (1, 2, 3)][random.integers(5)]

    def mask() -> Any:
        return [
            None,
            [[pick() for _ in range(random.integers(10))] for _ in range(random.integers(3))],
            {"size": [30, 40], "counts": [pick() for _ in range(4)]},
            {"size": pick(), "counts": "".join(chr(c) for c in random.integers(20, 130, 12))},
            {"size": [30, 40], "counts": "".join(chr(c) for c in random.integers(48, 112, 12))},
            {"size": [30, 40], "counts": pick()},
            pick(),
        ][random.integers(7)]

    rubbish = [FoundObject("cat", box(), mask(), extra={"area": pick()}) for _ in range(30)]
    checked = one(tmp_path, GOOD, *rubbish)
    for each in checked.images["train"][0].objects:
        left, top, right, bottom = each.box
        assert 0 <= left <= right - 1 <= 39 and 0 <= top <= bottom - 1 <= 29
        assert 0 < each.area < math.inf
        if each.segmentation is not None:
            assert to_pixels(each.segmentation, 30, 40).shape == (30, 40)
