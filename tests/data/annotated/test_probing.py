"""Label maps as their files store them, and positions turned as Pillow turns pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from dlcli.core.errors import DataError
from dlcli.data.annotated.probing import read_indices, turned

VALUES = np.array([[0, 1, 2], [7, 200, 255]], np.uint8)


def test_a_palette_gives_its_indices_and_not_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(VALUES, "P")
    image.putpalette([255 - value // 3 for value in range(768)])
    image.save(tmp_path / "map.png")
    found = read_indices(tmp_path / "map.png")
    assert np.array_equal(found, VALUES) and found.dtype == np.uint8 and found.flags.c_contiguous


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (VALUES, VALUES),
        (VALUES.astype(np.uint16) * 2, np.minimum(VALUES.astype(int) * 2, 255)),  # instances are often 16 bits
        (VALUES > 1, VALUES > 1),
    ],
)
def test_grey_levels_are_values_up_to_255(pixels: np.ndarray, expected: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "map.png")
    assert read_indices(tmp_path / "map.png").tolist() == expected.astype(int).tolist()


def test_colours_are_no_indices_even_if_they_are_grey(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(VALUES[..., None], 3, axis=2)).save(tmp_path / "map.png")
    with pytest.raises(DataError, match=r"^its pixels are colours"):
        read_indices(tmp_path / "map.png")


@pytest.mark.parametrize("cut", [4, 30, 60])
def test_a_damaged_file_is_an_error_with_its_reason(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError) as caught:
        read_indices(path)
    assert caught.value.message and str(path) not in caught.value.message


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_points_turn_as_the_pixels_under_them(orientation: int) -> None:
    height, width = 4, 7
    numbers = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    stored = Image.fromarray(numbers)
    stored.getexif()[0x0112] = orientation
    seen = np.asarray(ImageOps.exif_transpose(stored))
    y, x = np.divmod(numbers.ravel(), width)
    points = turned(np.stack([x, y], axis=1) + 0.5, orientation, height, width) - 0.5
    columns, rows = points.astype(int).T
    assert seen[rows, columns].tolist() == numbers.ravel().tolist()


def test_corners_of_the_image_stay_its_corners() -> None:
    corners = np.array([[0.0, 0.0], [7.0, 4.0]])
    for orientation in (5, 6, 7, 8):
        found = turned(corners, orientation, 4, 7)
        assert (found.min(0).tolist(), found.max(0).tolist()) == ([0, 0], [4, 7])
