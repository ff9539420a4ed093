"""Pictures as arrays: pixels survive files, grids, captions and titles."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcli.visualize import canvas
from dlcli.visualize.canvas import (
    Grid,
    add_title,
    annotate,
    as_rgb,
    caption_size,
    colour_bar,
    encode_png,
    enlarge,
    equal_cells,
    letterbox,
    stack,
    tile,
    unit_to_uint8,
    write_png,
)
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


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 3), (5, 7, 1), (5, 7)])
def test_encoded_pictures_come_back_and_equal_ones_are_equal_bytes(shape: tuple[int, ...]) -> None:
    picture = noise(*shape)
    data = encode_png(picture)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data == encode_png(np.asfortranarray(picture.copy()))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), as_rgb(picture))


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0), (4, 4, 4), (4,), (2, 4, 4, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(str(shape if len(shape) != 2 else (*shape, 1)))):
        as_rgb(np.zeros(shape, np.uint8))


def test_grey_is_repeated_and_colour_is_left_alone() -> None:
    colour = noise(3, 4, 3)
    assert as_rgb(colour) is colour
    for grey in (noise(3, 4), noise(3, 4, 1)):
        assert all(np.array_equal(as_rgb(grey)[..., channel], grey.reshape(3, 4)) for channel in range(3))


@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    cell=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    caption=st.integers(0, 5),
    gap=st.integers(0, 4),
)
def test_cells_of_a_grid_never_overlap_and_the_gap_runs_around_the_whole(
    rows: int, columns: int, cell: tuple[int, int], caption: int, gap: int
) -> None:
    grid = Grid(rows, columns, *cell, caption, gap)
    used = np.zeros((grid.height, grid.width), int)
    for index in range(rows * columns):
        top, left = grid.corner(index)
        used[top : top + cell[0] + caption, left : left + cell[1]] += 1
    assert used.max() == 1
    assert used.sum() == rows * columns * (cell[0] + caption) * cell[1]
    border = np.ones_like(used, dtype=bool)
    border[gap : grid.height - gap, gap : grid.width - gap] = False
    assert not used[border].any()


@pytest.mark.parametrize(("width", "size"), [(1, 11), (121, 11), (154, 14), (198, 18), (2000, 18)])
def test_captions_are_legible_and_about_twenty_characters_fit(width: int, size: int) -> None:
    assert caption_size(width) == size


@pytest.mark.parametrize(("height", "width"), [(10, 20), (20, 10), (7, 7), (1, 100), (300, 40)])
def test_a_letterboxed_image_keeps_its_proportions_in_the_middle_of_a_square(height: int, width: int) -> None:
    square = letterbox(np.zeros((height, width, 3), np.uint8), 40)
    assert square.shape == (40, 40, 3)
    rows, columns = (np.flatnonzero((square == 0).all(axis=2).any(axis=axis)) for axis in (1, 0))
    factor = 40 / max(height, width)
    assert (len(rows), len(columns)) == (max(1, round(height * factor)), max(1, round(width * factor)))
    for places in (rows, columns):
        assert abs(places[0] - (39 - places[-1])) <= 1


def test_an_image_that_fits_its_square_is_untouched() -> None:
    image = noise(12, 12, 3)
    assert np.array_equal(letterbox(image, 12), image)
    assert np.array_equal(letterbox(image, 36), enlarge(image, 3))


def test_equal_images_are_left_alone_and_others_share_the_median_side() -> None:
    same = [noise(4, 6, 3), noise(4, 6, 3, seed=1)]
    assert all(cell is image for cell, image in zip(equal_cells(same), same, strict=True))
    mixed = equal_cells([noise(4, 6, 3), noise(10, 2, 3), noise(90, 90, 3)])
    assert {cell.shape for cell in mixed} == {(10, 10, 3)}


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_enlarging_repeats_every_pixel_and_nothing_else(factor: int) -> None:
    image = noise(3, 4, 3)
    assert np.array_equal(enlarge(image, factor)[::factor, ::factor], image)
    assert np.array_equal(enlarge(image, factor), np.kron(image, np.ones((factor, factor, 1), np.uint8)))


def test_a_fixed_scale_wins_over_every_bound() -> None:
    assert tile(noise(1, 900, 900, 1), scale=3, gap=0).shape == (2700, 2700, 3)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_a_grid_is_as_square_as_its_number_allows(count: int, columns: int) -> None:
    rows = -(-count // columns)
    assert tile(noise(count, 8, 8), scale=1, gap=0).shape == (8 * rows, 8 * columns, 3)


def test_a_line_break_in_one_caption_makes_room_under_every_image() -> None:
    images = noise(2, 64, 64, 3)
    heights = [tile(images, captions=captions, columns=2).shape[0] for captions in (["a", "b"], ["a\nc", "b"])]
    assert heights[1] - heights[0] == line_height(caption_size(64))


def test_unit_values_are_rounded_and_clipped() -> None:
    values = np.array([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 7.0])
    assert unit_to_uint8(values).tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_a_colour_bar_runs_through_its_palette_between_its_texts() -> None:
    palette = np.stack([np.arange(256), np.zeros(256), np.full(256, 9)], axis=1).astype(np.uint8)
    bar = colour_bar(palette, "low", "high", width_px=256)
    middle = bar[bar.shape[0] // 2]
    place = np.flatnonzero(middle[:, 2] == 9)
    assert np.array_equal(middle[place], palette)
    assert (np.diff(place) == 1).all()
    for side in (bar[:, : place[0]], bar[:, place[-1] + 1 :]):
        assert (side < 128).any()


@pytest.mark.parametrize("is_row", [False, True])
def test_a_stack_of_one_is_that_picture_and_a_gap_stands_only_between(is_row: bool) -> None:
    picture = noise(4, 5, 3)
    assert np.array_equal(stack([picture], is_row=is_row), picture)
    three = stack([picture] * 3, gap=2, background=7, is_row=is_row)
    assert three.shape == ((4, 3 * 5 + 4, 3) if is_row else (3 * 4 + 4, 5, 3))
    assert (three == 7).all(axis=2).sum() >= 2 * 2 * (4 if is_row else 5)


def test_a_title_widens_a_narrow_picture_up_to_its_bound() -> None:
    picture = noise(10, 20, 3)
    assert add_title(picture, ["a"]).shape[1] < add_title(picture, ["a longer title"]).shape[1]
    assert add_title(picture, ["W" * 500]).shape[1] == 900
    assert add_title(noise(10, 1200, 3), ["W" * 500]).shape[1] == 1200
