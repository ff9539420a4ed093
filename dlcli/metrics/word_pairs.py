"""How well word vectors tell a word's real neighbours from drawn words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class WordPairMetric:
    """The loss of negative sampling over all pairs, and the AUC: the share of noise words that score below the target.

    The AUC depends on no scale and no number of noise words, so that vectors made in another way have it too.

    Args:
        tokens: the vocabulary, for the report's neighbours.
    """

    def __init__(self, tokens: Sequence[str] = ()) -> None:
        self._tokens = tokens
        self._loss, self._num_pairs, self._wins, self._num_noise = 0.0, 0, 0.0, 0
        self._neighbours: list[dict[str, Any]] = []

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> None:
        """Add the pairs of a batch, if the outputs have their scores, and the neighbours of words, if they have those.

        Args:
            batch: nothing of it is needed.
            outputs: `targets` (P,) and `noise` (P, K), scores as logits, -inf for no noise; `frequent` (F,), `nearest`
                and `nearness` (F, k), numbers of words, and of their neighbours with the cosines.
        """
        del batch
        if "targets" in outputs:
            targets, noise = (outputs[name].astype(np.float64) for name in ("targets", "noise"))
            is_noise = ~np.isneginf(noise)
            below = (targets[:, None] > noise) + 0.5 * (targets[:, None] == noise)
            self._loss += float(np.logaddexp(0, -targets).sum() + np.logaddexp(0, noise).sum())
            self._num_pairs += len(targets)
            self._wins += float(below[is_noise].sum())
            self._num_noise += int(is_noise.sum())
        if "nearest" in outputs and not self._neighbours:
            names = ("frequent", "nearest", "nearness")
            self._neighbours = [
                self._entry(*row) for row in zip(*(outputs[name].tolist() for name in names), strict=True)
            ]

    def _entry(self, word: int, others: Sequence[int], cosines: Sequence[float]) -> dict[str, Any]:
        nearest = [
            {"word": self._tokens[other], "cosine": round(cosine, 6)}
            for other, cosine in zip(others, cosines, strict=True)
        ]
        return {"word": self._tokens[word], "nearest": nearest}

    def merge(self, other: WordPairMetric) -> None:
        """Add what another metric has seen."""
        self._loss += other._loss
        self._num_pairs += other._num_pairs
        self._wins += other._wins
        self._num_noise += other._num_noise
        self._neighbours = self._neighbours or other._neighbours

    def compute(self) -> dict[str, float]:
        """Return `loss`, a mean over pairs, which is missing without any, and `auc`, which is NaN without noise."""
        loss = {"loss": self._loss / self._num_pairs} if self._num_pairs else {}
        return {**loss, "auc": self._wins / self._num_noise if self._num_noise else np.nan}

    def report(self) -> dict[str, Any]:
        """Return the figures, the number of pairs, and the neighbours of words."""
        figures = {"metrics": self.compute(), "lower_is_better": ["loss"], "num_pairs": self._num_pairs}
        return {**figures, "neighbours": self._neighbours}
