"""Written and opened, annotated images are what they were; a folder as it is opens too; damage is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from toys.annotated import picture, voc_folder, voc_object

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.form import holds_annotations, open_annotated
from dlcli.data.annotated.found import Found, FoundImage, FoundObject
from dlcli.data.annotated.masks import from_pixels
from dlcli.data.annotated.writer import write_annotated
from dlcli.data.forms import form_of


def prepared(tmp_path, images=None, **more):
    """Write and return a prepared folder, and what was checked."""
    images = images if images is not None else [image_of(tmp_path, "a", FoundObject("cat", (1.25, 2, 9, 9.7)))]
    checked = check(Found(tuple(images), **more), tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    write_json(folder / "dataset.json", write_annotated(checked, folder, "cats").to_json())
    return folder, checked


def image_of(tmp_path, name, *objects, split="train", **more):
    return FoundImage(picture(tmp_path / f"{name}.jpg"), f"{name}.xml", split, objects, **more)


def test_the_round_trip_is_exact(tmp_path):
    random = np.random.default_rng(0)
    corners = np.sort(random.uniform(0, 30, (50, 2, 2)), axis=1).reshape(50, 4)
    pixels = np.zeros((30, 40), np.uint8)
    pixels[3:9, 4:20] = 1
    masks = [from_pixels(pixels), [[4.126, 3, 20, 3, 20, 9.33, 4, 9]], {"size": [30, 40], "counts": [300, 9, 891]}]
    objects = [FoundObject("cat", tuple(map(float, box)), extra={"pose": "Left"}) for box in corners]
    objects += [FoundObject("狗", None, mask, is_crowd=number == 2) for number, mask in enumerate(masks)]
    objects.append(FoundObject("cat", (0.1, 0.2, 30.3, 20.7), is_difficult=True))
    images = [
        image_of(tmp_path, "a", *objects, group="film 1", tags=("cat", "tree")),
        image_of(tmp_path, "b"),
        image_of(tmp_path, "c", FoundObject("cat", (1, 1, 9, 9)), split="test"),
    ]
    folder, checked = prepared(tmp_path, images)
    form = open_annotated(folder)
    assert form.is_prepared and form.splits() == ("train", "test") and form.card.classes == checked.classes
    assert [image.file for image in form.of_split("train")] == ["images/train/a.jpg", "images/train/b.jpg"]
    for split in form.splits():
        for was, now in zip(checked.images[split], form.of_split(split), strict=True):
            assert (now.objects, now.tags, now.group) == (was.objects, was.tags, was.group)
            assert (folder / now.file).read_bytes() == (tmp_path / was.file).read_bytes()
            assert form.read(now).shape == (30, 40, 3)
    assert form.card.items == {"train": 2, "test": 1}
    num_cats = sum(each.label == 0 for each in form.of_split("train")[0].objects)
    assert form.card.counts["train"] == {"cat": num_cats + 1, "tree": 1, "狗": 2}
    assert form.card.details["has"] == ["boxes", "masks", "tags"]
    totals = form.card.details["totals"]
    assert (totals["crowds"], totals["masks"], totals["difficult"], totals["images_with_objects"]) == (1, 2, 1, 2)


def test_the_json_is_cocos(tmp_path):
    from pycocotools.coco import COCO

    pixels = np.zeros((30, 40), np.uint8)
    pixels[3:9, 4:20] = 1
    folder, _ = prepared(tmp_path, [image_of(tmp_path, "a", FoundObject("cat", None, from_pixels(pixels)))])
    coco = COCO(str(folder / "annotations/instances_train.json"))
    [annotation] = coco.loadAnns(coco.getAnnIds())
    assert (annotation["id"], annotation["image_id"], annotation["category_id"]) == (1, 1, 1)
    assert annotation["bbox"] == [4, 3, 16, 6] and annotation["area"] == 96
    assert np.array_equal(coco.annToMask(annotation), pixels)


def test_names_are_safe_and_apart_and_suffixes_true(tmp_path):
    cat = FoundObject("cat", (1, 1, 9, 9))
    paths = [tmp_path / name for name in ("x/a.jpg", "y/A.jpg", "y/a:b?.jpg", "con.jpg")]
    for path in paths[:3]:
        picture(path)
    picture(paths[3], kind="PNG")
    folder, _ = prepared(tmp_path, [FoundImage(path, path.name, "train", (cat,)) for path in paths])
    names = [image.file for image in open_annotated(folder).of_split("train")]
    assert names == [f"images/train/{name}" for name in ("a.jpg", "A_2.jpg", "a_b_.jpg", "_con.png")]


def test_label_maps_are_written_as_class_indices_and_read_alike_as_they_are(tmp_path):
    source = voc_folder(tmp_path / "voc", {"1": [voc_object("van", (1, 1, 9, 9))]}, lists={"Main/train": "1"})
    pixels = np.zeros((30, 40), np.uint8)
    pixels[5:9], pixels[20:24], pixels[0], pixels[29] = 1, 3, 255, 77
    (source / "SegmentationClass").mkdir()
    Image.fromarray(pixels).save(source / "SegmentationClass/1.png")
    (source / "class_names.txt").write_text("_background_\nvan\ntree\ncar\n")
    form = open_annotated(source)
    expected = np.zeros((30, 40), np.uint8)
    expected[5:9] = 1 + form.card.classes.index("van")
    expected[20:24] = 1 + form.card.classes.index("car")
    expected[[0, 29]] = 255
    assert np.array_equal(form.read_label_map(form.of_split("train")[0]), expected)
    assert form.has("label_maps") and any("values of no class" in note for note in form.card.warnings)
    checked = check(
        Found(
            (FoundImage(source / "JPEGImages/1.jpg", "1.xml", "train", label_map=source / "SegmentationClass/1.png"),),
            palette=("", "van", "tree", "car"),
            classes=("tree", "car", "van"),
        ),
        source,
    )
    folder = tmp_path / "out"
    folder.mkdir()
    write_json(folder / "dataset.json", write_annotated(checked, folder, "x").to_json())
    written = open_annotated(folder)
    [image] = written.of_split("train")
    expected[5:9], expected[20:24] = 3, 2
    assert np.array_equal(written.read_label_map(image), expected)
    assert np.array_equal(np.asarray(Image.open(folder / image.label_map)), expected)


def test_a_folder_as_it_is_opens_in_memory(tmp_path):
    source = voc_folder(tmp_path / "mine", {"1": [voc_object("cat", (1, 1, 99, 9))], "2": []})
    before = sorted(tmp_path.rglob("*"))
    form = open_annotated(source)
    assert sorted(tmp_path.rglob("*")) == before
    assert not form.is_prepared and form.splits() == ("train",) and form.card.name == "mine"
    assert [image.file for image in form.of_split("train")] == ["JPEGImages/1.jpg", "JPEGImages/2.jpg"]
    assert form.card.warnings == ("boxes cut at the image's edge: 1, the first in 1.xml",)
    assert form.read(form.of_split("train")[0]).shape == (30, 40, 3)


def test_images_by_class_and_annotated_ones_are_told_apart(tmp_path):
    for name in ("ant", "bee"):
        picture(tmp_path / f"classes/train/{name}/1.jpg")
    assert form_of(tmp_path / "classes").name == "images" and not holds_annotations(tmp_path / "classes")
    assert form_of(voc_folder(tmp_path / "voc", {"1": [voc_object("cat", (1, 1, 9, 9))]})).name == "annotated"
    (tmp_path / "empty").mkdir()
    assert form_of(tmp_path / "empty").name == "images"
    with pytest.raises(DataError, match="no annotated images"):
        open_annotated(tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        open_annotated(tmp_path / "none")


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value["images"][0].update(file_name="../a.jpg"),
        lambda value: value["images"][0].update(file_name=7),
        lambda value: value["images"][0].update(id=2),
        lambda value: value["images"][0].update(width=0),
        lambda value: value["images"][0].update(label_map="/etc/passwd"),
        lambda value: value["annotations"][0].update(image_id=9),
        lambda value: value["annotations"][0].update(id=2),
        lambda value: value["annotations"][0].update(category_id=0),
        lambda value: value["annotations"][0].update(category_id=True),
        lambda value: value["annotations"][0].update(bbox=[1, 2, float("nan"), 3]),
        lambda value: value["annotations"][0].update(bbox=[1, 2, 300, 3]),
        lambda value: value["annotations"][0].update(bbox=[1, 2, -3, 3]),
        lambda value: value["annotations"][0].update(bbox=[1, 2]),
        lambda value: value["annotations"][0].update(area="big"),
        lambda value: value["annotations"][0].update(segmentation=[[1, 2]]),
        lambda value: value["annotations"][0].update(segmentation={"size": [30, 40], "counts": "zzz"}),
        lambda value: value["annotations"][0].pop("iscrowd"),
        lambda value: value["categories"][0].update(name="dog"),
        lambda value: value.update(images=3),
        lambda value: value.pop("annotations"),
    ],
)
def test_damage_is_an_error_that_names_the_file(damage, tmp_path):
    folder, _ = prepared(tmp_path)
    path = folder / "annotations/instances_train.json"
    value = json.loads(path.read_text())
    open_annotated(folder)
    damage(value)
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"instances_train\.json") as caught:
        open_annotated(folder)
    assert "prepare" in caught.value.hint


def test_an_image_changed_since_is_an_error(tmp_path):
    folder, _ = prepared(tmp_path)
    form = open_annotated(folder)
    [image] = form.of_split("train")
    picture(folder / image.file, 10, 10)
    with pytest.raises(DataError, match="10 x 10 pixels, annotated with 40 x 30"):
        form.read(image)
    (folder / "annotations/instances_train.json").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        open_annotated(folder)
