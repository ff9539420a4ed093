"""The worst mistakes of a text evaluation, as a table and as a picture. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.visualize.canvas import add_title, stack
from dlcli.visualize.fonts import Font, font_for, line_height, sized_font
from dlcli.visualize.mistakes import percent
from dlcli.visualize.text_lines import printable, wrap

WIDTH_PX = 1000
MARGIN_PX = 14
TEXT_PX = 19
HEADING_PX = 15
MOST_LINES = 4
"""Lines per text in the picture, about 200 Chinese characters."""
EMPTY = "(no text)"
MOST_DRAWN = 20
"""More would be too tall for a screen; the table has all of them."""


def mistakes_table(
    worst: Sequence[Mapping[str, Any]], texts: Sequence[str], labels: Sequence[str]
) -> list[dict[str, str | float]]:
    """Return one row per mistake: `text` as one line, `label` and `predicted` by name, `confidence` in [0, 1].

    Args:
        worst: `label`, `predicted` and `confidence` of each, as in `ClassificationMetric.worst`.
        texts: the text of each mistake.
        labels: the class names.

    Raises:
        ValueError: there is not exactly one text per mistake.
    """
    if len(texts) != len(worst):
        raise ValueError(f"{len(texts)} texts for {len(worst)} mistakes")
    return [
        {
            "label": labels[mistake["label"]],
            "predicted": labels[mistake["predicted"]],
            "confidence": float(mistake["confidence"]),
            "text": printable(text),
        }
        for mistake, text in zip(worst, texts, strict=True)
    ]


def draw_text_mistakes(
    worst: Sequence[Mapping[str, Any]], texts: Sequence[str], labels: Sequence[str], *, title: str | None = None
) -> np.ndarray:
    """Return a picture of misclassified texts: the true class, the predicted class and its probability, the text.

    Draws the first 20 mistakes, and the first 4 lines of each text.

    Args:
        worst, texts, labels: as in `mistakes_table`.
        title: replaces the heading.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no mistakes, or not exactly one text per mistake.
    """
    rows = mistakes_table(worst, texts, labels)[:MOST_DRAWN]
    if not rows:
        raise ValueError("no mistakes to draw")
    font = font_for(str(row[name]) for row in rows for name in ("text", "label", "predicted"))
    picture = stack([_draw_row(row, font) for row in rows], gap=0)
    heading = title or f"The {len(rows)} most confident mistakes"
    return add_title(picture, [heading, "true class → predicted class and its probability, then the text"])


def _draw_row(row: Mapping[str, str | float], font: Font) -> np.ndarray:
    from PIL import Image, ImageDraw

    face, small = sized_font(font.path, TEXT_PX), sized_font(font.path, HEADING_PX)
    lines = wrap(str(row["text"]) or EMPTY, face, WIDTH_PX - 2 * MARGIN_PX, MOST_LINES)
    top = MARGIN_PX // 2 + line_height(HEADING_PX)
    height = top + line_height(TEXT_PX) * len(lines) + MARGIN_PX // 2
    strip = Image.new("RGB", (WIDTH_PX, height), (255, 255, 255))
    draw = ImageDraw.Draw(strip)
    draw.line((MARGIN_PX, 0, WIDTH_PX - MARGIN_PX, 0), fill=(205, 205, 205))
    names = f"{printable(str(row['label']))} → {printable(str(row['predicted']))}  {percent(float(row['confidence']))}"
    [heading] = wrap(names, small, WIDTH_PX - 2 * MARGIN_PX, 1)
    draw.text((MARGIN_PX, MARGIN_PX // 2 + line_height(HEADING_PX) / 2), heading, (176, 70, 0), small, anchor="lm")
    for index, line in enumerate(lines):
        middle = top + line_height(TEXT_PX) * (index + 0.5)
        draw.text((MARGIN_PX, middle), line, (30, 30, 30), face, anchor="lm")
    return np.asarray(strip)
