"""Word vectors: the nearest neighbours of a word, and a map of the most frequent words. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.console import shorten
from dlcli.data.neighbours import nearest_rows
from dlcli.visualize.canvas import add_title
from dlcli.visualize.fonts import font_for, sized_font, text_width
from dlcli.visualize.text_lines import printable

WIDTH_PX, HEIGHT_PX = 1500, 1100
MARGIN_PX = 50
SIZE_PX = 16
LONGEST_WORD = 14
MOST_WORDS = 2000
"""More would hide each other; only the first, the most frequent of a vocabulary, are drawn."""
DOT, INK = (120, 160, 200), (25, 25, 25)


def nearest_neighbours(vectors: np.ndarray, index: int, k: int) -> list[tuple[int, float]]:
    """Return the `k` nearest rows to a row by cosine similarity, nearest first; ties are in row order.

    Args:
        vectors: (V, D) float, finite; the similarity to a row of zeros is 0.
        index: the query row, which is excluded from the result.
        k: the number of neighbours.

    Returns:
        min(k, V - 1) pairs of (row, cosine in [-1, 1]).

    Raises:
        ValueError: there is no such row, or `k` is below 1.
    """
    if vectors.ndim != 2 or not 0 <= index < len(vectors) or k < 1:
        raise ValueError(f"{k} neighbours of row {index} in vectors of {vectors.shape}")
    found = nearest_rows(vectors, vectors[index : index + 1], k, exclude=np.array([index]))
    return list(zip(found.rows[0].tolist(), found.values[0].tolist(), strict=True))


def principal_plane(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the vectors projected onto their first two principal components, and the fraction of variance explained.

    The vectors are first normalised to unit length, so that distances follow the cosine similarity. The signs are
    fixed: along each axis, the point farthest from 0 is positive.

    Args:
        vectors: (V, D) float, finite.

    Returns:
        (V, 2) float64 points, and a fraction in [0, 1].
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros(vectors.shape, np.float64), where=lengths > 0)
    units = units - units.mean(axis=0)
    left, spreads, _ = np.linalg.svd(units, full_matrices=False)
    points = np.zeros((len(vectors), 2))
    points[:, : min(2, len(spreads))] = left[:, :2] * spreads[:2]
    farthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    points *= np.where(farthest < 0, -1, 1)
    total = float((spreads**2).sum())
    return points, float((spreads[:2] ** 2).sum()) / total if total else 0.0


def draw_embeddings(words: Sequence[str], vectors: np.ndarray, *, title: str) -> np.ndarray:
    """Return a map of words by the first two principal components of their vectors.

    Every word is a dot; its name is written beside it where there is room, the most frequent words first, so that no
    name covers another. Principal components rather than t-SNE: distances on the map are true projections, the map
    is reproducible, and it takes less than a second.

    Args:
        words: V names, the most frequent first; at most 2,000 are drawn.
        vectors: (V, D) float, finite, one row per word.
        title: the first line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are fewer than two words, not exactly one vector per word, or a value is not finite.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or len(words) != len(vectors) or len(words) < 2:
        raise ValueError(f"vectors {vectors.shape} for {len(words)} words")
    if not np.isfinite(vectors).all():
        raise ValueError("a word vector is not finite")
    names = [shorten(printable(word[:100]), LONGEST_WORD) for word in words[:MOST_WORDS]]
    points, share = principal_plane(vectors[:MOST_WORDS])
    picture, num_named = _draw_map(names, _to_pixels(points))
    told = f"the two principal components, {share:.0%} of the variance"
    return add_title(picture, [printable(title), f"{len(names):,} words, {num_named:,} of them named; {told}"])


def _to_pixels(points: np.ndarray) -> np.ndarray:
    """Return the points as (V, 2) pixel positions (x, y), each axis scaled to span the picture between its margins."""
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    unit = np.divide(points - low, spread, out=np.full(points.shape, 0.5), where=spread > 0)
    unit[:, 1] = 1 - unit[:, 1]
    sides = np.array([WIDTH_PX, HEIGHT_PX]) - 2 * MARGIN_PX
    return np.asarray(MARGIN_PX + unit * sides)


def _draw_map(names: Sequence[str], places: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the map and the number of words that are named on it."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, WIDTH_PX - 1, HEIGHT_PX - 1), outline=(205, 205, 205))
    for x, y in places:
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=DOT)
    face = sized_font(font_for(names).path, SIZE_PX)
    is_taken = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=bool)
    num_named = 0
    for name, (x, y) in zip(names, places.round().astype(int).tolist(), strict=True):
        width = text_width(name, face)
        for left in (x + 6, x - 6 - width):  # to its right, else to its left
            box = (slice(y - SIZE_PX // 2 - 2, y + SIZE_PX // 2 + 3), slice(max(left - 2, 0), left + width + 2))
            if name and left >= 2 and left + width < WIDTH_PX - 2 and not is_taken[box].any():
                is_taken[box] = True
                draw.text((left, y), name, fill=INK, font=face, anchor="lm")
                num_named += 1
                break
    return np.asarray(canvas), num_named
