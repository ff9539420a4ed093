"""Pictures as arrays: pixels survive files, grids, captions and titles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcli.visualize import canvas
from dlcli.visualize.canvas import Grid, add_title, annotate, as_rgb, caption_size, enlarge, stack, tile, write_png
from dlcli.visualize.fonts import line_height


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_png_holds_red_as_red(tmp_path: Path) -> None:
    picture = noise(5, 7, 3)
    path = tmp_path / "新 文件夹" / "猫 1.png"
    write_png(path, picture)
    assert np.array_equal(np.asarray(Image.open(path).convert("RGB")), picture)
    assert [entry.name for entry in path.parent.iterdir()] == ["猫 1.png"]


def test_grey_png_reads_back_grey(tmp_path: Path) -> None:
    write_png(tmp_path / "grey.png", noise(4, 6))
    read = np.asarray(Image.open(tmp_path / "grey.png").convert("RGB"))
    assert np.array_equal(read, np.repeat(noise(4, 6)[:, :, None], 3, axis=2))


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.png"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dlcli.core.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_png(path, noise(2, 2, 3))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 12),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    columns=st.one_of(st.none(), st.integers(1, 5)),
    scale=st.integers(1, 4),
    gap=st.integers(0, 3),
    has_captions=st.booleans(),
)
def test_every_cell_holds_its_image(
    count: int, height: int, width: int, channels: int, columns: int | None, scale: int, gap: int, has_captions: bool
) -> None:
    images = noise(count, height, width, channels)
    captions = [f"caption {index}" for index in range(count)] if has_captions else None
    picture = tile(images, columns=columns, captions=captions, scale=scale, gap=gap)
    columns = columns or int(np.ceil(np.sqrt(count)))
    caption_height = line_height(caption_size(width * scale)) if has_captions else 0
    grid = Grid(-(-count // columns), columns, height * scale, width * scale, caption_height, gap)
    assert picture.shape == (grid.height, grid.width, 3)
    for index, image in enumerate(images):
        top, left = grid.corner(index)
        cell = picture[top : top + grid.cell_height, left : left + grid.cell_width]
        assert np.array_equal(cell, enlarge(as_rgb(image), scale))


def test_only_cells_and_captions_are_drawn_on() -> None:
    picture = tile(np.zeros((5, 8, 8, 3), np.uint8), columns=3, captions=["x"] * 5, scale=4, gap=3, background=200)
    grid = Grid(2, 3, 32, 32, line_height(caption_size(32)), 3)
    for index in range(5):
        top, left = grid.corner(index)
        picture[top : top + grid.cell_height + grid.caption_height, left : left + grid.cell_width] = 200
    assert (picture == 200).all()


def test_caption_has_ink_and_a_long_one_is_cut_within_its_cell() -> None:
    images = np.full((2, 64, 64, 3), 255, np.uint8)
    blank = tile(images, captions=["", ""], columns=2)
    short = tile(images, captions=["", "cat"], columns=2)
    long = tile(images, captions=["", "cat" * 40], columns=2)
    assert (short != blank).any()
    assert short.shape == long.shape
    assert np.array_equal(long[:, : 2 + 64], blank[:, : 2 + 64])


def test_small_images_are_enlarged_to_a_visible_size_and_many_stay_small_enough() -> None:
    assert tile(noise(1, 8, 8, 1)).shape[:2] == (68, 68)
    assert max(tile(noise(2048, 7, 7, 1)).shape) <= canvas.MAX_PICTURE_PX + 2
    assert max(tile(np.zeros((16, 900, 900, 1), np.uint8)).shape) <= canvas.MAX_PICTURE_PX + 2


def test_images_of_different_sizes_share_square_cells() -> None:
    picture = tile([np.full((20, 10, 3), 9, np.uint8), np.full((30, 30, 1), 7, np.uint8)], columns=2, scale=1, gap=0)
    assert picture.shape == (25, 50, 3)
    assert (picture[:, 25:] == 7).all()
    assert (picture[:, 8:16] == 9).all()
    assert (picture[:, :5] == 255).all()


def test_empty_and_uneven_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs an image"):
        tile([])
    with pytest.raises(ValueError, match="captions"):
        tile(noise(2, 4, 4, 3), captions=["one"])
    with pytest.raises(ValueError, match="uint8"):
        tile(np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="picture is"):
        tile(noise(1, 4, 4, 2))


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (40, 300, 3), (700, 50, 3), (600, 800, 3)])
def test_annotation_leaves_every_pixel_of_the_image(shape: tuple[int, int, int]) -> None:
    image = noise(*shape)
    plain = annotate(image, [])
    labelled = annotate(image, ["automobile 98.2%", "truck 1.0%"])
    left = (labelled.shape[1] - plain.shape[1]) // 2
    assert np.array_equal(labelled[: plain.shape[0], left : left + plain.shape[1]], plain)
    assert (labelled[plain.shape[0] :] < 128).any()
    assert min(plain.shape[:2]) >= 160 or 2 * max(plain.shape) > canvas.MAX_PICTURE_PX


def test_title_leaves_the_picture_unchanged() -> None:
    picture = noise(40, 50, 3)
    titled = add_title(picture, ["A title that is wider than the picture", "and a second line"])
    left = (titled.shape[1] - 50) // 2
    assert np.array_equal(titled[-40:, left : left + 50], picture)


def test_stacked_pictures_keep_their_pixels() -> None:
    tall, wide = noise(6, 2, 3), noise(2, 5, 3)
    both = stack([tall, wide], gap=1)
    assert both.shape == (9, 5, 3)
    assert np.array_equal(both[:6, 1:3], tall)
    assert np.array_equal(both[7:], wide)
    assert stack([tall, wide], gap=1, is_row=True).shape == (6, 8, 3)
