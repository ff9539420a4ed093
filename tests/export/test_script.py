"""Scripts are joined from modules of this package into one file that needs none of it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlcli.core.builtin import TASKS
from dlcli.core.installing import FROM_SOURCE
from dlcli.data.annotated.fitting import fit_image, fit_size
from dlcli.data.annotated.masks import from_pixels
from dlcli.data.images.decoding import read_image, resize_image
from dlcli.data.images.operations.geometry import MIDDLE, windows
from dlcli.data.images.preprocess import Preprocess
from dlcli.export.script import MARK, is_own, script_text
from dlcli.export.scripts import canvas, pixels
from dlcli.tasks.classification.script import fit
from dlcli.tasks.segmentation.script_answer import run_lengths
from dlcli.tasks.style.preprocess import on_canvas as mirrored

SIDES = st.integers(1, 90)
ALLOWED = {"numpy", "onnxruntime", "PIL"}


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["script", "short_script"])
@pytest.mark.parametrize("name", TASKS)
def test_a_script_is_one_file_that_imports_three_packages_at_most(name: str, kind: str) -> None:
    tree = ast.parse(script_text(getattr(TASKS[name], kind)))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported - set(sys.stdlib_module_names) <= ALLOWED
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(defined) == len(set(defined))
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("name", [name for name, spec in TASKS.items() if spec.short_script])
def test_the_script_of_a_file_that_fits_images_is_shorter_and_scales_nothing(name: str) -> None:
    own, short = script_text(TASKS[name].script), script_text(TASKS[name].short_script)
    assert len(short.splitlines()) < 0.6 * len(own.splitlines())
    assert "def interpolate" in own and "def interpolate" not in short


@pytest.mark.parametrize("name", [name for name, spec in TASKS.items() if not spec.script])
def test_a_task_without_a_script_of_its_own_calls_dl(name: str) -> None:
    text = script_text(TASKS[name].script)
    assert text.splitlines()[0].endswith("Needs: dl")
    assert text.count(FROM_SOURCE) == 2  # at its head, and where dl is missing


def test_only_what_an_export_wrote_is_known_as_its_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(script_text(""), encoding="utf-8")
    (tmp_path / "mine.py").write_text("print(1)\n", encoding="utf-8")
    assert [is_own(tmp_path / name) for name in ("own.py", "mine.py", "none.py")] == [True, False, False]
    assert MARK in (tmp_path / "own.py").read_text(encoding="utf-8").splitlines()[0]


@given(SIDES, SIDES, SIDES, SIDES)
def test_interpolation_rounds_as_opencv_does(height: int, width: int, new_height: int, new_width: int) -> None:
    image = noise(height, width)
    expected = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    if (2 * new_height, 2 * new_width) != (height, width):  # OpenCV averages areas there
        assert np.array_equal(pixels.interpolate(image, new_height, new_width), expected)


@given(SIDES, SIDES)
def test_halving_rounds_as_opencv_does(height: int, width: int) -> None:
    image = noise(2 * height, 2 * width)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    assert np.array_equal(pixels.shrink(image, height, width), expected)


def shares(old: int, new: int) -> np.ndarray:
    """Return the share of each of `old` pixels in each of `new`, in whole numbers that add up to `old`, (new, old)."""
    edges, starts = np.arange(new)[:, None] * old, np.arange(old) * new
    return (np.minimum(edges + old, starts + new) - np.maximum(edges, starts)).clip(0)


def mean_over_areas(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return H W times the mean over the area of each pixel of an H x W image that shrinks: whole numbers."""
    rows = np.tensordot(shares(image.shape[0], height), image.astype(np.int64), 1)
    return np.einsum("wx,hxc->hwc", shares(image.shape[1], width), rows)


