"""Word vectors: the nearest neighbours of a word, and a map of the frequent ones. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.canvas import add_title
from dlcli.visualize.fonts import font_for, sized_font, text_width
from dlcli.visualize.text_lines import printable

WIDTH_PX, HEIGHT_PX = 1500, 1100
MARGIN_PX = 50
SIZE_PX = 16
LONGEST_WORD = 14
MOST_WORDS = 2000
"""More would hide each other; the first ones, the most frequent of a vocabulary, are taken."""
DOT, INK = (120, 160, 200), (25, 25, 25)


def nearest_neighbours(vectors: np.ndarray, index: int, k: int) -> list[tuple[int, float]]:
    """Return the `k` rows nearest to a row by cosine similarity, the nearest first, of equal ones the first.

    Args:
        vectors: (V, D) finite numbers; the similarity to a row of zeros is 0.
        index: the row asked about, which is not among the answers.

    Returns:
        (row, cosine in [-1, 1]), `k` of them or V - 1.

    Raises:
        ValueError: there is no such row, or `k` is below 1.
    """
    if vectors.ndim != 2 or not 0 <= index < len(vectors) or k < 1:
        raise ValueError(f"{k} neighbours of row {index} in vectors of {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1)
    products = (vectors @ vectors[index]).astype(np.float64)
    scale = lengths.astype(np.float64) * lengths[index]
    cosines = np.divide(products, scale, out=np.zeros(len(vectors)), where=scale > 0).clip(-1, 1)
    order = np.argsort(-cosines, kind="stable")
    order = order[order != index][:k]
    return [(int(row), float(cosines[row])) for row in order]


def principal_plane(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the points of the vectors in the plane of their largest variance, (V, 2), and its part of the variance.

    The vectors are first brought to unit length, so that distances go with the cosine similarity. The signs are fixed:
    along each axis the point farthest out is positive.
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
    """Return a map of words by the two principal components of their vectors.

    Every word is a dot; a name is written beside it where there is room, so the first words, the most frequent, have
    theirs and no name covers another. Principal components and not t-SNE: distances on the map are true projections,
    it is the same each time, and it takes no second.

    Args:
        words: V names, the most frequent first; up to 2,000 are drawn.
        vectors: (V, D) finite numbers, a row a word.

    Raises:
        ValueError: there are not at least two words with one vector each, or a value is not finite.
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
    """Return the points as (x, y) in the picture, each axis from margin to margin."""
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    unit = np.divide(points - low, spread, out=np.full(points.shape, 0.5), where=spread > 0)
    unit[:, 1] = 1 - unit[:, 1]
    sides = np.array([WIDTH_PX, HEIGHT_PX]) - 2 * MARGIN_PX
    return np.asarray(MARGIN_PX + unit * sides)


def _draw_map(names: Sequence[str], places: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the map and how many names found room."""
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
        for left in (x + 6, x - 6 - width):  # at its right, else at its left
            box = (slice(y - SIZE_PX // 2 - 2, y + SIZE_PX // 2 + 3), slice(max(left - 2, 0), left + width + 2))
            if name and left >= 2 and left + width < WIDTH_PX - 2 and not is_taken[box].any():
                is_taken[box] = True
                draw.text((left, y), name, fill=INK, font=face, anchor="lm")
                num_named += 1
                break
    return np.asarray(canvas), num_named
