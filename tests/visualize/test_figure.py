"""Figures of matplotlib without pyplot: sizes, looks, and that nothing global changes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb as to_rgb_tuple

from dlcli.visualize.figure import COLOURS, count_axis, line_look, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for


def test_drawing_opens_no_pyplot_changes_no_settings_and_needs_no_torch() -> None:
    code = """
import sys, numpy as np, matplotlib
from dlcli.visualize import confusion, curves, scores, mistakes, grids, canvas
before = matplotlib.rcParams.copy()
confusion.draw_confusion(np.eye(2, dtype=int), ["a", "b"])
curves.draw_curves([{"epoch": 1, "loss": 1.0}], "run")
assert matplotlib.rcParams.copy() == before
assert not {"torch", "matplotlib.pyplot", "sklearn"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_drawings_does_not_import_matplotlib() -> None:
    modules = "canvas, confusion, curves, fonts, grids, mistakes, scores"
    code = f"import sys; from dlcli.visualize import {modules}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("size", [(300, 200), (1450, 1000), (157.0, 333.0)])
def test_a_figure_has_its_size_in_pixels(size: tuple[float, float]) -> None:
    picture = to_rgb(new_figure(*size))
    assert (picture.dtype, picture.shape) == (np.uint8, (int(size[1]), int(size[0]), 3))
    assert (picture == 255).all()


def test_a_picture_does_not_change_when_its_figure_is_drawn_again() -> None:
    figure = new_figure(60, 40)
    first = to_rgb(figure)
    figure.set_facecolor("black")
    second = to_rgb(figure)
    assert (first == 255).all()
    assert (second == 0).all()


def test_twenty_four_looks_differ_and_then_begin_again() -> None:
    looks = [tuple(line_look(index).items()) for index in range(25)]
    assert len(set(looks[:24])) == 24
    assert looks[24] == looks[0]


def test_no_curve_has_the_colour_of_the_average_or_of_the_paper() -> None:
    luminances = [np.array(to_rgb_tuple(colour)) @ (0.2126, 0.7152, 0.0722) for colour in COLOURS]
    assert all(0.05 < luminance < 0.8 for luminance in luminances)
    assert len(set(COLOURS)) == len(COLOURS)


def test_a_dollar_in_a_name_is_a_dollar() -> None:
    axes = new_figure(200, 200).subplots()
    texts = [axes.text(0, 0, "$x$ and $y$"), axes.title]
    set_texts(texts, font_for(["$x$"]), 9)
    assert [(text.get_parse_math(), text.get_fontsize()) for text in texts] == [(False, 9), (False, 9)]
    assert texts[0].get_fontproperties().get_file() == str(font_for(["$x$"]).path)


def test_plain_axes_have_a_grid_under_the_data_and_two_sides() -> None:
    axes = new_figure(200, 200).subplots()
    plain_axes(axes)
    assert {name for name, spine in axes.spines.items() if spine.get_visible()} == {"left", "bottom"}
    assert axes.get_axisbelow() is True
    assert all(line.get_visible() for line in axes.get_xgridlines())


def test_a_counting_axis_has_whole_numbers_alone() -> None:
    for last in (1, 2, 3, 7, 40, 1000):
        figure = new_figure(400, 300)
        axes = figure.subplots()
        axes.plot(range(last + 1), range(last + 1))
        count_axis(axes, "epoch")
        to_rgb(figure)
        ticks = axes.get_xticks()
        assert axes.get_xlabel() == "epoch"
        assert all(float(tick).is_integer() for tick in ticks) and len(set(ticks)) == len(ticks) >= 2
