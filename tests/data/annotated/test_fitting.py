"""How images lie in canvases, and boxes come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.annotated.fitting import STRIDE, Fit, fit_image, fit_size, typical_canvas
from dlcli.data.images.operations.colour import FILL

sides = st.integers(1, 3000)


@given(size=st.tuples(sides, sides), side=st.sampled_from([64, 320, 417]))
def test_a_fit_round_trips_and_wastes_less_than_a_stride(size: tuple[int, int], side: int) -> None:
    fit = fit_size(size, side)
    assert Fit.from_numbers(np.array(fit.numbers)) == fit
    assert max(fit.inner) == side
    assert all(
        0 <= whole - part < STRIDE and whole % STRIDE == 0 for whole, part in zip(fit.canvas, fit.inner, strict=True)
    )
    boxes = np.array([[0, 0, size[1], size[0]], [0.25 * size[1], 0.5 * size[0], 0.75 * size[1], size[0]]])
    np.testing.assert_allclose(fit.to_image(fit.to_canvas(boxes)), boxes)
    np.testing.assert_allclose(fit.to_canvas(boxes)[0], [0, 0, fit.inner[1], fit.inner[0]])


@given(size=st.tuples(sides, sides), canvas=st.sampled_from([(64, 64), (96, 320), (320, 256)]))
def test_a_given_canvas_holds_the_image_and_is_touched_by_it(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    fit = fit_size(size, 999, canvas)
    assert fit.canvas == canvas
    assert 1 <= fit.inner[0] <= canvas[0]
    assert 1 <= fit.inner[1] <= canvas[1]
    assert fit.inner[0] == canvas[0] or fit.inner[1] == canvas[1]


def test_sizes_worked_by_hand() -> None:
    assert fit_size((480, 640), 320) == Fit((480, 640), (240, 320), (256, 320))
    assert fit_size((640, 480), 320) == Fit((640, 480), (320, 240), (320, 256))
    assert fit_size((100, 1000), 320).canvas == (32, 320)


def test_boxes_are_cut_at_the_image_edges() -> None:
    fit = fit_size((50, 100), 200)
    assert fit.to_image([[-10, -10, 260, 130]]).tolist() == [[0, 0, 100, 50]]
    assert fit.to_image(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize(
    ("sizes", "canvas"),
    [
        ([(480, 640)] * 5, (256, 320)),  # 240 is rounded up to 256
        ([(640, 480), (480, 640), (640, 480)], (320, 256)),
        ([(100, 100)], (320, 320)),
        ([(1, 100)], (32, 320)),
        ([], (320, 320)),
    ],
)
def test_the_typical_canvas_is_that_of_the_median_shape(sizes: list[tuple[int, int]], canvas: tuple[int, int]) -> None:
    assert typical_canvas(sizes, 320) == canvas


def test_an_image_lies_in_the_top_left_corner_of_grey() -> None:
    canvas = fit_image(np.full((30, 60, 3), 7, np.uint8), fit_size((30, 60), 64))
    assert canvas.shape == (32, 64, 3)
    canvas = fit_image(np.full((30, 60, 3), 7, np.uint8), fit_size((30, 60), 64, (64, 96)))
    assert (canvas[:48, :96] == 7).all()
    assert (canvas[48:] == FILL).all()
