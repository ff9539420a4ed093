"""One matrix for all moves: against torchvision, against itself undone, and for boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from dlcli.data.images.decoding import scale_image
from dlcli.data.images.operations.boxes import move_boxes
from dlcli.data.images.operations.columns import Columns
from dlcli.data.images.operations.geometry import MIDDLE, exact_moves, fits, matrices, windows
from dlcli.data.images.operations.moving import apply_to_images
from dlcli.data.images.preprocess import Preprocess

BILINEAR = reference.InterpolationMode.BILINEAR
SQUARE, WIDE = (16, 16), (16, 20)


def one(**values: object) -> Columns:
    return {name: np.array([value]) for name, value in values.items()}


def smooth(size: tuple[int, int], count: int = 1) -> np.ndarray:
    """Return pictures of waves, (N, H, W, 3) uint8, in which a shift by a tenth of a pixel changes little."""
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(0.3 * x + phase) + np.cos(0.25 * y - phase) for phase in range(3)]
    return np.repeat((60 * np.stack(waves, axis=-1) + 128).astype(np.uint8)[None], count, axis=0)


@pytest.mark.parametrize("size", [SQUARE, WIDE])
@pytest.mark.parametrize("columns", [
    one(flip=True), one(vflip=True), one(turns=2), one(flip=True, vflip=True), one(flip=True, turns=2),
])  # fmt: skip
def test_flips_and_half_turns_are_those_of_torchvision_to_the_pixel(size: tuple[int, int], columns: Columns) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    expected = torch.from_numpy(image).permute(0, 3, 1, 2)
    for name, change in (("flip", reference.horizontal_flip), ("vflip", reference.vertical_flip)):
        expected = change(expected) if name in columns else expected
    expected = expected.rot90(2, (2, 3)) if "turns" in columns else expected
    matrix = matrices(columns, 1, size)
    assert exact_moves(matrix, size) >= 0
    np.testing.assert_array_equal(apply_to_images(image, {"matrix": matrix}), expected.permute(0, 2, 3, 1))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_are_counter_clockwise_as_numpys(turns: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, *SQUARE, 3), dtype=np.uint8)
    moved = apply_to_images(image, {"matrix": matrices(one(turns=turns), 1, SQUARE)})
    np.testing.assert_array_equal(moved[0], np.rot90(image[0], turns))


def test_a_frame_that_is_not_square_is_turned_by_half_turns_only() -> None:
    codes = [int(exact_moves(matrices(one(turns=turns), 1, WIDE), WIDE)[0]) for turns in range(4)]
    assert codes == [0, 4, 4, 4]


def check_agreement(image: np.ndarray, matrix: np.ndarray, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Compare an image moved by a matrix with torchvision's, where that shows no black from beyond the edge."""
    moved = apply_to_images(image, {"matrix": matrix}).astype(int)
    both = np.concatenate([image, np.full_like(image, 255)])
    expected, white = change(torch.from_numpy(both).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy().astype(int)
    assert (white == 255).mean() > 0.4
    assert np.abs(moved[0] - expected)[white == 255].max() <= 2


@pytest.mark.parametrize("size", [SQUARE, WIDE])
@pytest.mark.parametrize("angle", [10, -25.5, 90])
def test_rotations_are_those_of_torchvision(size: tuple[int, int], angle: float) -> None:
    matrix = matrices(one(angle=angle), 1, size)
    check_agreement(smooth(size), matrix, lambda image: reference.rotate(image, angle, interpolation=BILINEAR))


def test_shear_and_shift_are_those_of_torchvision() -> None:
    matrix = matrices(one(shear_x=12.0, shift_x=0.125, shift_y=-0.25), 1, (24, 24))

    def change(image: torch.Tensor) -> torch.Tensor:  # whose sign of a shear is that of the inverse map
        return reference.affine(image, 0, [3, -6], 1.0, [-12.0, 0], interpolation=BILINEAR)

    check_agreement(smooth((24, 24)), matrix, change)


def test_a_perspective_is_that_of_torchvision() -> None:
    corners = np.array([[0.1, 0.05], [-0.05, 0.1], [-0.1, -0.1], [0.05, -0.05]])
    start = np.array([[0, 0], [30, 0], [30, 20], [0, 20]])
    end = start + corners * [30, 20]

    def change(image: torch.Tensor) -> torch.Tensor:
        return reference.perspective(image, start.tolist(), end.tolist(), interpolation=BILINEAR)

    check_agreement(smooth((20, 30)), matrices({"corners": corners[None]}, 1, (20, 30)), change)


def test_corners_of_a_perspective_arrive_where_they_are_sent() -> None:
    moved = np.random.default_rng(0).uniform(-0.2, 0.2, (50, 4, 2))
    matrix = matrices({"corners": moved}, 50, WIDE)
    corners = np.array([[0, 20, 20, 0], [0, 0, 16, 16], [1, 1, 1, 1.0]])
    x, y, depth = (matrix @ corners).transpose(1, 0, 2)
    assert (depth > 0).all()
    np.testing.assert_allclose(x / depth, corners[0] + 20 * moved[:, :, 0], atol=1e-9)
    np.testing.assert_allclose(y / depth, corners[1] + 16 * moved[:, :, 1], atol=1e-9)


def test_shifts_are_by_whole_pixels_and_need_no_interpolation() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, *WIDE, 3), dtype=np.uint8)
    matrix = matrices(one(shift_x=0.14, shift_y=-0.07), 1, WIDE)  # 2.8 and 1.12 pixels
    moved = apply_to_images(image, {"matrix": matrix})[0]
    np.testing.assert_array_equal(moved[:-1, 3:], image[0, 1:, :-3])
    np.testing.assert_array_equal(moved[:, :3], moved[:, 5:2:-1])  # what is uncovered is a reflection


