"""Translators that say each next token together, by the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from dlcli.models.seq2seq.translator import Memory, Translator


class TranslatorEnsemble(nn.Module):
    """Several translators of one shape in one; see `Translator`. Contexts and states of M members are stacked.

    Hypotheses are those of all members together, so a search and an export need to know nothing of them.

    Args:
        networks: M translators with the same vocabularies.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def _translators(self) -> list[Translator]:
        return [cast(Translator, network) for network in self.networks]

    def encode(self, tokens: Tensor, lengths: Tensor) -> Memory:
        """Return the members' memories, each with a second axis of M."""
        memories = [translator.encode(tokens, lengths) for translator in self._translators]
        return Memory(*(torch.stack(parts, 1) for parts in zip(*memories, strict=True)))

    def decode(self, memory: Memory, lengths: Tensor, tokens: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the logarithms of the mean probabilities of each next token, (N, T, V) or (M, V) float32."""
        return _mean(
            [
                translator.decode(Memory(memory.context[:, place], memory.state[:, place]), lengths, tokens, keep)
                for place, translator in enumerate(self._translators)
            ]
        )

    def step(self, last: Tensor, context: Tensor, lengths: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the mean probabilities, (N, K, V), and the states, (N, K, M, ...)."""
        answers, states = zip(
            *(
                translator.step(last, context[:, place], lengths, state[:, :, place])
                for place, translator in enumerate(self._translators)
            ),
            strict=True,
        )
        return _mean(answers), torch.stack(states, 2)


def _mean(logits: Sequence[Tensor]) -> Tensor:
    """Return the logarithms of the mean softmax probabilities over the last axis."""
    stacked = torch.stack([each.float().log_softmax(-1) for each in logits])
    return torch.logsumexp(stacked, 0) - math.log(len(logits))
