"""Curves of several runs: one panel a figure, one colour a run."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.overlay import draw_overlay

RECORDS = [{"epoch": epoch, "loss": 1 / epoch, "accuracy": epoch / 3, "lr": 0.1} for epoch in (1, 2, 3)]


def colours(picture):
    return {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0)}


def test_each_run_has_its_colour_and_a_figure_of_one_run_alone_no_panel():
    other = [{"epoch": record["epoch"], "loss": 2.0, "mine": 1.0} for record in RECORDS]
    picture = draw_overlay({"a": RECORDS, "b $x$": other})
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0)} <= colours(picture)
    assert picture.shape == (550, 640, 3)  # the loss alone


def test_runs_without_a_common_figure_are_refused():
    with pytest.raises(ValueError, match="in common"):
        draw_overlay({"a": [{"epoch": 1, "x": 1.0}], "b": [{"epoch": 1, "y": 1.0}]})
