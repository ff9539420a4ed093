"""How well a small model does that sees only one kind of token, and when that counts as a leak.

All functions work on flat arrays of token ids, without a loop over texts. Imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dlcli.data.text.form import TextForm

MOST_TOKENS = 8_000_000
"""Tokens per split that are examined (64 MB per array); of larger splits, every n-th text."""

LEAK, NOTE = "leak", "note"

LEAK_SHARE = 0.8
"""A leak reaches at least this fraction of the gain of all tokens over the majority class."""
LEAK_ERRORS = 0.5
"""A leak also removes at least this fraction of the majority class's errors, by the lower bound of the interval: if all
tokens predict little, a kind of token that predicts as little is no leak. weibo_senti_100k's emoticons remove 0.95."""
NOTE_ERRORS = 0.1
"""A kind of token that removes this fraction of the majority class's errors is worth a note."""
LEAST_COVERAGE = 0.02
"""A kind of token that predicts the label only of texts that contain it is worth a note from this fraction on."""
Z_95 = 1.96


@dataclass(frozen=True)
class Tokens:
    """Texts of a split as flat token ids.

    Attributes:
        ids: (M,) int64 token ids of all texts, concatenated.
        owners: (M,) int64 text that each id belongs to, in [0, N).
        labels: (N,) int64 class of each text.
    """

    ids: np.ndarray
    owners: np.ndarray
    labels: np.ndarray

    def has(self, token_id: int) -> np.ndarray:
        """Return which texts contain a token, (N,) bool."""
        return np.bincount(self.owners[self.ids == token_id], minlength=len(self.labels)) > 0


def read_tokens(form: TextForm, split: str, *, num_ids: int) -> Tokens:
    """Return the texts of a split, sampled evenly above `MOST_TOKENS` tokens.

    Args:
        form: the prepared texts.
        split: name of the split.
        num_ids: ids from this on (the rarest tokens) are dropped.
    """
    offsets = np.asarray(form.offsets(split))
    rows = np.arange(0, len(offsets) - 1, max(1, math.ceil(int(offsets[-1]) / MOST_TOKENS)))
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    owners = np.repeat(np.arange(len(rows)), lengths)
    places = np.arange(len(owners)) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    ids = np.asarray(form.ids(split)[places], dtype=np.int64)
    is_kept = ids < num_ids
    return Tokens(ids[is_kept], owners[is_kept], np.asarray(form.labels(split))[rows])


def count_by_class(values: np.ndarray, labels: np.ndarray, *, num_classes: int, num_values: int) -> np.ndarray:
    """Return the counts of each value in each class, (num_classes, num_values) int64.

    Args:
        values: (M,) integers in [0, num_values).
        labels: (M,) class of each value, in [0, num_classes).
    """
    counts = np.bincount(labels * num_values + values, minlength=num_classes * num_values)
    return counts.reshape(num_classes, num_values)


def texts_by_token(tokens: Tokens, *, num_classes: int, num_ids: int) -> np.ndarray:
    """Return the number of texts of each class that contain each token, (num_classes, num_ids) int64."""
    keys = np.sort(tokens.owners * num_ids + tokens.ids)
    keys = keys[np.diff(keys, prepend=-1) != 0]
    owners, ids = np.divmod(keys, num_ids)
    return count_by_class(ids, tokens.labels[owners], num_classes=num_classes, num_values=num_ids)


