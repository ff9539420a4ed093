"""N-gram models as networks without a gradient: their counts are buffers, which are fitted before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.language.counts import Level, additive, kneser_ney, windows_of
from dlcli.models.language.model import BOUNDARY, framed, is_said

FIELDS = ("contexts", "rest", "grams", "values")
KNESER_NEY, ADD_K = "kneser-ney", "add-k"


class NGram(nn.Module):
    """See `dlcli.models.language.model.LanguageModel`, and `dlcli.models.fitting.FitsToTexts`.

    Exact: for every context the probabilities of the V tokens sum to 1. The state holds the last tokens,
    (N, order - 1) int64. Before it is fitted, and after nothing, every token is equally probable.

    Args:
        vocab_size: V.
        order: n.
        smoothing: kneser-ney (interpolated, with modified discounts) or add-k; see `counts`.
        add_k: with add-k, the count that every n-gram gets.
    """

    def __init__(self, *, vocab_size: int, order: int = 3, smoothing: str = KNESER_NEY, add_k: float = 0.01) -> None:
        super().__init__()
        self.vocab_size, self.order = vocab_size, order
        self.smoothing, self.add_k = smoothing, add_k
        for level in range(order):
            for name in FIELDS:
                kind = torch.int64 if name in ("contexts", "grams") else torch.float64
                self.register_buffer(f"{name}{level}", torch.empty(0, dtype=kind))

    def fit_to(self, texts: Sequence[np.ndarray], ends: Sequence[bool]) -> None:
        """Count the n-grams of texts.

        Args:
            texts: the ids of the tokens of each text, (T,) integers.
            ends: whether each ends there, or was cut off.
        """
        windows = windows_of(texts, ends, self.order)
        if not len(windows):
            return
        is_additive = self.smoothing == ADD_K
        levels = additive(windows, self.vocab_size, self.add_k) if is_additive else kneser_ney(windows, self.vocab_size)
        for number, level in enumerate(levels):
            fields = vars(level)
            for name in FIELDS:
                setattr(self, f"{name}{number}", torch.from_numpy(np.ascontiguousarray(fields[name])))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (N, T + 1) log-probabilities for (N, T) tokens and (N,) lengths."""
        inputs, targets = framed(tokens, lengths)
        before = max(self.order - 2, 0)
        padded = F.pad(inputs, (before, 0), value=BOUNDARY)
        contexts = padded.unfold(1, max(self.order - 1, 1), 1)[:, :, : self.order - 1]
        found = self._probabilities(contexts.flatten(0, 1), targets.flatten()).log().float()
        return torch.where(is_said(targets, lengths), found.view_as(targets), 0.0)

    def start(self, tokens: Tensor) -> Tensor:
        """Return (N, order - 1) boundaries."""
        return torch.zeros(tokens.shape[0], self.order - 1, dtype=torch.int64, device=tokens.device)

    def step(self, last: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, V) log-probabilities and the new (N, order - 1) state."""
        state = torch.cat([state, last[:, None]], dim=1)[:, 1:]
        contexts = state.repeat_interleave(self.vocab_size, dim=0)
        tokens = torch.arange(self.vocab_size, device=last.device).repeat(len(last))
        return self._probabilities(contexts, tokens).log().float().view(len(last), -1), state

    def _level(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        contexts, rest, grams, values = (self.get_buffer(f"{name}{number}") for name in FIELDS)
        return contexts, rest, grams, values

    def _probabilities(self, contexts: Tensor, tokens: Tensor) -> Tensor:
        """Return the probability of each token after its context, (M,) float64.

        Args:
            contexts: (M, order - 1) int64, the newest token last.
            tokens: (M,) int64.
        """
        found = torch.full(tokens.shape, 1 / self.vocab_size, dtype=torch.float64, device=tokens.device)
        nodes = torch.zeros_like(tokens)
        is_known = torch.ones_like(tokens, dtype=torch.bool)
        for number in range(self.order):
            keys, rest, grams, values = self._level(number)
            if number:
                nodes, is_there = _look_up(keys, nodes * self.vocab_size + contexts[:, -number])
                is_known = is_known & is_there
            if not len(keys):  # not fitted
                break
            places, is_seen = _look_up(grams, nodes * self.vocab_size + tokens)
            own = torch.where(is_seen, values[places], 0.0) if len(values) else torch.zeros_like(found)
            found = torch.where(is_known, own + rest[nodes] * found, found)
        return found

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take up counts of any number; `fit_to` is what decides it, and a run is opened without its texts."""
        errors: list[str] = rest[-1]
        for number in range(self.order):
            stored = [state_dict.get(f"{prefix}{name}{number}") for name in FIELDS]
            if all(isinstance(each, Tensor) for each in stored):
                if _are_counts(*stored, vocab_size=self.vocab_size):
                    for name, each in zip(FIELDS, stored, strict=True):
                        own = self.get_buffer(f"{name}{number}")
                        setattr(self, f"{name}{number}", torch.empty_like(each, device=own.device))
                else:
                    errors.append(f"the counts of level {number} are damaged")
        super()._load_from_state_dict(state_dict, prefix, *rest)


def level_of(network: NGram, number: int) -> Level:
    """Return a level of a fitted model."""
    return Level(*(network.get_buffer(f"{name}{number}").numpy() for name in FIELDS))


def _look_up(keys: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places of keys in a sorted list, 0 for those that it lacks, and which it has."""
    if not len(keys):
        return torch.zeros_like(wanted), torch.zeros_like(wanted, dtype=torch.bool)
    places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    is_there = keys[places] == wanted
    return torch.where(is_there, places, 0), is_there


def _are_counts(contexts: Tensor, rest: Tensor, grams: Tensor, values: Tensor, *, vocab_size: int) -> bool:
    """Return whether tensors from a file are the four of a level: sorted keys, shares in [0, 1], owners that exist."""
    if {each.ndim for each in (contexts, rest, grams, values)} != {1}:
        return False
    if {contexts.dtype, grams.dtype} != {torch.int64} or {rest.dtype, values.dtype} != {torch.float64}:
        return False
    if len(contexts) != len(rest) or len(grams) != len(values):
        return False
    is_sorted = all(bool((each.diff() > 0).all()) for each in (contexts, grams))
    is_share = all(bool(((each >= 0) & (each <= 1)).all()) for each in (rest, values))
    has_owner = not len(grams) or 0 <= int(grams.min()) <= int(grams.max()) < len(contexts) * vocab_size
    return is_sorted and is_share and bool(has_owner)
