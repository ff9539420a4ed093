"""Preparing annotated images: the original in, the form out; real data has the counts that its makers give."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from toys.annotated import coco_file, coco_value, picture, voc_folder, voc_object

from dlcli.core.errors import DataError
from dlcli.data.annotated.form import open_annotated
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import coco_importer, voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions


def prepare(importer, source, destination, **options):
    lines = []
    importer = importer(AnnotatedOptions(**options))
    card, _ = prepare_dataset(importer, source, destination, command="x", force=False, report=lines.append)
    return card, lines


def test_a_folder_of_voc_is_prepared_and_split(tmp_path):
    objects = {f"{at}": [voc_object("cat" if at % 2 else "dog", (1, 1, 9, 50))] for at in range(20)}
    source = voc_folder(tmp_path / "voc", objects)
    card, lines = prepare(voc_importer, source, tmp_path / "out", test_fraction=0.3)
    assert lines == [f"{source}: checking 20 images"]
    assert card.items == {"train": 14, "test": 6} and card.counts["test"] == {"cat": 3, "dog": 3}
    assert card.warnings == ("boxes cut at the image's edge: 20, the first in 0.xml",)
    form = open_annotated(tmp_path / "out")
    assert form.card == card and sum(map(len, form.images.values())) == 20


def test_a_json_file_with_images_elsewhere(tmp_path):
    row = {"image_id": 1, "category_id": 5, "bbox": [1, 2, 10, 12]}
    value = coco_value({1: "a.jpg", 2: "b.jpg"}, [row, row | {"image_id": 2}], {5: "cat"})
    source = coco_file(tmp_path / "labels/mine.json", value)
    for name in ("a", "b"):
        picture(tmp_path / "photos" / f"{name}.jpg")
    with pytest.raises(DataError, match="no image with an annotation that can be used") as caught:
        prepare(coco_importer, source, tmp_path / "out")
    assert "--images DIR" in caught.value.hint and not (tmp_path / "out").exists()
    card, _ = prepare(coco_importer, source, tmp_path / "out", images=str(tmp_path / "photos"), test_fraction=0.5)
    assert card.name == "mine" and card.items == {"train": 1, "test": 1}
    assert [entry["file"] for entry in card.sources] == ["mine.json", "photos/"]


@pytest.mark.parametrize("source", [None, "none"])
def test_a_source_that_is_none(source, tmp_path):
    with pytest.raises(DataError, match="SOURCE" if source is None else "no such file"):
        voc_importer(AnnotatedOptions()).locate(source and tmp_path / source)
    with pytest.raises(DataError, match="no such folder"):
        voc_importer(AnnotatedOptions(images="nowhere")).locate(tmp_path)


@pytest.mark.slow
def test_blood_cells(real_data, tmp_path):
    card, _ = prepare(voc_importer, real_data / "bccd", tmp_path / "out")
    assert card.items == {"train": 205, "valid": 87, "test": 72} and card.classes == ("Platelets", "RBC", "WBC")
    assert sum(sum(of.values()) for of in card.counts.values()) == 4888 - 2
    assert card.warnings == ("boxes without a pixel, left out: 2, the first in BloodImage_00338.xml",)


@pytest.mark.slow
def test_raccoons(real_data, tmp_path):
    card, _ = prepare(voc_importer, real_data / "raccoon", tmp_path / "out")
    assert card.items == {"train": 161, "test": 39} and card.details["totals"]["objects"] == 217
    assert open_annotated(real_data / "raccoon").card.items == {"train": 200}


@pytest.mark.slow
def test_the_small_coco_equals_its_json(real_data, tmp_path):
    from pycocotools.coco import COCO

    card, _ = prepare(coco_importer, real_data / "coco-mini", tmp_path / "out")
    assert card.items == {"train": 192, "test": 162} and len(card.classes) == 80
    for split, original in (("train", "train"), ("test", "val")):
        was = COCO(str(real_data / f"coco-mini/annotations/instances_{original}2017.json"))
        now = COCO(str(tmp_path / f"out/annotations/instances_{split}.json"))
        order = {image: at for at, image in enumerate(was.imgs)}
        rows = sorted(was.loadAnns(was.getAnnIds()), key=lambda row, order=order: order[row["image_id"]])
        assert Counter(was.cats[row["category_id"]]["name"] for row in rows if not row["iscrowd"]) == {
            name: count for name, count in card.counts[split].items() if count
        }
        assert len(now.anns) == len(rows)
        for old, new in zip(rows, now.loadAnns(now.getAnnIds()), strict=True):
            assert was.cats[old["category_id"]]["name"] == now.cats[new["category_id"]]["name"]
            assert np.abs(np.array(old["bbox"]) - new["bbox"]).max() < 0.02
            assert new["area"] == pytest.approx(old["area"], abs=0.001)
            assert (was.annToMask(old) != now.annToMask(new)).mean() < 1e-4
