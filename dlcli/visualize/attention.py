"""A text's words in order, each coloured by its weight. Torch-free."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from dlcli.visualize.canvas import add_title, colour_bar, stack
from dlcli.visualize.fonts import Font, fit_text, font_for, line_height, sized_font, text_width
from dlcli.visualize.text_lines import printable

WIDTH_PX = 960
SIZE_PX = 21
PADDING_PX = 5
"""White space beside a word inside its cell."""
GAP_PX = 3
LONGEST_WORD_PX = 400
MOST_LINES = 40
"""About 1,000 Chinese words; the title counts the words after them and states their share of the weight."""

ANCHORS = ((255, 255, 255), (254, 232, 200), (253, 187, 132), (239, 101, 72), (179, 0, 0), (110, 0, 0))
"""From white to dark red, steadily darker, so that it reads in greyscale too (ColorBrewer's OrRd, Harrower and Brewer
2003, extended at both ends)."""


def draw_attention(tokens: Sequence[str], weights: np.ndarray, *, title: str, label: str) -> np.ndarray:
    """Return a picture of a text, each word on a background from white (no weight) to dark red (the largest weight).

    Args:
        tokens: T words; unprintable characters become spaces.
        weights: (T,) finite, at least 0; they need not sum to 1.
        title: the first line above the picture.
        label: the second line, such as the predicted class and its probability.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no words, not exactly one weight per word, or a weight is negative or not finite.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if not len(tokens) or weights.shape != (len(tokens),):
        raise ValueError(f"weights {weights.shape} for {len(tokens)} tokens")
    if not np.isfinite(weights).all() or weights.min() < 0:
        raise ValueError("weights are finite numbers from 0 on")
    words = [printable(token[:LONGEST_WORD_PX]) or "␣" for token in tokens]
    font = font_for(words)
    largest = float(weights.max())
    heats = np.round(weights / largest * 255).astype(int) if largest else np.zeros(len(words), int)
    lines = _break_lines(words, font)
    strips = [_draw_line(words, heats, line, font) for line in lines[:MOST_LINES]]
    picture = stack(strips, gap=GAP_PX)
    heading = [printable(title), printable(label)]
    num_drawn = lines[min(len(lines), MOST_LINES) - 1].stop
    if num_drawn < len(words):
        rest = weights[num_drawn:].sum() / weights.sum() if largest else 0.0
        heading.append(f"the first {num_drawn:,} of {len(words):,} words; {rest:.1%} of the weight lies after them")
    legend = colour_bar(_palette(), "weight 0", f"{largest:.3g}")
    return np.pad(
        stack([add_title(picture, heading), legend], gap=14), ((4, 10), (16, 16), (0, 0)), constant_values=255
    )


@functools.cache
def _palette() -> np.ndarray:
    """Return (256, 3) uint8 colours from no weight to the largest weight."""
    places = np.linspace(0, len(ANCHORS) - 1, 256)
    channels = zip(*ANCHORS, strict=True)
    return np.stack([np.interp(places, range(len(ANCHORS)), channel) for channel in channels], axis=1).astype(np.uint8)


def _break_lines(words: Sequence[str], font: Font) -> list[range]:
    """Return the indices of the words on each line."""
    lines, first, left = [], 0, 0
    for index, word in enumerate(words):
        width = _cell_width(word, font)
        if left and left + width > WIDTH_PX:
            lines.append(range(first, index))
            first, left = index, 0
        left += width + GAP_PX
    return [*lines, range(first, len(words))]


def _cell_width(word: str, font: Font) -> int:
    return min(text_width(word, sized_font(font.path, SIZE_PX)), LONGEST_WORD_PX) + 2 * PADDING_PX


def _draw_line(words: Sequence[str], heats: np.ndarray, line: range, font: Font) -> np.ndarray:
    from PIL import Image, ImageDraw

    height = line_height(SIZE_PX) + 6
    strip = Image.new("RGB", (WIDTH_PX, height), (255, 255, 255))
    draw = ImageDraw.Draw(strip)
    face = sized_font(font.path, SIZE_PX)
    left = 0
    for index in line:
        width = _cell_width(words[index], font)
        colour = _palette()[heats[index]]
        draw.rectangle((left, 0, left + width - 1, height - 1), fill=tuple(colour.tolist()), outline=(228, 228, 228))
        ink = (255, 255, 255) if colour @ (0.299, 0.587, 0.114) < 130 else (25, 25, 25)
        word = fit_text(words[index], face, width - 2 * PADDING_PX)
        draw.text((left + width / 2, height / 2), word, fill=ink, font=face, anchor="mm")
        left += width + GAP_PX
    return np.asarray(strip)
