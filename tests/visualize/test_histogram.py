from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from dlcli.visualize import histogram
from dlcli.visualize.filters import luma
from dlcli.visualize.histogram import LEVELS, counts, draw_histograms, equalise, levels_table

DARK = (np.random.default_rng(0).beta(1.5, 6, (40, 50, 3)) * 255).astype(np.uint8)


def equalised_by_hand(grey: np.ndarray) -> np.ndarray:
    """Return Gonzalez and Woods' mapping, with the darkest level at 0."""
    below = np.bincount(grey.ravel(), minlength=LEVELS).cumsum()
    first = below[grey.min()]
    return np.rint((below[grey] - first) / (grey.size - first) * 255).astype(np.uint8)


def test_equalised_images_are_those_of_the_formula() -> None:
    versions = equalise(DARK)
    np.testing.assert_array_equal(versions["grey"], luma(DARK))
    np.testing.assert_array_equal(versions["grey equalised"], equalised_by_hand(luma(DARK)))
    for channel in range(3):
        expected = equalised_by_hand(DARK[:, :, channel])
        np.testing.assert_array_equal(versions["each channel equalised"][:, :, channel], expected)


def test_equalising_keeps_the_order_of_levels_and_makes_their_counts_rise_evenly() -> None:
    versions = equalise(DARK)
    before, after = versions["grey"].ravel().astype(int), versions["grey equalised"].ravel().astype(int)
    order = np.argsort(before, kind="stable")
    assert (np.diff(after[order]) >= 0).all()
    share_below = counts(versions["grey equalised"])["grey"].cumsum() / before.size
    even = (np.arange(LEVELS) + 1) / LEVELS
    largest_level = np.bincount(before).max() / before.size
    assert np.abs(share_below - even).max() <= largest_level + 1 / LEVELS
    assert np.abs(counts(versions["grey"])["grey"].cumsum() / before.size - even).max() > 0.3


def test_equalising_y_keeps_the_differences_of_colour() -> None:
    middle = np.clip(DARK, 20, 90)
    shifted = equalise(middle)["Y equalised"].astype(int)
    unclipped = ((shifted > 0) & (shifted < 255)).all(axis=2)
    before = middle[:, :, 0].astype(int) - middle[:, :, 2]
    after = shifted[:, :, 0] - shifted[:, :, 2]
    assert unclipped.mean() > 0.4
    assert np.abs(before - after)[unclipped].max() <= 3  # U and V are rounded to whole numbers


def test_a_large_image_is_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = counts(DARK)
    monkeypatch.setattr(histogram, "PIXELS_OF_A_PART", 700)
    for name, found in counts(DARK).items():
        np.testing.assert_array_equal(found, whole[name])
        assert found.sum() == 40 * 50


def test_a_plain_image_stays_as_it_is() -> None:
    plain = np.full((3, 2, 3), 90, np.uint8)
    for version in equalise(plain).values():
        assert (version == 90).all()


def test_the_table_has_mean_deviation_and_number_of_levels() -> None:
    image = np.zeros((1, 4, 3), np.uint8)
    image[0, :, 0] = [0, 0, 100, 100]
    red, green, _ = levels_table({"colour": image}).entries
    assert red == {"image": "colour", "channel": "R", "mean": 50.0, "std": 50.0, "levels": 2}
    assert (green["mean"], green["std"], green["levels"]) == (0.0, 0.0, 1)


def test_each_histogram_holds_all_pixels_under_its_image(figures: list[Figure]) -> None:
    red = np.full((6, 4, 3), (255, 0, 0), np.uint8)
    draw_histograms(equalise(red), title="红")
    [figure] = figures
    above, below = figure.axes[:5], figure.axes[5:]
    assert [axes.get_title() for axes in above] == list(equalise(red))
    assert tuple(above[0].images[0].get_array()[3, 3]) == (255, 0, 0)
    for axes, channels in zip(below, (3, 3, 3, 1, 1), strict=True):
        assert len(axes.patches) == channels
        assert all(np.isclose(patch.get_data().values.sum(), 100) for patch in axes.patches)
