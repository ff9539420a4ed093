"""Changes of pixels: against torchvision's, and what they promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from dlcli.data.images.operations.colour import colour_matrices
from dlcli.data.images.operations.numbers import draw_numbers
from dlcli.data.images.operations.retouching import retouch
from dlcli.data.images.operations.table import parse_augment
from dlcli.data.images.operations.trivial import LEVELS, RANGES, draw_trivial


def picture(low: int = 0, high: int = 256, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, (1, 24, 26, channels), dtype=np.uint8)


def changed(image: np.ndarray, **numbers: object) -> np.ndarray:
    return retouch(image.copy(), {name: np.array([value]) for name, value in numbers.items()})


def recoloured(image: np.ndarray, **tones: float) -> np.ndarray:
    values = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0, "grey": False} | tones
    colour, lift = colour_matrices(*(np.array([value]) for value in values.values()))
    return retouch(image.copy(), {"colour": colour, "lift": lift})


def by_torchvision(change: Callable[..., torch.Tensor], image: np.ndarray, *arguments: float) -> np.ndarray:
    return change(torch.from_numpy(image).permute(0, 3, 1, 2), *arguments).permute(0, 2, 3, 1).numpy()


def check_close(one: np.ndarray, other: np.ndarray, tolerance: int = 1) -> None:
    assert np.abs(one.astype(int) - other).max() <= tolerance


@pytest.mark.parametrize(("name", "change"), [
    ("brightness", reference.adjust_brightness), ("contrast", reference.adjust_contrast),
    ("saturation", reference.adjust_saturation),
])  # fmt: skip
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.7])
@pytest.mark.parametrize("channels", [1, 3])
def test_factors_are_those_of_torchvision(name: str, change: Callable[..., torch.Tensor], factor: float, channels: int):
    image = picture(channels=channels)
    check_close(recoloured(image, **{name: factor}), by_torchvision(change, image, factor))


@pytest.mark.parametrize("third", [1, 2])
def test_a_hue_turned_by_thirds_is_that_of_torchvision_and_moves_red_to_green_to_blue(third: int) -> None:
    image = picture()
    turned = recoloured(image, hue=third / 3)
    check_close(turned, by_torchvision(reference.adjust_hue, image, third / 3 - (third == 2)), 3)
    np.testing.assert_array_equal(turned, np.roll(image, third, axis=-1))


def test_a_hue_leaves_greys_and_a_whole_turn_leaves_all() -> None:
    grey = np.repeat(picture(channels=1), 3, axis=-1)
    np.testing.assert_array_equal(recoloured(grey, hue=0.21), grey)
    image = picture()
    np.testing.assert_array_equal(recoloured(image, hue=1.0), image)


def test_grey_has_one_value_for_red_green_and_blue_that_of_torchvision() -> None:
    image = picture()
    check_close(recoloured(image, grey=True, hue=0.2), by_torchvision(reference.rgb_to_grayscale, image, 3))


def test_red_stays_red() -> None:
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 200
    shown = recoloured(red, brightness=1.1, contrast=0.9, saturation=0.8)
    assert shown[..., 0].min() > shown[..., 1].max() + 100
    assert (shown[..., 1] == shown[..., 2]).all()


def test_all_colour_changes_at_once_are_torchvisions_one_after_the_other() -> None:
    image = picture(90, 160)  # from which nothing is clipped on the way
    expected = by_torchvision(reference.adjust_brightness, image, 1.2)
    expected = by_torchvision(reference.adjust_contrast, expected, 0.8)
    expected = by_torchvision(reference.adjust_saturation, expected, 1.3)
    check_close(recoloured(image, brightness=1.2, contrast=0.8, saturation=1.3), expected, 3)


@pytest.mark.parametrize(("numbers", "change", "argument"), [
    ({"bits": 3}, reference.posterize, [3]), ({"threshold": 100.0}, reference.solarize, [100]),
    ({"autocontrast": True}, reference.autocontrast, []), ({"equalize": True}, reference.equalize, []),
    ({"sharpness": 1.8}, reference.adjust_sharpness, [1.8]), ({"sharpness": 0.2}, reference.adjust_sharpness, [0.2]),
])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_tones_and_sharpness_are_those_of_torchvision(
    numbers: dict[str, object], change: Callable[..., torch.Tensor], argument: list[float], channels: int
) -> None:
    image = picture(40, 200, channels)
    shown = changed(image, **numbers)
    assert (shown != image).any()
    check_close(shown, by_torchvision(change, image, *argument))


def test_an_even_image_has_no_contrast_to_stretch() -> None:
    even = np.full((1, 5, 5, 3), 77, np.uint8)
    for name in ("autocontrast", "equalize"):
        np.testing.assert_array_equal(changed(even, **{name: True}), even)


def test_blur_is_a_gaussian_of_a_share_of_the_side() -> None:
    image = np.zeros((1, 21, 41, 1), np.uint8)
    image[0, 10, 20] = 255
    blurred = changed(image, blur=0.1)[0, 10, :, 0].astype(float)
    sigma = 2.1
    expected = 255 / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((np.arange(41) - 20) / sigma) ** 2)
    np.testing.assert_allclose(blurred, expected, atol=1)


def test_noise_has_its_standard_deviation_and_differs_between_images() -> None:
    numbers = {"noise": np.array([0.1, 0.1]), "noise_start": np.array([5, 2**31 - 1])}
    noisy = retouch(np.full((2, 64, 64, 3), 128, np.uint8), numbers).astype(float)
    assert noisy.std() == pytest.approx(25.5, rel=0.02)
    assert abs(np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]) < 0.05


def test_an_image_larger_than_the_table_of_noise_is_covered() -> None:
    noisy = changed(np.full((1, 400, 400, 3), 128, np.uint8), noise=0.1, noise_start=3)
    assert noisy[0, -50:].std() == pytest.approx(25.5, rel=0.05)


def test_trivial_changes_one_thing_per_image_and_reaches_its_full_strength() -> None:
    columns = draw_trivial(np.random.default_rng(0), 1.0, 9000)
    neutral = {"bits": 8, "threshold": 256, "brightness": 1, "saturation": 1, "contrast": 1, "sharpness": 1}
    is_changed = np.stack([values != neutral.get(name, 0) for name, values in columns.items()])
    assert is_changed.sum(axis=0).max() == 1
    # Level 0, one in LEVELS, is none, except where an operation has no strength or inverts white.
    assert is_changed.any(axis=0).mean() == pytest.approx(13 / 14 - 10 / 14 / LEVELS, abs=0.02)
    ends = {name: (values.min(), values.max()) for name, values in columns.items()}
    assert ends["angle"] == (-135, 135)
    assert ends["bits"] == (2, 8)
    assert ends["threshold"] == (0, 256)
    np.testing.assert_allclose(ends["brightness"], (0.01, 1.99))
    np.testing.assert_allclose(ends["shear_x"], (-44.71, 44.71), atol=0.01)
    assert len(RANGES) == 14


def test_a_weaker_trivial_is_weaker() -> None:
    columns = draw_trivial(np.random.default_rng(0), 0.2, 3000)
    assert np.abs(columns["angle"]).max() == 27
    assert columns["bits"].min() == 7


def test_operations_add_up() -> None:
    both = draw_numbers(parse_augment("colour=0 brightness=0.5"), 400, (8, 8), np.random.default_rng(0))
    alone = draw_numbers(parse_augment("brightness=0.5"), 400, (8, 8), np.random.default_rng(1))
    for numbers in (both, alone):
        factor = numbers["colour"][:, 0].sum(axis=1)
        assert factor.min() == pytest.approx(0.5, abs=0.02)
        assert factor.max() == pytest.approx(1.5, abs=0.02)
