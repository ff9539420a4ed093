"""Each operation equals one written by hand on small arrays, or what it is defined to do."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.filters import FILTERS, correlate, draw_filters, luma, own_filter, sobel_gradients, spectrum

RANDOM = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
ONE_PIXEL = np.array([[[100, 200, 50]]], np.uint8)


def result(name: str, image: np.ndarray, size: int = 3) -> np.ndarray:
    """Return the only result of an operation."""
    [found] = FILTERS[name].apply(image, size).values()
    return found


def grey_image(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values, np.uint8)[:, :, None], 3, axis=2)


def patches(image: np.ndarray, size: int) -> np.ndarray:
    """Return the (size x size) neighbourhood of each pixel, edges reflected, (H, W, C, size, size) float64."""
    margin = size // 2
    padded = np.pad(image.astype(np.float64), ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))


def test_the_five_greys_have_their_weights() -> None:
    # 0.3 * 100 + 0.59 * 200 + 0.11 * 50 = 153.5; 15,350 // 100; (7,700 + 30,200 + 1,400) >> 8; 350 // 3; 200.
    assert [int(grey[0, 0]) for grey in FILTERS["grey"].apply(ONE_PIXEL, 3).values()] == [154, 153, 153, 116, 200]
    assert int(luma(ONE_PIXEL)[0, 0]) == round(0.299 * 100 + 0.587 * 200 + 0.114 * 50)


@pytest.mark.parametrize(
    ("colour", "hue", "y", "v"),
    [
        ((255, 0, 0), (255, 0, 0), 76, 255),
        ((0, 0, 255), (0, 0, 255), 29, 103),
        ((128, 128, 128), (255, 0, 0), 128, 128),
    ],
)
def test_channels_are_those_of_rgb(colour: tuple[int, ...], hue: tuple[int, ...], y: int, v: int) -> None:
    image = np.full((2, 2, 3), colour, np.uint8)
    hsv, yuv = FILTERS["hsv"].apply(image, 3), FILTERS["yuv"].apply(image, 3)
    assert tuple(hsv["hue"][0, 0]) == hue
    assert (int(hsv["saturation"][0, 0]), int(hsv["value"][0, 0])) == (0 if len(set(colour)) == 1 else 255, max(colour))
    assert (int(yuv["Y"][0, 0]), int(yuv["V"][0, 0])) == (y, v)


def test_brightness_contrast_and_saturation_are_clipped() -> None:
    image = np.array([[[0, 128, 250]]], np.uint8)
    np.testing.assert_array_equal(result("brightness", image), [[[40, 168, 255]]])
    np.testing.assert_array_equal(result("contrast", image), [[[0, 128, 255]]])
    np.testing.assert_array_equal(result("saturation", grey_image(np.array([[7, 90]]))), [[[7] * 3, [90] * 3]])
    more = result("saturation", np.array([[[200, 150, 150]]], np.uint8))[0, 0].astype(int)
    assert more[0] == 200 and abs(more[1] - 125) <= 1  # the distance of 50 from the largest channel times 1.5


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize(
    ("name", "reduce"),
    [
        ("mean", lambda near: np.rint(near.mean(axis=(-1, -2)))),
        ("box", lambda near: np.minimum(near.sum(axis=(-1, -2)), 255)),
        ("median", lambda near: np.median(near.reshape(*near.shape[:3], -1), axis=-1)),
        ("erode", lambda near: near.min(axis=(-1, -2))),
        ("dilate", lambda near: near.max(axis=(-1, -2))),
    ],
)
def test_an_operation_on_neighbourhoods_equals_numpy_s(name: str, reduce, size: int) -> None:
    # Away from the border, which OpenCV continues differently for the median and for morphology.
    inner = slice(size // 2, -(size // 2))
    expected = reduce(patches(RANDOM, size))[inner, inner]
    difference = np.abs(result(name, RANDOM, size)[inner, inner].astype(int) - expected)
    assert difference.max() <= (1 if name == "mean" else 0)  # a mean of .5 may be rounded either way
    assert (difference == 0).mean() > 0.95


def test_the_median_removes_one_white_pixel_and_the_mean_spreads_it() -> None:
    image = np.zeros((7, 7, 3), np.uint8)
    image[3, 3] = 255
    assert not result("median", image).any()
    assert (result("mean", image)[2:5, 2:5] == 28).all()
    assert result("gaussian", image)[3, 3, 0] == 64  # (1, 2, 1) / 4 along each axis: 255 / 4


def test_bilateral_keeps_a_high_step_and_smooths_a_low_one() -> None:
    step = np.zeros((9, 9), np.uint8)
    step[:, 5:] = 255
    assert np.abs(result("bilateral", grey_image(step), 5).astype(int) - grey_image(step)).max() <= 2
    low = np.where(step > 0, 130, 120)
    assert result("bilateral", grey_image(low), 5)[4, 4, 0] > 120


@pytest.mark.parametrize(("name", "again"), [("open", "open"), ("close", "close")])
def test_opening_and_closing_twice_is_once(name: str, again: str) -> None:
    once = result(name, RANDOM)
    np.testing.assert_array_equal(result(again, once), once)
    assert (once <= RANDOM).all() if name == "open" else (once >= RANDOM).all()


def test_a_kernel_is_not_turned() -> None:
    shifted = correlate(RANDOM, np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]]))
    np.testing.assert_array_equal(shifted[:, :-1], RANDOM[:, 1:])
    np.testing.assert_array_equal(own_filter(RANDOM, np.array([[1.0]])), RANDOM)
    kernel = np.random.default_rng(1).normal(size=(3, 3))
    expected = np.clip(np.rint((patches(RANDOM, 3) * kernel).sum(axis=(-1, -2))), 0, 255)
    np.testing.assert_array_equal(own_filter(RANDOM, kernel), expected)


def test_sharpening_leaves_a_plain_image_and_is_its_own_kernel() -> None:
    plain = np.full((5, 5, 3), 77, np.uint8)
    np.testing.assert_array_equal(result("sharpen", plain), plain)
    np.testing.assert_array_equal(
        result("sharpen", RANDOM), own_filter(RANDOM, np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]))
    )


def test_gradients_of_a_step_are_its_height_times_the_kernel_s_gain() -> None:
    step = np.full((9, 8), 10, np.uint8)
    step[:, 4:] = 30
    x, y = sobel_gradients(step, 3)
    np.testing.assert_array_equal(x, np.tile([0, 0, 0, 80, 80, 0, 0, 0], (9, 1)))
    assert not y.any()
    image = grey_image(step)
    assert (result("prewitt", image)[:, 3:5] == 60).all()
    assert (result("roberts", image)[1:, 4] == 28).all()  # both diagonals cross it: 20 times the root of 2
    assert (result("laplacian", image)[:, 3:5] == 20).all()
    for found in (result("prewitt", image), result("roberts", image), result("laplacian", image)):
        assert not found[:, :3].any() and not found[:, 5:].any()
    [edge] = FILTERS["canny"].apply(grey_image(np.where(step > 20, 255, 0)), 3).values()
    assert set(edge.any(axis=0).tolist()) == {True, False} and edge.any(axis=0).sum() == 1  # one pixel thin


@pytest.mark.parametrize("size", [3, 5, 7, 31])
def test_the_gradient_of_a_step_has_one_strength_for_every_size(size: int) -> None:
    step = np.zeros((5, 64), np.uint8)
    step[:, 32:] = 20
    x, y = sobel_gradients(step, size)
    assert x.max() == pytest.approx(80)
    np.testing.assert_allclose(y, 0, atol=1e-9)
    x, y = sobel_gradients(np.ascontiguousarray(step.T), size)
    assert y.max() == pytest.approx(80)


def test_the_spectrum_of_a_sine_has_two_peaks_beside_the_centre() -> None:
    wave = np.rint(127 + 100 * np.sin(2 * np.pi * 4 * np.arange(32) / 32))
    values = spectrum(grey_image(np.tile(wave, (32, 1))))
    largest = {divmod(int(place), 32) for place in np.argsort(values.ravel())[-3:]}
    assert largest == {(16, 16), (16, 12), (16, 20)}


def test_flips_are_numpy_s() -> None:
    across, down, both = FILTERS["flip"].apply(RANDOM, 3).values()
    np.testing.assert_array_equal(across, RANDOM[:, ::-1])
    np.testing.assert_array_equal(down, RANDOM[::-1])
    np.testing.assert_array_equal(both, RANDOM[::-1, ::-1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (300, 20)])
def test_every_operation_answers_images_of_every_shape(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for each in FILTERS.values():
        for size in (3, 31):
            results = each.apply(image, size)
            assert {found.dtype for found in results.values()} == {np.dtype(np.uint8)}
            assert {found.shape[:2] for found in results.values()} == {shape}
        labels = list(each.apply(image, 5))
        assert any("5 x 5" in label for label in labels) == each.has_size


def test_a_sheet_shows_the_image_and_each_result_in_red_where_it_is_red() -> None:
    red = np.zeros((200, 300, 3), np.uint8)
    red[:, :, 0] = 255
    sheet = draw_filters(red, ["flip"], size=3, kernel=np.array([[1.0]]), title="rot 红")
    is_red = (sheet == (255, 0, 0)).all(axis=2)
    assert is_red.sum() == 5 * 200 * 300  # the image, three flips and the kernel
    assert not (sheet == (0, 0, 255)).all(axis=2).any()


def test_a_large_image_is_reduced_before_it_is_processed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 3000, 3), dtype=np.uint8)
    sheet = draw_filters(noise, ["median"], size=3, title="noise")
    assert max(sheet.shape) <= 2100
    assert sheet.shape[1] > 1900
