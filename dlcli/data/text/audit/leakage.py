"""How far a small model comes that sees only one kind of token, and when that is a leak.

Everything works on flat arrays of token ids, without a loop over texts. Torch-free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dlcli.data.text.form import TextForm

MOST_TOKENS = 8_000_000
"""Tokens of a split that are looked at (64 MB an array): every n-th text where it holds more."""

LEAK, NOTE = "leak", "note"

LEAK_SHARE = 0.8
"""A leak reaches at least this part of what all tokens gain over the majority class: the rest is little beside it."""
LEAK_ERRORS = 0.5
"""And it removes at least this part of the majority's errors, by the lower end of the interval: where all tokens tell
little, a kind of token that tells as little is no leak. The emoticons of weibo_senti_100k remove 0.95."""
NOTE_ERRORS = 0.1
"""What removes this part of the majority's errors is worth a line."""
LEAST_COVERAGE = 0.02
"""What tells the label of only a few texts is worth a line where it stands in at least this part of them."""
Z_95 = 1.96


@dataclass(frozen=True)
class Tokens:
    """Texts of a split as flat token ids.

    Attributes:
        ids: (M,) int64 token ids of all texts, one after the other.
        owners: (M,) int64 which text each id belongs to, in [0, N).
        labels: (N,) int64.
    """

    ids: np.ndarray
    owners: np.ndarray
    labels: np.ndarray

    def has(self, token_id: int) -> np.ndarray:
        """Return which texts hold a token, (N,) bool."""
        return np.bincount(self.owners[self.ids == token_id], minlength=len(self.labels)) > 0


def read_tokens(form: TextForm, split: str, *, num_ids: int) -> Tokens:
    """Return the texts of a split, all of them up to `MOST_TOKENS`; ids from `num_ids` on (the rarest) are left out."""
    offsets = np.asarray(form.offsets(split))
    rows = np.arange(0, len(offsets) - 1, max(1, math.ceil(int(offsets[-1]) / MOST_TOKENS)))
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    owners = np.repeat(np.arange(len(rows)), lengths)
    places = np.arange(len(owners)) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    ids = np.asarray(form.ids(split)[places], dtype=np.int64)
    is_kept = ids < num_ids
    return Tokens(ids[is_kept], owners[is_kept], np.asarray(form.labels(split))[rows])


def count_by_class(values: np.ndarray, labels: np.ndarray, *, num_classes: int, num_values: int) -> np.ndarray:
    """Return (num_classes, num_values) counts of pairs.

    Args:
        values: (M,) integers in [0, num_values).
        labels: (M,) the class of each.
    """
    counts = np.bincount(labels * num_values + values, minlength=num_classes * num_values)
    return counts.reshape(num_classes, num_values)


def texts_by_token(tokens: Tokens, *, num_classes: int, num_ids: int) -> np.ndarray:
    """Return (num_classes, num_ids): in how many texts of each class a token stands at least once."""
    keys = np.sort(tokens.owners * num_ids + tokens.ids)
    keys = keys[np.diff(keys, prepend=-1) != 0]
    owners, ids = np.divmod(keys, num_ids)
    return count_by_class(ids, tokens.labels[owners], num_classes=num_classes, num_values=num_ids)


class NaiveBayes:
    """Multinomial naive Bayes over some of the tokens, add-one smoothing; a text with none of them gets the majority.

    Args:
        token_counts: (C, V) occurrences of each token in the texts of each class.
        class_totals: (C,) training texts of each class.
        is_seen: (V,) bool, the tokens that the model sees.

    Source: McCallum and Nigam 1998, "A Comparison of Event Models for Naive Bayes Text Classification".
    """

    def __init__(self, token_counts: np.ndarray, class_totals: np.ndarray, is_seen: np.ndarray) -> None:
        seen = token_counts[:, is_seen] + 1.0
        self.columns = np.where(is_seen, np.cumsum(is_seen) - 1, -1)
        self.log_likelihoods = np.log(seen) - np.log(seen.sum(axis=1, keepdims=True))
        self.log_priors = np.where(class_totals > 0, np.log(np.maximum(class_totals, 1)), -np.inf)

    def predict(self, tokens: Tokens) -> tuple[np.ndarray, np.ndarray]:
        """Return the class of each text, (N,), and whether the text holds any token that the model sees, (N,) bool."""
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
    """Return the lower end of the 95 % interval of a share, so that 5 right of 5 prove little; 0 of no trials.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    if total == 0:
        return 0.0
    share, square = num_right / total, Z_95**2 / total
    spread = math.sqrt(square * (share * (1 - share) + square / 4))
    return (share + square / 2 - spread) / (1 + square)


def errors_removed(is_right: np.ndarray, majority: float) -> float:
    """Return which part of the errors of the majority class a model surely removes; at most 1, below 0 if it adds."""
    if majority >= 1:
        return 0.0
    return (wilson_bound(int(is_right.sum()), len(is_right)) - majority) / (1 - majority)


@dataclass(frozen=True)
class Yardstick:
    """What the accuracy of a small model is held against.

    Attributes:
        split: the split that it was measured on.
        majority: accuracy of always saying the largest class of the training texts.
        everything: accuracy of naive Bayes over all tokens.
    """

    split: str
    majority: float
    everything: float

    def severity(self, is_right: np.ndarray) -> str | None:
        """Return whether a model with these answers, (N,) bool, shows a leak, is worth a note, or is nothing."""
        removed = errors_removed(is_right, self.majority)
        gain = float(is_right.mean()) - self.majority
        if removed >= LEAK_ERRORS and gain >= LEAK_SHARE * (self.everything - self.majority):
            return LEAK
        return NOTE if removed >= NOTE_ERRORS else None


@dataclass(frozen=True)
class Verdict:
    """How far a model comes that sees one kind of token only: which ones stand in a text, or how many.

    Attributes:
        is_right: (N,) bool, its answers.
        is_covered: (N,) bool, the texts that hold one of the kind.
        labels: (N,) the true classes.
        is_count: it saw how many.
        examples: what tells most, JSON values.
    """

    is_right: np.ndarray
    is_covered: np.ndarray
    labels: np.ndarray
    is_count: bool
    examples: list[dict[str, object]]

    @property
    def accuracy(self) -> float:
        """The part of the texts it is right about."""
        return float(self.is_right.mean())

    def tells_where_it_stands(self) -> bool:
        """Say whether it tells the label of the texts that hold the kind, beyond the largest class among these."""
        covered = self.labels[self.is_covered]
        if not len(covered) or len(covered) < LEAST_COVERAGE * len(self.labels):
            return False
        majority = float(np.bincount(covered).max()) / len(covered)
        return errors_removed(self.is_right[self.is_covered], majority) >= LEAK_ERRORS
