"""Perplexity: how well texts are predicted, by token and by character. Torch-free.

The probability of a text of T tokens is the product of T + 1 factors: each token after those before it, and the end.
Per token its logarithm is divided by T + 1, which depends on what a token is. Per character it is divided by the
number of the text's characters and one for its end, so models over words, characters and pieces can be compared. A
text that was cut off has no end to predict, and no known number of characters: it counts per token only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcli.core.files import finite

NUM_SHOWN = 10
"""Best and worst texts in a report."""
MOST_NATS = 700.0
"""exp of more is no float."""

LOWER_IS_BETTER = ("loss", "perplexity", "perplexity_per_character", "bits_per_character")


class LanguageMetric:
    """Collects the log-probabilities of texts. Memory: the texts, and some numbers of each.

    Args:
        unknown: the id of the unknown token.
    """

    def __init__(self, unknown: int) -> None:
        self._unknown = unknown
        self._rows: list[np.ndarray] = []
        self._texts: list[str] = []

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> None:
        """Add a batch.

        Args:
            batch: `tokens` (N, T), `lengths` (N,), `ends` (N,) bool, whether the text ends where its tokens do,
                `characters` (N,) int64 of the texts, and `texts`, a list of N.
            outputs: `log_probs` (N, T + 1) of the tokens and the end in nats, 0 behind it.
        """
        lengths, ends = np.asarray(batch["lengths"]), np.asarray(batch["ends"], bool)
        log_probs = np.where(said(lengths, ends, outputs["log_probs"].shape[1]), outputs["log_probs"], 0.0)
        is_token = np.arange(batch["tokens"].shape[1]) < lengths[:, None]
        num_unknown = ((batch["tokens"] == self._unknown) & is_token).sum(1)
        nats = -log_probs.astype(np.float64).sum(1)
        self._rows.append(np.stack([nats, lengths + ends, lengths, num_unknown, batch["characters"], ends], axis=1))
        self._texts += batch["texts"]

    def merge(self, other: LanguageMetric) -> None:
        """Append what another metric has collected."""
        self._rows += other._rows
        self._texts += other._texts

    def _table(self) -> np.ndarray:
        """Return (N, 6) float64: nats, predictions, tokens, unknown tokens, characters, whether the end is known."""
        return np.concatenate([np.empty((0, 6)), *self._rows])

    def compute(self) -> dict[str, float]:
        """Return the figures over all texts.

        - `loss`: the mean over predictions, in nats; `perplexity`: e to the power of it;
        - `bits_per_character`, and `perplexity_per_character`: 2 to the power of it;
        - `unknown_share`: the share of tokens that the vocabulary lacks, each of which is one unknown token.
        """
        table = self._table()
        if not len(table):
            return {}
        nats, predictions, tokens, unknown, *_ = table.sum(0)
        loss = nats / predictions
        found = {"loss": loss, "perplexity": _exp(loss)}
        whole = table[table[:, 5] == 1]
        if len(whole):
            per_character = whole[:, 0].sum() / (whole[:, 4] + 1).sum()
            found["perplexity_per_character"] = _exp(per_character)
            found["bits_per_character"] = per_character / math.log(2)
        found["unknown_share"] = unknown / max(tokens, 1)
        return {name: float(value) for name, value in found.items()}

    def report(self) -> dict[str, Any]:
        """Return the full report as JSON values.

        - `metrics`: those of `compute`;
        - `best`, `worst`: texts by their perplexity, each with its log-probability and tokens;
        - `num_texts`, `num_tokens` (unknown ones and ends included), `num_unknown`, `num_cut`.
        """
        metrics, table = self.compute(), self._table()
        losses = table[:, 0] / table[:, 1]
        order = np.lexsort((np.array(self._texts), losses))

        def shown(row: int) -> dict[str, Any]:
            figures = {"log_prob": -table[row, 0], "perplexity": _exp(losses[row]), "tokens": int(table[row, 2])}
            return {"text": self._texts[row], **figures}

        return dict(
            finite(
                {
                    "metrics": metrics,
                    "lower_is_better": [name for name in LOWER_IS_BETTER if name in metrics],
                    "best": [shown(row) for row in order[:NUM_SHOWN].tolist()],
                    "worst": [shown(row) for row in order[::-1][:NUM_SHOWN].tolist()],
                    "num_texts": len(table),
                    "num_tokens": int(table[:, 1].sum()),
                    "num_unknown": int(table[:, 3].sum()),
                    "num_cut": int((table[:, 5] == 0).sum()),
                }
            )
        )


def said(lengths: np.ndarray, ends: np.ndarray, width: int) -> np.ndarray:
    """Return the mask of predictions that count, (N, width) bool: of the tokens, and of the end where it is known."""
    return np.asarray(np.arange(width) < (lengths + ends)[:, None])


def _exp(nats: float) -> float:
    return math.exp(min(nats, MOST_NATS)) if nats == nats else math.nan
