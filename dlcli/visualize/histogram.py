"""Histograms of an image before and after equalisation, as a picture and as a table. Torch-free.

An equalised image uses all grey levels about equally: level v becomes 255 (c(v) - c0) / (n - c0), rounded, where c(v)
counts the pixels of at most v, c0 those of the darkest level that occurs, and n all. Source: Gonzalez & Woods, "Digital
Image Processing", section 3.3; the form with c0 is OpenCV's `equalizeHist`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np

from dlcli.core.table import Table, table_of_entries
from dlcli.visualize.canvas import letterbox
from dlcli.visualize.figure import new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.filters import luma
from dlcli.visualize.fonts import font_for
from dlcli.visualize.text_lines import printable

LEVELS = 256
LEVELS_OF_A_BAR = 4
"""An equalised image leaves out levels, so that bars of single levels would be a comb."""
PIXELS_OF_A_PART = 1 << 22
MAX_SHOWN_PX = 600
CHANNELS = {"R": "#D62728", "G": "#2CA02C", "B": "#1F77B4"}
GREY = "#555555"


def equalise(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the image and its equalised versions by name.

    Each channel alone changes the colours; Y alone, of YUV, changes the brightness and keeps them, but for what is
    clipped.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        `colour`, `each channel equalised` and `Y equalised`, (H, W, 3); `grey` and `grey equalised`, (H, W).
    """
    grey = luma(image)
    y, u, v = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YUV))
    return {
        "colour": image,
        "each channel equalised": cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(image)]),
        "Y equalised": cv2.cvtColor(cv2.merge([cv2.equalizeHist(y), u, v]), cv2.COLOR_YUV2RGB),
        "grey": grey,
        "grey equalised": cv2.equalizeHist(grey),
    }


def counts(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the (256,) number of pixels of each level, by channel: R, G and B, or grey for (H, W)."""
    channels = {"grey": image} if image.ndim == 2 else dict(zip(CHANNELS, np.moveaxis(image, 2, 0), strict=True))
    return {name: _counts_of(channel) for name, channel in channels.items()}


def _counts_of(channel: np.ndarray) -> np.ndarray:
    """Return the counts of (H, W) uint8; in parts, since numpy converts what it counts to 8 bytes a pixel."""
    parts = np.array_split(channel, math.ceil(channel.size / PIXELS_OF_A_PART))
    total: np.ndarray = np.sum([np.bincount(part.ravel(), minlength=LEVELS) for part in parts], axis=0)
    return total


def levels_table(versions: Mapping[str, np.ndarray]) -> Table:
    """Return mean and standard deviation of the levels of each channel, and how many of the 256 occur."""
    entries = [
        {
            "image": name,
            "channel": channel,
            "mean": float(np.average(np.arange(LEVELS), weights=found)),
            "std": float(np.sqrt(np.cov(np.arange(LEVELS), fweights=found, ddof=0))),
            "levels": int((found > 0).sum()),
        }
        for name, version in versions.items()
        for channel, found in counts(version).items()
    ]
    return table_of_entries("levels", entries)


def draw_histograms(versions: Mapping[str, np.ndarray], *, title: str) -> np.ndarray:
    """Return a picture of each version above its histogram, (height, width, 3) uint8 RGB.

    Args:
        versions: name -> (H, W, 3) RGB or (H, W) grey, uint8.
        title: a line above.
    """
    figure = new_figure(400 * len(versions), 760)
    axes = figure.subplots(2, len(versions), squeeze=False)
    for above, below, (name, version) in zip(*axes, versions.items(), strict=True):
        side = min(max(version.shape[:2]), MAX_SHOWN_PX)
        shown = version if version.ndim == 3 else np.repeat(version[:, :, None], 3, axis=2)
        above.imshow(letterbox(np.ascontiguousarray(shown), side), interpolation="nearest")
        above.axis("off")
        above.set_title(name, fontsize=9)
        plain_axes(below)
        shares = {
            channel: found.reshape(-1, LEVELS_OF_A_BAR).sum(axis=1) / found.sum() * 100
            for channel, found in counts(version).items()
        }
        for channel, values in shares.items():
            below.stairs(
                values,
                np.arange(0, LEVELS + 1, LEVELS_OF_A_BAR),
                color=CHANNELS.get(channel, GREY),
                linewidth=1.0,
                fill=channel not in CHANNELS,
                label=channel,
            )
        below.set_xlim(0, LEVELS)
        # A few levels may hold most pixels (a white border); they are cut off, so that the others can be seen.
        tallest = max(float(np.quantile(values[values > 0], 0.98)) for values in shares.values())
        below.set_ylim(0, max(tallest * 1.3, 0.1))
        below.set_xlabel("level", fontsize=8)
        below.tick_params(labelsize=7)
        below.legend(frameon=False, fontsize=7, loc="upper right")
    axes[1, 0].set_ylabel("per cent of the pixels", fontsize=8)
    heading = figure.suptitle(printable(title))
    set_texts([heading], font_for([title]), 11)
    return to_rgb(figure)
