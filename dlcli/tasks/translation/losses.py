"""The losses of a translator, as means over target tokens.

Shapes: N pairs of S source and T target tokens (start and end included), M target tokens to be said in all, V the size
of the target's vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcli.models.seq2seq.translator import Translator


def forced_logits(translator: Translator, batch: Mapping[str, Tensor], repeats: int = 1) -> tuple[Tensor, Tensor]:
    """Return the (repeats * M, V) logits after the right tokens, and the (N, T - 1) bool mask of the M tokens.

    Args:
        translator: the network.
        batch: `source`, `source_lengths`, `target` and `target_lengths`.
        repeats: how often the pairs pass through the network, each time with other dropout.
    """
    source, lengths, target = (torch.cat([batch[name]] * repeats) for name in ("source", "source_lengths", "target"))
    is_said = torch.arange(1, target.shape[1], device=target.device) < batch["target_lengths"][:, None]
    memory = translator.encode(source, lengths)
    logits = translator.decode(memory, lengths, target[:, :-1], is_said.repeat(repeats, 1))
    return logits.float(), is_said


def training_losses(
    translator: Translator, batch: Mapping[str, Tensor], *, label_smoothing: float, r_drop: float
) -> tuple[dict[str, Tensor], int]:
    """Return the losses by name, means over M target tokens, and M.

    Args:
        translator: the network, in training mode.
        batch: as in `forced_logits`.
        label_smoothing: the share of the target that is spread over all tokens.
        r_drop: alpha of R-Drop (Liang et al. 2021, arXiv:2106.14448): two passes with other dropout must agree. The
            paper's sum of two cross-entropies and alpha times the mean of two divergences is halved here, so that the
            cross-entropy stays comparable; the ratio is the same.
    """
    repeats = 2 if r_drop else 1
    logits, is_said = forced_logits(translator, batch, repeats)
    said = batch["target"][:, 1:][is_said]
    losses = {"cross_entropy": F.cross_entropy(logits, said.repeat(repeats), label_smoothing=label_smoothing)}
    if r_drop:
        first, second = logits.log_softmax(1).chunk(2)
        difference = (first.exp() - second.exp()) * (first - second)  # KL one way plus KL the other, term by term
        losses["r_drop"] = r_drop / 4 * difference.sum() / len(said)
    return losses, len(said)


def sentence_losses(translator: Translator, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of each target, summed over its tokens, (N,) float32, and their number, (N,) int64."""
    logits, is_said = forced_logits(translator, batch)
    losses = F.cross_entropy(logits, batch["target"][:, 1:][is_said], reduction="none")
    sums = losses.new_zeros(len(is_said)).index_add(0, is_said.nonzero()[:, 0], losses)
    return sums, is_said.sum(1)
