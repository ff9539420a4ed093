"""Image, boxes, masks and ignored regions move together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.augmenting import DETECTION, LEAST_SIDE, Augmented, Recipe, augment, mosaic, recipe_of
from dlcli.data.annotated.fitting import fit_image, fit_size
from dlcli.data.annotated.masks import from_pixels
from dlcli.data.images.operations.colour import FILL

GEOMETRY = "flip zoom=1.6 aspect=1.1"
CANVAS = (96, 128)


def drawn(boxes: list[tuple[int, int, int, int]], height: int = 120, width: int = 200) -> np.ndarray:
    """Return a black image with filled white boxes."""
    image = np.zeros((height, width, 3), np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    return image


def record_of(
    boxes: list[tuple[int, int, int, int]], height: int = 120, width: int = 200, **more: bool
) -> AnnotatedImage:
    objects = tuple(Annotation(number, (*map(float, box),), 1.0, **more) for number, box in enumerate(boxes))
    return AnnotatedImage("a.png", height, width, objects)


def hull(is_inside: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(is_inside.any(axis=1)), np.flatnonzero(is_inside.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def bright(image: np.ndarray) -> np.ndarray:
    """Return which pixels are about as bright as the middle of black and white, and brighter than the grey around."""
    return image[..., 0] > FILL + 22


box_in_image = st.tuples(st.integers(0, 150), st.integers(0, 80), st.integers(20, 50), st.integers(20, 40)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@settings(max_examples=30)
@given(box=box_in_image, seed=st.integers(0, 2**31 - 1), shrinkage=st.sampled_from([1, 2]))
def test_the_picture_of_a_moved_box_is_the_moved_picture_of_the_box(box: tuple, seed: int, shrinkage: int) -> None:
    image = drawn([box])[::shrinkage, ::shrinkage]  # a cached image is smaller than its record
    box = tuple(side - side % shrinkage for side in box)
    image = drawn([tuple(side // shrinkage for side in box)], 120 // shrinkage, 200 // shrinkage)
    result = augment(image, record_of([box]), CANVAS, recipe_of(GEOMETRY), seed, with_masks=True)
    assert result.image.shape == (*CANVAS, 3)
    for moved, mask in zip(result.boxes, result.masks, strict=True):
        np.testing.assert_allclose(hull(bright(result.image)), moved, atol=1.01)
        np.testing.assert_allclose(hull(mask > 0), moved, atol=1.01)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31 - 1))
def test_a_turned_mask_lies_within_its_box_and_touches_its_sides(seed: int) -> None:
    result = augment(
        drawn([(60, 30, 140, 90)]),
        record_of([(60, 30, 140, 90)]),
        CANVAS,
        recipe_of("rotate=30 shear=10 flip"),
        seed,
        with_masks=True,
    )
    np.testing.assert_allclose(hull(result.masks[0] > 0), result.boxes[0], atol=1.5)


def test_the_seed_decides_everything() -> None:
    boxes = [(10, 10, 60, 60), (100, 20, 180, 110)]
    image = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)

    def result(seed: int) -> Augmented:
        return augment(image, record_of(boxes), CANVAS, recipe_of("default"), seed)

    first, again, other = result(1), result(1), result(2)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.image, other.image)


def test_without_operations_an_image_lies_as_in_evaluation() -> None:
    image = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8), 20, 0), 20, 1)
    result = augment(image, record_of([(20, 40, 100, 80)]), CANVAS, recipe_of("none"), 3)
    fit = fit_size((120, 200), 128, CANVAS)
    np.testing.assert_allclose(result.boxes, fit.to_canvas(np.array([[20, 40, 100, 80]])), atol=1e-4)
    difference = np.abs(result.image.astype(int) - fit_image(image, fit))
    assert np.median(difference) == 0
    assert difference.mean() < 3


@pytest.mark.parametrize("seed", range(40))
def test_at_least_the_centre_of_one_object_is_seen(seed: int) -> None:
    boxes = [(0, 0, 40, 40), (160, 80, 200, 120)]
    result = augment(drawn(boxes), record_of(boxes), CANVAS, recipe_of("zoom=4"), seed)
    # A quarter of a box is seen if its centre is, which is less than the 30 % that keep a box.
    assert bright(result.image).sum() >= 0.2 * 40 * 40 * (0.6 / 4) ** 2
    assert ((result.boxes[:, 2:] - result.boxes[:, :2]) > LEAST_SIDE).all()
    assert (result.boxes >= 0).all()
    assert (result.boxes <= [128, 96, 128, 96]).all()


def test_a_zoomed_out_image_lies_anywhere_within_the_canvas() -> None:
    image = drawn([(0, 0, 200, 120)])
    result = [augment(image, record_of([(0, 0, 200, 120)]), CANVAS, recipe_of("zoom=1.6"), seed) for seed in range(60)]
    small = [each.boxes[0] for each in result if each.boxes[0, 2] - each.boxes[0, 0] < 100]
    assert len(small) > 5
    assert np.ptp([box[0] for box in small]) > 10
    assert np.ptp([box[1] for box in small]) > 10
    assert all(abs((box[2] - box[0]) / (box[3] - box[1]) - 200 / 120) < 0.05 for box in small)  # nothing is cut


def test_crowds_and_difficult_objects_are_ignored_regions() -> None:
    objects = (
        Annotation(0, (0, 0, 50, 60), 1, is_crowd=True),
        Annotation(1, (50, 0, 100, 60), 1),
        Annotation(2, (100, 60, 200, 120), 1, is_difficult=True),
    )
    result = augment(drawn([]), AnnotatedImage("a.png", 120, 200, objects), CANVAS, Recipe(), 0, with_masks=True)
    scale = 128 / 200
    assert result.labels.tolist() == [1]
    assert result.kept.tolist() == [1]
    assert len(result.masks) == 1
    np.testing.assert_allclose(result.ignored, np.array([[0, 0, 50, 60], [100, 60, 200, 120]]) * scale, atol=0.3)


def test_a_mirror_exchanges_left_and_right() -> None:
    boxes = [(0, 0, 60, 60), (140, 60, 200, 120)]
    classes = ["left_hand", "right_hand"]
    for seed in range(6):
        result = augment(drawn(boxes), record_of(boxes), CANVAS, recipe_of("flip", classes), seed)
        is_mirrored = result.boxes[0, 0] > 64
        assert result.labels.tolist() == ([1, 0] if is_mirrored else [0, 1])
    assert augment(drawn(boxes), record_of(boxes), CANVAS, recipe_of("flip=1"), 0).labels.tolist() == [0, 1]


def test_boxes_that_show_too_little_are_left_out() -> None:
    boxes = [(0, 0, 200, 120), (150, 90, 154, 94)]  # the second has 2.6 px in the canvas
    result = augment(drawn(boxes), record_of(boxes), CANVAS, Recipe(), 0)
    assert result.kept.tolist() == [0]
    assert augment(drawn([]), record_of([]), CANVAS, recipe_of("default"), 0).boxes.shape == (0, 4)


def test_masks_are_those_of_their_segmentation() -> None:
    polygon = [[0.0, 0.0, 100.0, 0.0, 0.0, 100.0]]
    record = AnnotatedImage("a.png", 100, 100, (Annotation(0, (0, 0, 100, 100), 1, segmentation=polygon),))
    result = augment(np.zeros((50, 50, 3), np.uint8), record, (96, 96), Recipe(), 0, with_masks=True)
    assert abs(result.masks[0].mean() - 0.5) < 0.02
    assert result.masks[0, 10, 10] == 1
    assert result.masks[0, 90, 90] == 0


@pytest.mark.parametrize("size", [(200, 300), (133, 200), (77, 115), (120, 180)])
def test_masks_lie_on_average_in_the_middle_of_their_boxes(size: tuple[int, int]) -> None:
    """A mask that is brought to the size of a cached image by the corners of its pixels lies half a pixel off."""
    random, objects = np.random.default_rng(0), []
    for _ in range(60):
        side = int(random.integers(20, 60))
        left, top = int(random.integers(0, 300 - side)), int(random.integers(0, 200 - side))
        pixels = np.zeros((200, 300), np.uint8)
        pixels[top : top + side, left : left + side] = 1
        box = (float(left), float(top), float(left + side), float(top + side))
        objects.append(Annotation(0, box, 1.0, segmentation=from_pixels(pixels)))
    record = AnnotatedImage("a.png", 200, 300, tuple(objects))
    result = augment(np.zeros((*size, 3), np.uint8), record, (128, 192), Recipe(), 0, with_masks=True)
    assert len(result.masks) == 60
    offsets = [
        np.argwhere(mask).mean(axis=0)[::-1] + 0.5 - (box[:2] + box[2:]) / 2
        for mask, box in zip(result.masks, result.boxes, strict=True)
    ]
    np.testing.assert_allclose(np.mean(offsets, axis=0), 0, atol=0.1)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31 - 1))
def test_a_mosaic_shows_four_images_with_their_boxes(seed: int) -> None:
    boxes = [(20, 20, 180, 100)]
    record = record_of(boxes)
    result = mosaic([drawn(boxes)] * 4, [record] * 4, CANVAS, Recipe(), seed, with_masks=True)
    assert result.image.shape == (*CANVAS, 3)
    assert result.kept.tolist() == [0, 1, 2, 3]
    every = np.zeros(CANVAS, bool)
    for box, mask in zip(result.boxes, result.masks, strict=True):
        left, top, right, bottom = box.round().astype(int)
        every[top:bottom, left:right] = True
        np.testing.assert_allclose(hull(mask > 0), box, atol=1.01)
    assert (every != bright(result.image)).mean() < 0.04  # a pixel around each box
    assert recipe_of(DETECTION) == recipe_of("default")
