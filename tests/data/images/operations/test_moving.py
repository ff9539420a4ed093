"""Image, boxes and masks move together: the picture of a moved box is the moved picture of the box."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.images.operations.colour import FILL
from dlcli.data.images.operations.geometry import matrices
from dlcli.data.images.operations.moving import apply, apply_to_image, apply_to_images
from dlcli.data.images.operations.numbers import draw_numbers, row_of, without_windows
from dlcli.data.images.operations.table import OPERATIONS, parse_augment

MOVES = "flip vflip quarter scale=0.4 shear=15 rotate=40 perspective=0.1 translate=0.2"
NO_BOXES = np.zeros((0, 4), np.float32)
SIZES = [(48, 64), (64, 48), (56, 56)]


def boxes_in(size: tuple[int, int], random: np.random.Generator, count: int = 6) -> np.ndarray:
    """Return boxes of whole pixels, at least 6 wide and high."""
    low = np.stack([random.integers(0, size[1] - 6, count), random.integers(0, size[0] - 6, count)], axis=1)
    room = np.array([size[1], size[0]]) - low - 6
    return np.concatenate([low, low + 6 + (random.random((count, 2)) * room).astype(int)], axis=1).astype(np.float32)


def filled(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    left, top, right, bottom = box.astype(int)
    mask = np.zeros(size, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def hull(mask: np.ndarray) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize("text", [*MOVES.split(), MOVES])
@pytest.mark.parametrize("frame", [None, (40, 40)])
def test_the_picture_of_a_moved_box_is_the_moved_picture_of_the_box(text: str, frame: tuple[int, int] | None) -> None:
    random = np.random.default_rng(0)
    checked = 0
    for number in range(12):
        size = SIZES[number % 3]
        boxes = boxes_in(size, random)
        masks = np.stack([filled(box, size) for box in boxes])
        numbers = draw_numbers(parse_augment(text), 1, frame or size, random)
        for box, mask in zip(boxes, masks, strict=True):
            # Its own picture, white on black, in place of the photo; what comes from beyond the edge is grey.
            moved = apply(mask[..., None] * np.uint8(255), numbers, box[None], mask[None], frame=frame, least_area=0.0)
            if not len(moved.kept) or (moved.image == 255).sum() < 12 or (moved.masks[0] == 0).all():
                continue
            checked += 1
            # Half a pixel of the image, as a crop enlarges it, and the tip of an acute corner may be missing.
            tolerance = 1.0 if text in ("flip", "vflip", "quarter", "translate") and not frame else 2.0
            np.testing.assert_allclose(hull(moved.masks[0]), moved.boxes[0], atol=tolerance)
            is_sure = (moved.image[..., 0] == 255) | (moved.image[..., 0] == 0)
            inside = moved.image[..., 0] == 255
            assert (moved.masks[0].astype(bool) == inside)[is_sure].mean() > 0.98
    assert checked > 30


def test_a_box_never_leaves_the_image_and_all_that_is_kept_belongs_together() -> None:
    random = np.random.default_rng(1)
    for number in range(60):
        size = SIZES[number % 3]
        boxes = boxes_in(size, random)
        masks = np.stack([filled(box, size) for box in boxes]).astype(bool)
        numbers = draw_numbers(parse_augment(f"{MOVES} erase cutout colour"), 1, size, random)
        moved = apply(np.zeros((*size, 3), np.uint8), numbers, boxes, masks)
        assert moved.image.shape == (*size, 3)
        assert moved.boxes.shape == (len(moved.kept), 4)
        assert moved.masks.shape == (len(moved.kept), *size)
        assert (moved.image.dtype, moved.boxes.dtype, moved.masks.dtype) == (np.uint8, np.float32, bool)
        assert (moved.boxes >= 0).all()
        assert (moved.boxes[:, [0, 2]] <= size[1]).all()
        assert (moved.boxes[:, [1, 3]] <= size[0]).all()
        assert (moved.boxes[:, 2:] > moved.boxes[:, :2]).all()


def test_what_changes_colours_or_erases_leaves_boxes_and_masks() -> None:
    size, random = (30, 40), np.random.default_rng(2)
    boxes = boxes_in(size, random)
    masks = np.stack([filled(box, size) for box in boxes])
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    numbers = draw_numbers(parse_augment("colour grey erase=1 cutout blur noise"), 1, size, random)
    moved = apply(image, numbers, boxes, masks)
    np.testing.assert_array_equal(moved.boxes, boxes)
    np.testing.assert_array_equal(moved.masks, masks)
    assert (moved.image != image).any()
    assert moved.kept.tolist() == list(range(6))


def test_a_box_that_reaches_out_of_the_image_is_cut_also_by_a_flip() -> None:
    # torchvision 0.29.1 gives [10, 2, 30, 8]: its boxes are clamped "softly", and stay outside.
    numbers = draw_numbers(parse_augment("flip=1"), 1, (20, 20), np.random.default_rng(0))
    moved = apply(np.zeros((20, 20, 3), np.uint8), numbers, np.array([[-10, 2, 10, 8]]))
    assert moved.boxes.tolist() == [[10, 2, 20, 8]]


@pytest.mark.parametrize("angle", [30, 45, 90])
def test_a_rotated_image_its_boxes_and_masks_have_one_frame(angle: int) -> None:
    # Of 20 x 30 pixels turned by 45 degrees, torchvision 0.29.1's expand=True makes an image 36 wide and a canvas of
    # boxes 37 wide.
    numbers = {"matrix": matrices({"angle": np.array([angle])}, 1, (20, 30))}
    box = np.array([[5, 2, 15, 8]], np.float32)
    moved = apply(np.zeros((20, 30, 3), np.uint8), numbers, box, filled(box[0], (20, 30))[None])
    assert moved.image.shape[:2] == moved.masks.shape[1:] == (20, 30)
    np.testing.assert_allclose(hull(moved.masks[0]), moved.boxes[0], atol=1.5)


def test_boxes_of_several_kinds_are_moved_in_one_call_and_told_apart_after_it() -> None:
    # torchvision 0.29.1's SanitizeBoundingBoxes looks at the first boxes of a sample, and passes the others over.
    faces, cars = boxes_in((30, 40), np.random.default_rng(0), 3), boxes_in((30, 40), np.random.default_rng(1), 4)
    numbers = draw_numbers(parse_augment("scale=0.1"), 1, (30, 40), np.random.default_rng(3))
    image = np.zeros((30, 40, 3), np.uint8)
    both = apply(image, numbers, np.concatenate([faces, cars]))
    for boxes, own in ((faces, both.kept < 3), (cars, both.kept >= 3)):
        np.testing.assert_array_equal(apply(image, numbers, boxes).boxes, both.boxes[own])
    assert 0 < len(both.kept) < 7


@pytest.mark.parametrize("name", ["flip", "vflip"])
def test_two_flips_are_none(name: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    boxes = boxes_in((9, 12), np.random.default_rng(0), 3)
    numbers = draw_numbers(parse_augment(f"{name}=1"), 1, (9, 12), np.random.default_rng(0))
    once = apply(image, numbers, boxes)
    assert (once.image != image).any()
    twice = apply(once.image, numbers, once.boxes)
    np.testing.assert_array_equal(twice.image, image)
    np.testing.assert_array_equal(twice.boxes, boxes)


def test_four_quarter_turns_are_none() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    start = moved = apply(image, {}, boxes_in((9, 9), np.random.default_rng(0), 3))
    random = np.random.default_rng(3)
    numbers = draw_numbers(parse_augment("quarter=1"), 1, (9, 9), random)
    for _ in range(4):
        moved = apply(moved.image, numbers, moved.boxes)
    np.testing.assert_array_equal(moved.image, start.image)
    np.testing.assert_array_equal(moved.boxes, start.boxes)


def test_nothing_to_do_changes_nothing_and_never_the_source() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    before = image.copy()
    np.testing.assert_array_equal(apply_to_image(image, {}, (9, 12)), image)
    np.testing.assert_array_equal(apply(image, {}, NO_BOXES).image, image)
    for name in OPERATIONS:
        numbers = draw_numbers(parse_augment(name), 8, (9, 12), np.random.default_rng(0))
        for row in range(8):
            apply(image, row_of(numbers, row), NO_BOXES)
            apply_to_image(image, row_of(numbers, row), (9, 12))
        apply_to_images(np.repeat(image[None], 8, axis=0), without_windows(numbers, (9, 12)))
        np.testing.assert_array_equal(image, before, err_msg=name)


def test_what_lies_beyond_the_edge_is_grey_with_boxes_and_a_reflection_without() -> None:
    image = np.full((20, 20, 3), 250, np.uint8)
    numbers = draw_numbers(parse_augment("rotate=45"), 1, (20, 20), np.random.default_rng(4))
    assert (apply_to_image(image, numbers, (20, 20)) == 250).all()
    assert (apply(image, numbers, NO_BOXES).image == FILL).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_one_by_one_are_those_of_a_batch(channels: int) -> None:
    steps, frame = parse_augment(f"{MOVES} colour grey erase cutout noise"), (24, 24)
    images = np.random.default_rng(0).integers(0, 256, (12, *frame, channels), dtype=np.uint8)
    numbers = without_windows(draw_numbers(steps, 12, frame, np.random.default_rng(0)), frame)
    batch = apply_to_images(images, numbers)
    for row, image in enumerate(images):
        single = apply_to_image(image, row_of(numbers, row), frame)
        assert np.abs(single.astype(int) - batch[row]).max() <= 1


def test_a_photo_that_shrinks_is_averaged_not_sampled() -> None:
    """Fine stripes become an even grey also under a rotation, as they do in prediction."""
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 400))[:, :, None].repeat(3, axis=2)
    random = np.random.default_rng(0)
    for text in ("flip", "scale=0.8", "rotate=20 scale=0.6", "perspective=0.1", "shear=10 translate"):
        moved = apply_to_image(stripes, draw_numbers(parse_augment(text), 1, (32, 32), random), (32, 32))
        assert moved.shape == (32, 32, 3)
        assert np.abs(moved.astype(int) - 127).max() < 20, text


@pytest.mark.parametrize("size", [(7, 9), (13, 200), (40, 31), (501, 303)])
def test_a_photo_of_any_size_lies_where_its_boxes_lie(size: tuple[int, int]) -> None:
    """A bright corner of a photo, halved several times or enlarged, is where its box says, also under a rotation."""
    height, width = size
    image = np.zeros((*size, 3), np.uint8)
    image[: height // 2, : width // 2] = 255
    box = np.array([[0, 0, width // 2, height // 2]], np.float32)
    frame = (24, 24)
    for text in ("flip=0", "rotate=30", "scale=0.7 shear=10"):
        numbers = draw_numbers(parse_augment(text), 1, frame, np.random.default_rng(5))
        moved = apply(image, numbers, box, np.ones((1, *size), np.uint8), frame=frame, least_area=0.0)
        is_bright = apply_to_image(image, numbers, frame)[..., 0] > 127
        left, top, right, bottom = moved.boxes[0]
        rows, columns = np.flatnonzero(is_bright.any(axis=1)), np.flatnonzero(is_bright.any(axis=0))
        if text != "flip=0":  # the hull also holds what the rotation reflects into the frame
            assert is_bright[int(top + bottom) // 2, int(left + right) // 2]
        else:
            expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            np.testing.assert_allclose(moved.boxes[0], expected, atol=1.5 * max(1, 24 / min(size)))


def test_numbers_are_a_function_of_the_generator_alone() -> None:
    steps = parse_augment(" ".join(OPERATIONS))
    first, second, third = (draw_numbers(steps, 5, (8, 8), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.keys() == second.keys() == third.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    assert any((values != third[name]).any() for name, values in first.items())


def test_erased_rectangles_and_squares_are_as_described() -> None:
    frame, count = (40, 60), 600
    numbers = draw_numbers(parse_augment("erase=0.3 cutout=0.5"), count, frame, np.random.default_rng(0))
    rectangle, square = numbers["holes"].transpose(1, 0, 2)
    height, width = rectangle[:, 2] - rectangle[:, 0], rectangle[:, 3] - rectangle[:, 1]
    is_there = height * width > 0
    assert is_there.mean() == pytest.approx(0.3, abs=0.06)
    shares = (height * width)[is_there] / 2400
    assert 0.012 < shares.min() < 0.04
    assert 0.15 < shares.max() < 0.23
    assert (rectangle >= 0).all()
    assert (rectangle[:, 2:] <= frame).all()
    assert (square[:, 2:] - square[:, :2]).max(axis=0).tolist() == [20, 20]
    assert (square[:, 2:] - square[:, :2]).min() >= 9  # the centre lies within the image
    image = np.zeros((1, *frame, 3), np.uint8)
    top, left, bottom, right = square[0]
    cut = apply_to_images(image, {"holes": numbers["holes"][:1, 1:]})[0]
    assert (cut[top:bottom, left:right] == FILL).all()
    assert (cut == FILL).sum() == 3 * (bottom - top) * (right - left)
