"""Masks of instance numbers: which mask belongs to which image, how many objects it has, and masks that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.faults import KINDS
from dlcli.data.annotated.formats import pennfudan
from dlcli.data.annotated.found import Reading


def masked(tmp_path, name, values, mode=None):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values)).save(path) if mode is None else Image.fromarray(values).convert(mode).save(path)
    return path


def instances(*numbers, dtype=np.uint8):
    values = np.zeros((100, 200), dtype)
    for at, each in enumerate(numbers):
        values[at] = each
    return values


def found(folder, **options):
    return pennfudan.read(folder, Reading(**options))


def test_penn_fudan(tmp_path, picture):
    picture("PNGImages/FudanPed00001.png")
    mask = masked(tmp_path, "PedMasks/FudanPed00001_mask.png", instances(1, 2, 2))
    result = found(tmp_path)
    (image,) = result.images
    assert (image.instance_map, image.annotation) == (mask, "PedMasks/FudanPed00001_mask.png")
    assert [(each.name, each.box, each.segmentation) for each in image.objects] == [("person", None, None)] * 2
    assert (result.classes, result.notes) == (("person",), ())


def test_images_and_masks_of_equal_names(tmp_path, picture):
    picture("images/train/a.jpg")
    picture("images/val/b.jpg")
    masked(tmp_path, "masks/train/a.png", instances(3, dtype=np.uint16))
    masked(tmp_path, "masks/val/b.png", instances())
    first, second = found(tmp_path).images
    assert (first.split, len(first.objects), first.objects[0].name) == ("train", 3, "object")
    assert (second.split, len(second.objects), second.instance_map) == ("valid", 0, None)
    assert "--annotations semantic" in found(tmp_path).notes[0]


@pytest.mark.parametrize(
    ("names", "palette"),
    [
        (None, ("", "1", "2", "3")),
        ("_background_\nsky\nroad\n", ("", "sky", "road", "3")),
        ("sky\n", ("", "sky", "2", "3")),
    ],
)
def test_masks_of_classes(tmp_path, picture, put, names, palette):
    picture("images/a.jpg")
    mask = masked(tmp_path, "masks/a.png", instances(1, 3, 255))
    if names is not None:
        put("classes.txt", names)
    result = found(tmp_path, task="semantic")
    assert (result.palette, result.classes) == (palette, palette[1:])
    (image,) = result.images
    assert (image.label_map, image.instance_map, image.objects) == (mask, None, ())


@pytest.mark.parametrize("task", ["", "semantic"])
def test_a_mask_whose_numbers_were_changed_by_its_format_is_refused(tmp_path, picture, task):
    for name in ("a", "b"):
        picture(f"images/{name}.jpg")
    masked(tmp_path, "masks/a.png", instances(1))
    Image.fromarray(np.kron(np.eye(2), np.ones((50, 100))).astype(np.uint8) * 9).save(tmp_path / "masks/b.jpg")
    result = found(tmp_path, task=task)
    assert [image.path.name for image in result.images] == ["a.jpg"]
    assert result.notes[0] == "masks/b.jpg: save masks as PNG: JPEG changes the numbers: skipped"


@pytest.mark.parametrize("every", [1, 40])
@pytest.mark.parametrize(("num_names", "is_refused"), [(0, True), (19, True), (20, False), (120, False)])
def test_numbers_far_beyond_the_names_are_no_classes(tmp_path, picture, put, num_names, is_refused, every):
    picture("images/a.jpg")
    masked(tmp_path, "masks/a.png", (np.arange(20000) % 121 // every * every).astype(np.uint8).reshape(100, 200))
    if num_names:
        put("classes.txt", "".join(f"class {number}\n" for number in range(num_names)))
    if is_refused:
        with pytest.raises(DataError, match=f"numbers up to 120, and {num_names} classes are named") as caught:
            found(tmp_path, task="semantic")
        assert "classes.txt" in caught.value.hint
    else:
        assert len(found(tmp_path, task="semantic").classes) == 120


def test_masks_of_0_and_255_have_no_class_and_say_what_to_do(tmp_path, picture):
    for name in ("a", "b"):
        picture(f"images/{name}.jpg")
        masked(tmp_path, f"masks/{name}.png", instances(255))
    with pytest.raises(DataError, match="but 0, the background, and 255, which is void") as caught:
        found(tmp_path, task="semantic")
    assert caught.value.hint == "save the class as 1 in place of 255"
    masked(tmp_path, "masks/b.png", instances(1, 255))
    assert found(tmp_path, task="semantic").classes == ("1",)


def test_a_palette_holds_numbers_and_no_colours(tmp_path, picture):
    picture("images/a.jpg")
    image = Image.fromarray(instances(1, 2)).convert("P")
    image.putdata(list(instances(1, 2).ravel()))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    (tmp_path / "masks").mkdir()
    image.save(tmp_path / "masks/a.png")
    assert len(found(tmp_path).images[0].objects) == 2


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (np.zeros((4, 4, 3), np.uint8), "colours"),
        (instances(255), "only 0 and 255"),
        (instances(20_000, dtype=np.uint16), "20,000"),
    ],
)
def test_a_mask_that_is_none_is_noted(tmp_path, picture, values, note):
    for name in ("a", "b"):
        picture(f"images/{name}.jpg")
    masked(tmp_path, "masks/a.png", instances(1))
    masked(tmp_path, "masks/b.png", values)
    result = found(tmp_path)
    assert len(result.images) == 1
    assert result.notes[0].startswith("masks/b.png: ")
    assert note in result.notes[0]


def test_an_image_whose_mask_has_another_size_is_no_background(tmp_path, picture):
    for name in ("a", "b"):
        picture(f"images/{name}.jpg")
    masked(tmp_path, "masks/a.png", instances(1))
    masked(tmp_path, "masks/b.png", instances(1, 2)[:50])
    checked = check(found(tmp_path), tmp_path)
    assert [(Path(image.file).name, len(image.objects)) for image in checked.images[""]] == [("a.jpg", 1)]
    assert any(note.startswith(f"{KINDS['annotation_damaged']}: 1, the first in masks/b.png") for note in checked.notes)
    assert not any(note.startswith(KINDS["box_missing"]) for note in checked.notes)


def test_a_damaged_mask_and_files_without_a_partner_are_noted(tmp_path, picture, put):
    for name in ("a", "b", "c"):
        picture(f"images/{name}.jpg")
    whole = masked(tmp_path, "masks/a.png", np.arange(20000, dtype=np.uint16).reshape(100, 200) % 7).read_bytes()
    put("masks/b.png", whole[: len(whole) // 2])
    put("masks/d.png", whole)
    notes = found(tmp_path).notes
    assert [any(note.startswith(start) for note in notes) for start in ("masks/b.png: ", "c.jpg: no mask")] == [
        True
    ] * 2
    assert any(note.startswith("masks/d.png: no image") for note in notes)


def test_what_is_refused(tmp_path, picture):
    assert not pennfudan.matches(tmp_path)
    with pytest.raises(DataError, match="neither PNGImages"):
        found(tmp_path)
    picture("images/a.jpg")
    masked(tmp_path, "masks/b.png", instances(1))
    assert pennfudan.matches(tmp_path)
    with pytest.raises(DataError, match="no mask in masks/ fits"):
        found(tmp_path)
