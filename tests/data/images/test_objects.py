"""Pixels in memory are what a file of them would be; what is none is refused with the way to mend it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError, UsageError
from dlcli.data.codec import Source
from dlcli.data.images import objects
from dlcli.data.images.decoding import decode_image
from dlcli.data.images.objects import pixels_of_array, pixels_of_pillow
from dlcli.data.images.sources import read_pixels

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (5, 4, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (5, 4), dtype=np.uint8)


def test_an_array_keeps_its_pixels_and_loses_its_alpha() -> None:
    assert (pixels_of_array(COLOUR) == COLOUR).all()
    assert (pixels_of_array(np.dstack([COLOUR, GREY])) == COLOUR).all()
    assert pixels_of_array(GREY).shape == pixels_of_array(GREY[:, :, None]).shape == (5, 4, 1)
    assert pixels_of_array(COLOUR[:, ::-1]).flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (COLOUR / 255, "float64"),
        (COLOUR.astype(np.int64), "int64"),
        (COLOUR > 9, "bool"),
        (np.zeros((3, 5, 7), np.uint8), "3x5x7"),
        (COLOUR[:0], "0x4x3"),
        (GREY[0], "array of 4 "),
    ],
)
def test_what_is_no_picture_is_refused_by_its_shape_or_type(array: np.ndarray, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        pixels_of_array(array)
    assert caught.value.hint


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_PIXELS", 20)
    with pytest.raises(UsageError, match="too many pixels"):
        pixels_of_array(COLOUR)
    found = pixels_of_pillow(Image.fromarray(COLOUR))
    assert isinstance(found, DataError)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "LA", "CMYK", "I;16"])
def test_a_picture_of_pillow_is_as_its_file(mode: str) -> None:
    image = Image.fromarray(GREY.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(COLOUR).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    pixels = pixels_of_pillow(image)
    assert isinstance(pixels, np.ndarray)
    expected = decode_image(buffer.getvalue(), channels=3)
    assert (read_pixels(Source("x", pixels), 3) == expected).all()


def test_a_picture_of_floats_has_no_range_and_a_turned_one_is_upright() -> None:
    assert isinstance(pixels_of_pillow(Image.fromarray(GREY.astype(np.float32))), DataError)
    image = Image.fromarray(COLOUR)
    image.getexif()[0x0112] = 6  # turned by a quarter
    pixels = pixels_of_pillow(image)
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (4, 5, 3)


def test_pixels_become_grey_or_colour_as_the_model_reads() -> None:
    grey, colour = pixels_of_array(GREY), pixels_of_array(COLOUR)
    assert (read_pixels(Source("x", grey), 3) == np.repeat(grey, 3, axis=2)).all()
    assert (read_pixels(Source("x", grey), 1) == grey).all()
    made = read_pixels(Source("x", colour), 1).astype(int)
    weighted = (COLOUR @ np.array([0.299, 0.587, 0.114]))[:, :, None]
    assert np.abs(made - weighted).max() <= 1
