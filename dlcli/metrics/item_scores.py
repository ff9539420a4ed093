"""What a metric says of each item, so that intervals and paired comparisons can resample items: numpy only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np


def _mean(sums: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(sums[..., 0] / count)


def _root_mean(sums: np.ndarray, count: int) -> np.ndarray:
    return np.sqrt(sums[..., 0] / count)


def _f1(sums: np.ndarray, count: int) -> np.ndarray:
    del count
    hits, predicted, true = sums[..., 0], sums[..., 1], sums[..., 2]
    return np.asarray(2 * hits / np.maximum(predicted + true, 1))


def _mean_iou(sums: np.ndarray, count: int) -> np.ndarray:
    """Return the mean IoU from hits, predicted and true pixels of each class, side by side."""
    del count
    hits, predicted, true = np.split(sums, 3, axis=-1)
    union = predicted + true - hits
    return np.asarray(np.nanmean(np.where(union > 0, hits / np.maximum(union, 1), np.nan), axis=-1))


def _bleu(sums: np.ndarray, count: int) -> np.ndarray:
    """Return corpus BLEU from the right and all n-grams of four orders, and the lengths of answers and references."""
    from sacrebleu.metrics.bleu import BLEU

    del count
    flat = np.rint(sums.reshape(-1, sums.shape[-1])).astype(int).tolist()
    scores = [
        BLEU.compute_bleu(row[:4], row[4:8], sys_len=row[8], ref_len=row[9], smooth_method="exp").score for row in flat
    ]
    return np.array(scores).reshape(sums.shape[:-1])


REDUCTIONS: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "mean": _mean,
    "root_mean": _root_mean,
    "f1": _f1,
    "mean_iou": _mean_iou,
    "bleu": _bleu,
}
"""Name -> a function from the sums of the statistics over items (..., S) and the number of items to the figure."""


@dataclass(frozen=True)
class ItemFigure:
    """A figure as a function of sums over items.

    Attributes:
        statistics: (N, S) or (N,) numbers, what is summed.
        reduction: a name in `REDUCTIONS`, from the sums to the figure.
        lower_is_better: whether smaller figures are better.
        is_share: whether the figure is a share in [0, 1], whose differences are told in points of a hundred.
        signature: what figures must have in common to be comparable, beside their name (of BLEU, sacrebleu's).
    """

    statistics: np.ndarray
    reduction: str = "mean"
    lower_is_better: bool = False
    is_share: bool = False
    signature: str = ""

    def value(self) -> float:
        """Return the figure over all items."""
        return float(REDUCTIONS[self.reduction](_columns(self.statistics).sum(axis=0), len(self.statistics)))


@dataclass(frozen=True)
class ItemScores:
    """The scores of all items of a split.

    Attributes:
        rows: (N,) int64, the items' numbers in their split, ascending, each once.
        truth: SHA-256 of the rows and of what is right for each; it is equal where the test items are.
        names_items: whether `truth` alone identifies the items, as their texts do; labels, which repeat, do not.
        figures: name of the metric -> its figure, the most telling first.
    """

    rows: np.ndarray
    truth: str
    names_items: bool
    figures: Mapping[str, ItemFigure]


@runtime_checkable
class ScoresItems(Protocol):
    """A metric that knows the scores of each item."""

    def item_scores(self) -> ItemScores | None:
        """Return the scores of all items so far; None if there are none, as after a validation by losses alone."""
        ...


def scores_of(
    rows: np.ndarray, truths: np.ndarray | Iterable[str], figures: Mapping[str, ItemFigure], *, names_items: bool
) -> ItemScores:
    """Return the scores ordered by row; an item that was measured several times has the means of its statistics.

    Args:
        rows: (N,) the items' numbers in any order.
        truths: (N, ...) numbers or N texts, what is right for each item.
        figures: statistics (N, S) or (N,) in the same order.
        names_items: see `ItemScores`.
    """
    different, first, place, counts = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    digest = hashlib.sha256(different.astype("<i8").tobytes())
    if isinstance(truths, np.ndarray):
        kept = truths[first]
        digest.update(f"{kept.shape}".encode() + kept.astype("<f8").tobytes())
    else:
        texts = list(truths)
        for row in first.tolist():
            digest.update(texts[row].encode("utf-8", "surrogatepass") + b"\0")
    merged = {}
    for name, figure in figures.items():
        statistics = _columns(figure.statistics).astype(np.float64)
        sums = np.zeros((len(different), statistics.shape[1]))
        np.add.at(sums, place, statistics)
        merged[name] = replace(figure, statistics=sums / counts[:, None])
    return ItemScores(different.astype(np.int64), digest.hexdigest(), names_items, merged)


def rows_of_names(names: Sequence[str]) -> np.ndarray:
    """Return the place of each item among all by name, (N,) int64, so that no order of arrival matters."""
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([places[name] for name in names], np.int64)


def _columns(statistics: np.ndarray) -> np.ndarray:
    return statistics[:, None] if statistics.ndim == 1 else statistics
