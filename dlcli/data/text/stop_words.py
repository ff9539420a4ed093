"""Stop words: reading a list, and warning about those that indicate the label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.reading.encodings import open_text
from dlcli.data.reading.lines import Lines
from dlcli.data.text.cleaning import clean_text

MAX_WORDS = 100_000
MAX_CHARACTERS = 100

_NEGATORS = """
    不 没 没有 无 非 别 莫 勿 未 否 未必 未曾 毫无 并非 并不 从不 决不 绝不 不是 不会 不能 不要 不想 不够 不太
    not no never nor neither n't cannot without
"""
NEGATORS = frozenset(_NEGATORS.split())

LEAST_TEXTS = 30
"""Minimum training texts with a word for a conclusion about it."""
LEAST_ODDS = 2.0
"""A word indicates the label if the odds ratio of its texts for one class is at least this."""
LEAST_SCORE = 4.0
"""It must also be this many standard errors from chance, which one in 16,000 meaningless words is."""
MOST_NAMED = 10


def read_stop_words(path: Path) -> tuple[str, ...]:
    """Return the distinct words of a file with one word per line, sorted.

    Raises:
        DataError: the file cannot be read, holds no words, or is not a list of words.
    """
    words: set[str] = set()
    with open_text(path) as stream:
        for line in Lines(stream, str(path)):
            word = clean_text(line)
            if len(word) > MAX_CHARACTERS or len(words) >= MAX_WORDS:
                raise DataError(
                    f"{path}: not a list of stop words: {word[:20]!r}... is too long, or the list is",
                    hint=f"write one word per line, at most {MAX_WORDS:,}",
                )
            words.add(word)
    words.discard("")
    if not words:
        raise DataError(f"{path}: holds no stop words", hint="write one word per line")
    return tuple(sorted(words))


class StopWordCounter:
    """Removes stop words from token lists, and counts the texts of each class that contain them."""

    def __init__(self, stop_words: Iterable[str], num_classes: int) -> None:
        self._stop_words = frozenset(stop_words)
        self._num_classes = num_classes
        self._counts: dict[str, list[int]] = {}

    def without(self, tokens: Sequence[str], label: int) -> Sequence[str]:
        """Return the tokens without stop words; count each stop word found once for this text."""
        found = self._stop_words.intersection(tokens)
        if not found:
            return tokens
        for word in found:
            self._counts.setdefault(word, [0] * self._num_classes)[label] += 1
        return [token for token in tokens if token not in found]

    def texts_with(self) -> dict[str, np.ndarray]:
        """Return word -> (C,) int64 number of texts of each class that contained it."""
        return {word: np.array(counts) for word, counts in self._counts.items()}


def stop_word_warnings(
    stop_words: Sequence[str], texts_with: Mapping[str, np.ndarray], totals: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """Return warnings about stop words that negate, and about those that indicate the label.

    Args:
        stop_words: the whole list.
        texts_with: word -> (C,) number of training texts of each class that contain it.
        totals: (C,) number of training texts of each class.
        classes: C names.
    """
    warnings = []
    negators = [word for word in stop_words if word.lower() in NEGATORS]
    if negators:
        warnings.append(
            f"the stop words include {_named(negators)}, which negate: without them, 'not good' reads as 'good'"
        )
    telling = []
    for word, counts in sorted(texts_with.items()):
        label, odds, score = strongest_class(counts, totals)
        if counts.sum() >= LEAST_TEXTS and odds >= LEAST_ODDS and score >= LEAST_SCORE:
            share = counts[label] / counts.sum()
            telling.append((score, f"{word!r} ({share:.0%} of its {int(counts.sum()):,} texts are {classes[label]})"))
    if telling:
        telling.sort(key=lambda pair: -pair[0])
        shown = ", ".join(text for _, text in telling[:MOST_NAMED])
        warnings.append(
            f"{len(telling):,} stop words indicate the label and are removed: {shown}"
            f"{', ...' if len(telling) > MOST_NAMED else ''}"
        )
    return warnings


def strongest_class(counts: np.ndarray, totals: np.ndarray) -> tuple[int, float, float]:
    """Return the class that a word indicates most, its odds ratio, and its distance from chance.

    The odds ratio is that of a class against all others, with half a text added to each cell (Haldane 1956, Anscombe
    1956), so that it is finite for a word of a single class. The distance is of the number of texts from its mean in
    standard deviations, where the texts with the word are drawn at random (the hypergeometric distribution).

    Args:
        counts: (C,) number of texts of each class that contain the word.
        totals: (C,) number of texts of each class.
    """
    inside = counts + 0.5
    outside = counts.sum() - counts + 0.5
    without = totals - counts + 0.5
    rest = (totals.sum() - totals) - (counts.sum() - counts) + 0.5
    log_odds = np.log(inside * rest / (outside * without))
    # By the spread that chance would have, not by the error of the odds: that one grows without bound for a word of
    # one class alone (Hauck and Donner 1977), the one that tells most.
    num_with, num_texts = counts.sum(), totals.sum()
    expected = num_with * totals / num_texts
    variance = expected * (num_texts - totals) * (num_texts - num_with) / (num_texts * max(num_texts - 1, 1))
    scores = (counts - expected) / np.sqrt(np.where(variance > 0, variance, 1.0))
    label = int(scores.argmax())
    return label, float(np.exp(log_odds[label])), float(scores[label])


def _named(words: Sequence[str]) -> str:
    return ", ".join(words[:MOST_NAMED]) + (", ..." if len(words) > MOST_NAMED else "")
