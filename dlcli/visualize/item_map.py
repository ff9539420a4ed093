"""A map of items: their vectors in a plane, coloured by class or by the number to predict. Torch-free."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.core.console import shorten
from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for
from dlcli.visualize.text_lines import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "^", "s", "D")
MOST_CLASSES = len(COLOURS) * len(MARKERS)
"""Classes that a colour and a marker tell apart; further ones, the least frequent, are grey."""

GREY = "#b0b0b0"


def separating_plane(vectors: np.ndarray, labels: np.ndarray, shown: np.ndarray, num_classes: int) -> np.ndarray:
    """Return vectors projected onto the plane that separates the classes of others best.

    That is linear discriminant analysis (Fisher 1936), with covariances shrunk after Ledoit & Wolf 2004, since there
    may be more dimensions than vectors. Two classes have one such direction; the second is then the principal component
    of what is shown, across the first.

    Args:
        vectors: (M, D) float, finite: those from which the plane is learned.
        labels: (M,) class indices, of at least two classes.
        shown: (N, D) float, finite: those that are projected.
        num_classes: of all classes, for the error.

    Returns:
        (N, 2) float64 points.

    Raises:
        ValueError: all vectors are of one class.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    num_present = len(np.unique(labels))
    if num_present < 2:
        raise ValueError(f"{num_present} of {num_classes} classes")
    analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=min(2, num_present - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class of a single item has no covariance
        analysis.fit(vectors.astype(np.float64), labels)
    points = np.asarray(analysis.transform(shown.astype(np.float64)))
    if points.shape[1] == 1:
        direction = analysis.scalings_[:, :1] / np.linalg.norm(analysis.scalings_[:, 0])
        rest = shown - shown.mean(axis=0)
        rest = rest - (rest @ direction) @ direction.T
        across = np.linalg.svd(rest, full_matrices=False)[2][0]
        points = np.column_stack([points[:, 0], rest @ across])
    return points


def draw_classes(points: np.ndarray, labels: np.ndarray, class_names: Sequence[str], *, title: str) -> np.ndarray:
    """Return a map of items coloured by class, with a legend of the classes and their counts, the largest first.

    Args:
        points: (N, 2) float.
        labels: (N,) class indices.
        class_names: by class index.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    figure = new_figure(1500, 1050)
    axes = figure.subplots()
    counts = np.bincount(labels, minlength=len(class_names))
    order = [index for index in np.argsort(-counts, kind="stable").tolist() if counts[index]]
    named, others = order[:MOST_CLASSES], order[MOST_CLASSES:]
    size = _dot_size(len(points))
    if others:
        is_other = np.isin(labels, others)
        axes.scatter(
            points[is_other, 0], points[is_other, 1], s=size, c=GREY, linewidths=0, label=f"{len(others)} other classes"
        )
    for place, index in enumerate(named):
        axes.scatter(
            points[labels == index, 0],
            points[labels == index, 1],
            s=size,
            c=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place // len(COLOURS)],
            linewidths=0,
            alpha=0.75,
            label=f"{shorten(printable(class_names[index]), 24)} ({counts[index]:,})",
        )
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, alignment="left")
    for handle in legend.legend_handles:
        handle.set_sizes([40.0])  # type: ignore[union-attr]
    _finish(axes, title)
    set_texts(legend.get_texts(), font_for([class_names[index] for index in named]), 9)
    return to_rgb(figure)


def draw_numbers(
    points: np.ndarray, values: np.ndarray, ends: tuple[str, str], *, title: str, target: str = ""
) -> np.ndarray:
    """Return a map of items coloured by a number.

    Args:
        points: (N, 2) float.
        values: (N,) float.
        ends: the lowest and the highest value as text.
        title: a line above.
        target: what the numbers are.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    figure = new_figure(1500, 1050)
    axes = figure.subplots()
    dots = axes.scatter(points[:, 0], points[:, 1], s=_dot_size(len(points)), c=values, cmap="viridis", linewidths=0)
    low, high = float(values.min()), float(values.max())
    bar = figure.colorbar(dots, ax=axes, ticks=[low, high] if high > low else [low], shrink=0.6)
    bar.ax.set_yticklabels(ends if high > low else ends[:1])
    bar.set_label(printable(target))
    set_texts([bar.ax.yaxis.label, *bar.ax.get_yticklabels()], font_for([target]), 9)
    _finish(axes, title)
    return to_rgb(figure)


def _dot_size(count: int) -> float:
    """Return the area of a dot in square points: smaller among many, so that they do not hide each other."""
    return float(np.clip(30_000 / max(count, 1), 6, 45))


def _finish(axes: Axes, title: str) -> None:
    plain_axes(axes)
    axes.margins(0.03)
    no_numbers: dict[str, Any] = {"labelbottom": False, "labelleft": False, "length": 0}
    axes.tick_params(**no_numbers)  # an axis of a projection has no unit
    axes.set_title(printable(title))
    set_texts([axes.title], font_for([title]), 12)