def check_roundings(found: np.ndarray, expected: np.ndarray, total: np.ndarray, size: tuple[int, ...]) -> None:
    """Check that both images are right roundings of total / (H W), so that they differ where it is a tie alone.

    Ours is computed in float64, whose error is far below 1 / (2 H W), the least distance from a tie of what is none.
    OpenCV's sums are of float32: H and W terms in each direction, each off by at most a unit in the last place.
    """
    area, error = size[0] * size[1], 255 * (size[0] + size[1] + 4) * 2.0**-24
    assert np.abs(2 * (found * area - total)).max() <= area  # in whole numbers: no tolerance
    assert np.abs(expected - total / area).max() <= 0.5 + error
    differs = found != expected
    assert np.array_equal(np.abs(found - expected)[differs], np.ones(differs.sum()))
    assert np.abs(total[differs] / area % 1 - 0.5).max(initial=0) <= error


@given(SIDES, st.integers(1, 60), st.sampled_from([1, 3]))
@example(64, 48, 3)  # one value in 9 is a tie
@example(90, 60, 1)
def test_the_mean_over_areas_is_opencvs_but_for_ties(side: int, new: int, channels: int) -> None:
    image = noise(side, side, channels)
    expected = resize_image(image, new)
    if side > new:
        found = pixels.shrink(image, new, new)
        check_roundings(found.astype(int), expected.astype(int), mean_over_areas(image, new, new), (side, side))
    else:
        assert np.array_equal(pixels.interpolate(image, new, new), expected)


def test_one_level_too_many_is_no_rounding() -> None:
    image = noise(64, 64)
    found, total = pixels.shrink(image, 48, 48).astype(int), mean_over_areas(image, 48, 48)
    is_tie = total * 2 % (2 * 64**2) == 64**2
    assert is_tie.mean() == pytest.approx(1 / 9, abs=0.01)  # 4/9 of 1/16, 4/9 of 1/8, 1/9 of 1/4
    wrong = np.where(is_tie, found, found + 1)
    for pair in ((wrong, found), (found, wrong)):
        with pytest.raises(AssertionError):
            check_roundings(*pair, total, (64, 64))


@given(SIDES, SIDES, st.sampled_from([(16, 16), (24, 16), (16, 40)]))
def test_an_image_is_fitted_as_by_the_run(height: int, width: int, size: tuple[int, int]) -> None:
    image = noise(height, width)
    expected = Preprocess(3, *size, (0.5,) * 3, (0.5,) * 3).fit(image)
    found = fit(image, *size)
    assert found.shape == expected.shape
    left, top, columns, rows = windows(MIDDLE, (height, width), size)[0].astype(int)
    if rows <= size[0] and columns <= size[1]:
        assert np.array_equal(found, expected)
        return
    window = image[top : top + rows, left : left + columns]
    check_roundings(found.astype(int), expected.astype(int), mean_over_areas(window, *size), window.shape)


@given(st.integers(8, 300), st.integers(8, 300), st.sampled_from([None, (64, 96)]))
def test_the_canvas_is_that_of_the_run(height: int, width: int, size: tuple[int, int] | None) -> None:
    image = noise(height, width)
    expected = fit_size((height, width), 96, size)
    found, inner = canvas.on_canvas(image, {"side": 96, "canvas": size})
    assert inner == expected.inner
    assert np.array_equal(found, fit_image(image, expected))


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_run_lengths_are_those_of_coco(height: int, width: int, share: float) -> None:
    mask = np.random.default_rng(height * width).random((height, width)) < share
    assert run_lengths(mask) == from_pixels(mask)["counts"]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_are_decoded_as_by_the_run(name: str, channels: int, tmp_path: Path) -> None:
    from PIL import Image

    grey = noise(20, 31, 1)[..., 0]
    Image.fromarray(grey if channels == 1 else noise(20, 31)).save(tmp_path / name)
    assert np.array_equal(pixels.read_image(str(tmp_path / name), channels), read_image(tmp_path / name, channels))


def test_mirrored_edges_are_those_of_the_run() -> None:
    image = noise(33, 61)
    missing = [-(-max(side, 32) // 4) * 4 - side for side in image.shape[:2]]
    padded = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    assert np.array_equal(padded, mirrored(image, 4))
