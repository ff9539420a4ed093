"""Tiles cover an image, and the answers to them are one answer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.core.errors import DataError
from dlcli.data.annotated import tiling
from dlcli.data.annotated.answers import ImageDetections
from dlcli.data.annotated.masks import from_pixels, to_pixels
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.annotated.tiling import cut_tiles, merge_tiles, windows_of

PREPROCESS = CanvasPreprocess(64, None, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))

WHOLE, LEFT, RIGHT = (0, 0, 180, 100), (0, 0, 100, 100), (80, 0, 180, 100)
"""An image of 180 x 100 pixels and two tiles of it."""


def found(*rows: tuple[float, ...], masks: tuple[dict, ...] | None = None) -> ImageDetections:
    """Return detections, each left, top, right, bottom, score and perhaps a label."""
    boxes = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    labels = np.array([row[5] if len(row) > 5 else 0 for row in rows], np.int64)
    return ImageDetections(boxes, np.array([row[4] for row in rows], np.float64), labels, masks)


@given(st.integers(1, 900), st.integers(1, 900), st.integers(32, 300), st.floats(0, 0.9))
def test_tiles_cover_the_image_and_overlap_as_much_as_was_wished(
    height: int, width: int, side: int, overlap: float
) -> None:
    windows = windows_of((height, width), side, overlap)
    assert {(right - left, bottom - top) for left, top, right, bottom in windows} == {
        (min(width, side), min(height, side))
    }
    for low, high, length in ((0, 2, width), (1, 3, height)):
        spans = sorted({(window[low], window[high]) for window in windows})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(end - start >= side * overlap - 1 for (_, end), (start, _) in itertools.pairwise(spans))


def test_an_image_as_large_as_a_tile_is_not_cut() -> None:
    assert cut_tiles(np.zeros((100, 80, 3), np.uint8), PREPROCESS, 100, 0.2) is None


def test_the_first_tile_is_the_whole_image_on_an_equal_canvas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 180, 3), np.uint8)
    tiled = cut_tiles(image, PREPROCESS, 100, 0.2)
    assert tiled is not None
    assert tiled.windows == (WHOLE, LEFT, RIGHT)
    assert tiled.images.shape == (3, 3, 64, 64)
    canvas, fit = PREPROCESS.fit(image[:, 80:])
    assert (tiled.images[2] == canvas.transpose(2, 0, 1)).all()
    assert tiled.fits[2] == fit
    assert tiled.fits[0].inner == (36, 64)


def test_too_many_tiles_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "MAX_BYTES", 64 * 64 * 3 * 2)
    with pytest.raises(DataError, match="3 tiles, too many"):
        cut_tiles(np.zeros((100, 180, 3), np.uint8), PREPROCESS, 100, 0.2)


def test_a_box_in_two_tiles_is_one_and_others_stay() -> None:
    parts = [
        found(),
        found((82, 10, 95, 30, 0.8), (10, 10, 30, 30, 0.5)),
        found((2, 10, 15, 30, 0.9), (2, 10, 15, 30, 0.4, 1), (50, 50, 60, 60, 0.7)),
    ]
    merged = merge_tiles(parts, (WHOLE, LEFT, RIGHT), 0.6)
    assert merged.scores.tolist() == [0.9, 0.7, 0.5, 0.4]
    assert merged.labels.tolist() == [0, 0, 0, 1]
    assert merged.boxes[:2].tolist() == [[82, 10, 95, 30], [130, 50, 140, 60]]


def test_a_piece_goes_where_another_tile_has_the_whole() -> None:
    piece, other_class = (90, 40, 100, 60, 0.9), (90, 40, 100, 60, 0.95, 1)
    whole = (10, 40, 30, 60, 0.6)  # 90 to 110 in the image
    merged = merge_tiles([found(), found(piece, other_class), found(whole)], (WHOLE, LEFT, RIGHT), 0.6)
    assert merged.boxes.tolist() == [[90, 40, 100, 60], [90, 40, 110, 60]]
    assert merged.labels.tolist() == [1, 0]
    alone = merge_tiles([found(), found(piece), found()], (WHOLE, LEFT, RIGHT), 0.6)
    assert alone.scores.tolist() == [0.9]


def test_the_image_as_a_whole_shows_what_is_larger_than_a_tile() -> None:
    parts = [found((20, 5, 160, 95, 0.5)), found((20, 5, 100, 95, 0.9)), found((0, 5, 80, 95, 0.9))]
    assert merge_tiles(parts, (WHOLE, LEFT, RIGHT), 0.6).boxes.tolist() == [[20, 5, 160, 95]]


def test_a_box_at_the_edge_of_the_image_is_not_cut() -> None:
    parts = [found((0, 0, 30, 100, 0.3)), found((0, 0, 20, 100, 0.9)), found()]
    assert merge_tiles(parts, (WHOLE, LEFT, RIGHT), 0.7).scores.tolist() == [0.9, 0.3]


def test_boxes_of_one_tile_do_not_suppress_each_other() -> None:
    parts = [found(), found((10, 10, 30, 30, 0.9), (10, 10, 30, 31, 0.8)), found()]
    assert len(merge_tiles(parts, (WHOLE, LEFT, RIGHT), 0.1).scores) == 2


def test_masks_are_moved_with_their_boxes() -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[20:30, 40:50] = 1
    parts = [found(masks=()), found(masks=()), found((40, 20, 50, 30, 0.9), masks=(from_pixels(pixels),))]
    merged = merge_tiles(parts, (WHOLE, LEFT, RIGHT), 0.6)
    assert merged.masks is not None
    expected = np.zeros((100, 180), np.uint8)
    expected[20:30, 120:130] = 1
    assert (to_pixels(merged.masks[0], 100, 180) == expected).all()
