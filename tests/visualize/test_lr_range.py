from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from dlcli.visualize.lr_range import draw_lr_range

RATES = np.geomspace(1e-6, 10, 50)
LOSSES = 2.3 - 2 / (1 + np.exp(-4 * (np.log10(RATES) + 2)))


@pytest.mark.parametrize("lost", [None, 3.0])
def test_the_picture_marks_the_chosen_rate_and_the_lost_one(monkeypatch, lost):
    marks = []
    axvline = Axes.axvline
    monkeypatch.setattr(Axes, "axvline", lambda self, x, **look: (marks.append(x), axvline(self, x, **look)))
    picture = draw_lr_range(RATES, LOSSES + 0.1, LOSSES, chosen=0.01, lost=lost)
    assert (picture.dtype, picture.shape) == (np.uint8, (640, 1000, 3))
    assert marks == [rate for rate in (0.01, lost) if rate is not None]
    assert len(np.unique(picture @ np.array([65536, 256, 1]))) > 10


def test_a_loss_that_exploded_does_not_press_the_rest_flat():
    calm = draw_lr_range(RATES, LOSSES, LOSSES, chosen=0.01)
    wild = LOSSES.copy()
    wild[-1] = 1e9
    exploded = draw_lr_range(RATES, wild, wild, chosen=0.01)
    assert (calm != exploded).mean() < 0.02


def test_axes_and_legend_say_what_is_drawn(figures):
    draw_lr_range(RATES, LOSSES + 0.1, LOSSES, chosen=0.01, lost=3.0)
    draw_lr_range(RATES, LOSSES + 0.1, LOSSES, chosen=0.01)
    (axes,), (without,) = (figure.axes for figure in figures)
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_title(loc="left")) == ("log", "learning rate", "loss")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:2] == ["each step", "smoothed"]
    assert [label.split()[-1] for label in labels[2:]] == ["0.01", "3"]
    assert [text.get_text() for text in without.get_legend().get_texts()] == labels[:3]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), LOSSES + 0.1)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), LOSSES)


def test_the_whole_fall_of_the_loss_is_in_the_picture(figures):
    draw_lr_range(RATES, LOSSES, LOSSES, chosen=0.01)
    low, high = figures[0].axes[0].get_ylim()
    assert low < LOSSES.min() < LOSSES[0] < high