class NaiveBayes:
    """Multinomial naive Bayes over some of the tokens, with add-one smoothing; without them, it predicts the majority.

    Args:
        token_counts: (C, V) occurrences of each token in the texts of each class.
        class_totals: (C,) number of training texts of each class.
        is_seen: (V,) bool, whether the model sees a token.

    Source: McCallum and Nigam 1998, "A Comparison of Event Models for Naive Bayes Text Classification".
    """

    def __init__(self, token_counts: np.ndarray, class_totals: np.ndarray, is_seen: np.ndarray) -> None:
        seen = token_counts[:, is_seen] + 1.0
        self.columns = np.where(is_seen, np.cumsum(is_seen) - 1, -1)
        self.log_likelihoods = np.log(seen) - np.log(seen.sum(axis=1, keepdims=True))
        self.log_priors = np.where(class_totals > 0, np.log(np.maximum(class_totals, 1)), -np.inf)

    def predict(self, tokens: Tokens) -> tuple[np.ndarray, np.ndarray]:
        """Return the predicted class of each text, (N,) int64, and whether it contains a token the model sees."""
        columns = self.columns[tokens.ids]
        is_seen = columns >= 0
        columns, owners = columns[is_seen], tokens.owners[is_seen]
        num_texts = len(tokens.labels)
        best = np.full(num_texts, -np.inf)
        predicted = np.zeros(num_texts, np.int64)
        for index, likelihoods in enumerate(self.log_likelihoods):
            scores = np.bincount(owners, weights=likelihoods[columns], minlength=num_texts) + self.log_priors[index]
            is_better = scores > best
            best[is_better], predicted[is_better] = scores[is_better], index
        return predicted, np.bincount(owners, minlength=num_texts) > 0


def wilson_bound(num_right: int, total: int) -> float:
    """Return the lower bound of the 95 % interval of a proportion, so that 5 right of 5 prove little; 0 without trials.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    if total == 0:
        return 0.0
    share, square = num_right / total, Z_95**2 / total
    spread = math.sqrt(square * (share * (1 - share) + square / 4))
    return (share + square / 2 - spread) / (1 + square)


def errors_removed(is_right: np.ndarray, majority: float) -> float:
    """Return the fraction of the majority class's errors that a model removes, by the lower bound of the 95 % interval.

    Args:
        is_right: (N,) bool, whether each of the model's predictions is right.
        majority: accuracy of predicting the majority class, in [0, 1].

    Returns:
        At most 1; negative if the model adds errors.
    """
    if majority >= 1:
        return 0.0
    return (wilson_bound(int(is_right.sum()), len(is_right)) - majority) / (1 - majority)


@dataclass(frozen=True)
class Yardstick:
    """The baselines for the accuracy of a small model.

    Attributes:
        split: the split on which accuracies are measured.
        majority: accuracy of always predicting the largest class of the training texts.
        everything: accuracy of naive Bayes over all tokens.
    """

    split: str
    majority: float
    everything: float

    def severity(self, is_right: np.ndarray) -> str | None:
        """Return LEAK, NOTE or None for a model whose predictions are right as given, (N,) bool."""
        removed = errors_removed(is_right, self.majority)
        gain = float(is_right.mean()) - self.majority
        if removed >= LEAK_ERRORS and gain >= LEAK_SHARE * (self.everything - self.majority):
            return LEAK
        return NOTE if removed >= NOTE_ERRORS else None


@dataclass(frozen=True)
class Verdict:
    """The result of a model that sees only one kind of token: either which ones a text contains, or how many.

    Attributes:
        is_right: (N,) bool, whether each prediction is right.
        is_covered: (N,) bool, whether each text contains tokens of the kind.
        labels: (N,) true classes.
        is_count: whether the model saw how many.
        examples: the most predictive tokens or counts, JSON values.
    """

    is_right: np.ndarray
    is_covered: np.ndarray
    labels: np.ndarray
    is_count: bool
    examples: list[dict[str, object]]

    @property
    def accuracy(self) -> float:
        """Fraction of texts whose prediction is right."""
        return float(self.is_right.mean())

    def tells_where_it_stands(self) -> bool:
        """Return whether it predicts the labels of the texts with this kind clearly better than their largest class."""
        covered = self.labels[self.is_covered]
        if not len(covered) or len(covered) < LEAST_COVERAGE * len(self.labels):
            return False
        majority = float(np.bincount(covered).max()) / len(covered)
        return errors_removed(self.is_right[self.is_covered], majority) >= LEAK_ERRORS
