"""Which annotated images a picture shows, and how they are drawn."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from toys.annotated import coco_file, coco_value, picture, voc_folder, voc_object

from dlcli.core.errors import DataError, UsageError
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.visualize.records import (
    draw_beside,
    draw_records,
    draw_truth,
    find_record,
    records_of,
    require_masks,
    require_record,
)

OBJECTS = {
    "a": [voc_object("cat", (2, 2, 20, 20))],
    "b": [voc_object("dog", (4, 4, 30, 25)), voc_object("cat", (1, 1, 9, 9), difficult=1)],
    "c": [],
    "d": [voc_object("dog", (4, 4, 12, 25))],
}


@pytest.fixture
def form(tmp_path: Path) -> AnnotatedForm:
    """Return VOC data: a, b and c in train, d in test."""
    lists = {"Main/train": "a b c", "Main/test": "d"}
    return open_annotated(voc_folder(tmp_path / "voc", OBJECTS, lists=lists))


def names(records: list[AnnotatedImage]) -> list[str]:
    return [Path(each.file).stem for each in records]


def test_images_with_objects_are_chosen_and_those_of_a_class_if_one_is_named(form: AnnotatedForm) -> None:
    assert names(records_of(form, None, None, 9)) == ["a", "b"]
    assert names(records_of(form, None, None, 1)) == ["a"]
    assert names(records_of(form, "train", "dog", 9)) == ["b"]
    assert names(records_of(form, "test", "dog", 9)) == ["d"]


def test_an_unknown_split_or_class_and_a_class_without_images_are_refused(form: AnnotatedForm) -> None:
    with pytest.raises(UsageError, match="--split: no split 'tset'"):
        records_of(form, "tset", None, 1)
    with pytest.raises(UsageError, match="--class: no class 'cta'"):
        records_of(form, None, "cta", 1)
    with pytest.raises(UsageError, match="no image of test shows 'cat'"):
        records_of(form, "test", "cat", 1)


def test_an_image_is_found_by_its_path_its_name_or_a_copy_but_not_by_the_name_alone_of_another_file(
    form: AnnotatedForm, tmp_path: Path
) -> None:
    [wanted] = form.of_split("test")
    own = form.root / wanted.file
    copy = shutil.copy(own, tmp_path / own.name)
    other = picture(tmp_path / "other" / own.name, seed=7)
    for word in (wanted.file, own.name, own.stem, str(own), str(copy)):
        assert find_record(form, word) == wanted
    assert find_record(form, str(other)) is None
    with pytest.raises(UsageError, match=r"no image 'e\.jpg'"):
        require_record(form, "e.jpg")


def test_boxes_are_drawn_without_masks_and_masks_fill_their_outline(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    square = [5, 5, 35, 5, 35, 25, 5, 25]
    annotation = {"image_id": 1, "category_id": 1, "bbox": [5, 5, 30, 20], "segmentation": [square], "area": 600}
    coco_file(tmp_path / "instances.json", coco_value({1: "a.jpg"}, [annotation], {1: "cat"}))
    form = open_annotated(tmp_path)
    [record] = form.of_split("train")
    require_masks(form)
    image, boxes, masks = form.read(record), *(draw_truth(form, record, 40, with_masks=each) for each in (False, True))
    inside = (slice(20, 23), slice(12, 30))  # below the tag, within the frame
    np.testing.assert_array_equal(boxes[inside], image[inside])
    assert (masks[inside] != image[inside]).any(axis=2).mean() > 0.9
    assert draw_records(form, [record], with_masks=True, title="t").shape[2] == 3


def test_data_of_boxes_alone_has_no_masks_to_draw(form: AnnotatedForm) -> None:
    with pytest.raises(DataError, match="no masks, only boxes"):
        require_masks(form)


def test_what_is_found_stands_on_the_right_of_the_annotations(form: AnnotatedForm) -> None:
    [record] = form.of_split("test")
    found = np.full((30, 40, 3), 77, np.uint8)
    alone = draw_beside(found, None, with_masks=False, title="t", note="n")
    pair = draw_beside(found, (form, record), with_masks=False, title="t", note="n")
    assert (alone == 77).all(axis=2).sum() == found.shape[0] * found.shape[1]
    grey = (pair == 77).all(axis=2)
    assert not grey[:, : pair.shape[1] // 2].all(axis=1).any()
    assert grey[:, pair.shape[1] // 2 :].mean() > 0.7
