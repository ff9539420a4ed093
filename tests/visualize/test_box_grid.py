"""Samples of annotated images, and one of them augmented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toys.annotated import voc_folder, voc_object

from dlcli.core.errors import UsageError
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.augmenting import augment, recipe_of
from dlcli.data.annotated.masks import from_pixels
from dlcli.visualize.box_grid import (
    CELL_PX,
    MOST_IMAGES,
    cell_side,
    chosen_images,
    draw_annotated,
    draw_augmented,
    draw_record,
)
from dlcli.visualize.boxes import class_colour

MASK = np.zeros((60, 80), np.uint8)
MASK[20:40, 10:70] = 1
RECORD = AnnotatedImage(
    "a.png",
    60,
    80,
    (Annotation(1, (10, 20, 70, 40), 1200, segmentation=from_pixels(MASK)), Annotation(0, (2, 44, 40, 58), 1)),
)
IMAGE = np.full((60, 80, 3), 120, np.uint8)


def image_of(number: int, *labels: int) -> AnnotatedImage:
    return AnnotatedImage(f"{number}.png", 9, 9, tuple(Annotation(label, (0, 0, 5, 5), 25) for label in labels))


def test_a_record_is_drawn_at_its_side_with_masks_and_boxes_in_place() -> None:
    picture = draw_record(IMAGE, RECORD, ["a", "b"], 320)
    assert picture.shape == (240, 320, 3)
    assert (picture[100:159, 40] == class_colour(1)).all()
    assert (picture[190:230, 8] == class_colour(0)).all()
    assert (picture[120, 160] != 120).any()  # the mask's tint
    assert (picture[210, 80] == 120).all()  # none within the box alone
    np.testing.assert_array_equal(picture, draw_record(IMAGE, RECORD, ["a", "b"], 320))


def test_nine_versions_are_those_of_the_augmentation() -> None:
    recipe = recipe_of("default")
    picture, versions = draw_augmented(IMAGE, RECORD, ["a", "b"], recipe, (64, 96), seed=5)
    side = cell_side(9)
    height = round(64 * side / 96)
    assert picture.shape == (6 + 3 * (height + 6), 6 + 3 * (side + 6), 3)
    for number, version in enumerate(versions):
        expected = augment(IMAGE, RECORD, (64, 96), recipe, 5 + number, with_masks=True)
        np.testing.assert_array_equal(version.boxes, expected.boxes)
        np.testing.assert_array_equal(version.image, expected.image)
    assert draw_augmented(IMAGE, RECORD, ["a", "b"], recipe, (64, 96), count=1, title="one")[0].shape[0] > height


def test_each_class_has_its_images_and_the_rarest_chooses_first() -> None:
    records = [image_of(number, 0, *([1] if number in (4, 9) else [])) for number in range(20)] + [image_of(20, 2)]
    chosen = [record.file for record in chosen_images(records, 3, 2)]
    assert chosen == ["4.png", "9.png", "20.png"]  # those of class 1 also show class 0
    assert len(chosen_images(records, 3, 1)) == 2
    assert len(chosen_images([image_of(number, number) for number in range(80)], 80, 5)) == MOST_IMAGES
    assert len(chosen_images([image_of(number) for number in range(9)], 3, 4)) == 4
    assert chosen_images([], 3, 4) == []


def test_samples_of_a_folder_are_a_grid_with_its_boxes(tmp_path: Path) -> None:
    objects = {"a": [voc_object("cat", (3, 3, 20, 20))], "b": [voc_object("dog", (5, 5, 30, 25))]}
    folder = voc_folder(tmp_path / "pets", objects, lists={"Main/train": "a b"})
    picture = draw_annotated(folder, "train", 1)
    cell_height = round(CELL_PX * 30 / 40)
    assert picture.shape[1] == 6 + 2 * (CELL_PX + 6)
    assert cell_height + 6 < picture.shape[0] < cell_height + 100
    for label in (0, 1):
        assert (picture == class_colour(label)).all(axis=2).sum() > 1000
    np.testing.assert_array_equal(picture, draw_annotated(folder, "train", 1))
    with pytest.raises(UsageError, match="no split 'tset'"):
        draw_annotated(folder, "tset", 1)