@pytest.mark.parametrize("frame", [(8, 8), (6, 9), (9, 4)])
@pytest.mark.parametrize("size", [(16, 20), (37, 12), (100, 75), (8, 8), (5, 3)])
def test_the_largest_window_in_the_middle_is_the_crop_of_prediction(
    size: tuple[int, int], frame: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    left, top, width, height = windows(MIDDLE, size, frame)[0].astype(int)
    part = scale_image(image[top : top + height, left : left + width], *frame)
    np.testing.assert_array_equal(Preprocess(1, *frame, (0.5,), (0.5,)).fit(image), part)


@pytest.mark.parametrize("frame", [(8, 8), (6, 9)])
def test_windows_stay_in_the_image_and_have_their_area_and_shape(frame: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    count, size = 400, (300, 500)
    shapes = np.column_stack([random.uniform(0.3, 1, count), random.uniform(-1, 1, count), random.random((count, 2))])
    left, top, width, height = windows(shapes, size, frame).T
    assert min(left.min(), top.min()) >= 0
    assert (left + width).max() <= size[1]
    assert (top + height).max() <= size[0]
    largest = min(size[0] / frame[0], size[1] / frame[1]) ** 2 * frame[0] * frame[1]
    np.testing.assert_allclose(width * height / largest, shapes[:, 0], rtol=0.02)
    stretch = (width / height) / (frame[1] / frame[0])
    assert 3 / 4 - 0.02 < stretch.min() < stretch.max() < 4 / 3 + 0.02
    is_whole = shapes[:, 0] > 0.99
    np.testing.assert_allclose(stretch[is_whole], 1, rtol=0.03)


def test_a_window_is_mapped_onto_the_frame() -> None:
    matrix = fits(np.array([[3.0, 2, 10, 5]]), (20, 30))[0]
    corners = matrix @ np.array([[3, 13, 8], [2, 7, 4.5], [1, 1, 1]])
    np.testing.assert_allclose(corners[:2], [[0, 30, 15], [0, 20, 10]])


def test_a_box_is_cut_at_the_frame_or_left_out() -> None:
    boxes = np.array([[0, 0, 4, 4], [2, 0, 12, 10], [15, 5, 19, 9]], np.float32)
    shifted = np.array([[1, 0, -8], [0, 1, 0], [0, 0, 1.0]])
    moved, kept = move_boxes(boxes, shifted, (10, 20), 0.25)
    assert kept.tolist() == [1, 2]
    np.testing.assert_allclose(moved, [[0, 0, 4, 10], [7, 5, 11, 9]])
    assert move_boxes(boxes, shifted, (10, 20), 0.5)[1].tolist() == [2]
    assert move_boxes(np.zeros((0, 4)), shifted, (10, 20), 0.5)[0].shape == (0, 4)


def test_a_turned_box_is_cut_before_its_hull_is_taken() -> None:
    turned = matrices(one(angle=45.0), 1, (20, 20))[0]  # the box becomes a diamond; of its lower half, the left is out
    boxes = np.array([[0, 0, 20, 20], [-40, -40, 60, 60], [30, 30, 40, 40]], np.float32)
    moved, kept = move_boxes(boxes, turned, (20, 20), 0.0)
    assert kept.tolist() == [0, 1]
    np.testing.assert_allclose(moved, [[0, 0, 20, 20], [0, 0, 20, 20]])
    corner = np.array([[0, 10, 10, 20]], np.float32)  # its centre moves to (10, 17.07), its own diamond 14.14 wide
    np.testing.assert_allclose(move_boxes(corner, turned, (20, 20), 0.0)[0], [[2.93, 10, 17.07, 20]], atol=0.01)


def test_a_box_at_the_horizon_of_a_perspective_is_left_out() -> None:
    tilted = np.array([[1, 0, 0], [0, 1, 0], [0, -0.1, 1.0]])  # all below y = 10 lies behind
    boxes = np.array([[0, 0, 4, 4], [0, 6, 4, 12]], np.float32)
    assert move_boxes(boxes, tilted, (40, 40), 0.0)[1].tolist() == [0]


def test_a_zoom_is_about_the_middle_and_an_aspect_keeps_the_area() -> None:
    zoomed = matrices({"zoom": np.array([2.0])}, 1, (40, 60))[0]
    np.testing.assert_allclose(zoomed @ [[30, 0], [20, 0], [1, 1]], [[30, -30], [20, -20], [1, 1]])
    wider = matrices({"aspect": np.array([1.5])}, 1, (40, 60))[0]
    assert wider[0, 0] / wider[1, 1] == pytest.approx(1.5)
    assert np.linalg.det(wider) == pytest.approx(1)


def test_upright_boxes_move_as_turned_ones_do() -> None:
    random = np.random.default_rng(0)
    boxes = np.sort(random.uniform(-20, 120, (200, 2, 2)), axis=1).reshape(-1, 4)
    for x, y, least in ((1.5, 0.7, 0.0), (-1.2, 1.0, 0.3), (-0.8, -2.0, 0.6)):
        upright = np.array([[x, 0, 40.0], [0, y, 30.0], [0, 0, 1]])
        turned = upright + np.array([[0, 1e-12, 0], [1e-12, 0, 0], [0, 0, 0]])
        (shown, kept), (expected, others) = (move_boxes(boxes, each, (90, 110), least) for each in (upright, turned))
        np.testing.assert_array_equal(kept, others)
        np.testing.assert_allclose(shown, expected, atol=1e-4)
        assert 0 < len(kept) < 200
