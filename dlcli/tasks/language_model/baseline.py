"""The baselines that a language model has to beat: counts, smoothed by Kneser-Ney."""

from __future__ import annotations

import torch

from dlcli.data.text.vocabulary import UNK
from dlcli.engine.compute.device import to_numpy
from dlcli.metrics.language import LanguageMetric
from dlcli.models.language.ngram import NGram
from dlcli.tasks.language_model.source import LanguageSource

ORDERS = {"unigram": 1, "3-gram, Kneser-Ney": 3, "5-gram, Kneser-Ney": 5}
"""Name -> its order."""


def ngram_baselines(source: LanguageSource, split: str, vocab_size: int) -> dict[str, dict[str, float]]:
    """Return name -> the figures of `LanguageMetric` on a split, of models fitted on the training part.

    Args:
        source: the texts.
        split: what is measured.
        vocab_size: V.
    """
    texts, ends = source.training_texts()
    found = {}
    for name, order in ORDERS.items():
        network, metric = NGram(vocab_size=vocab_size, order=order), LanguageMetric(UNK)
        network.fit_to(texts, ends)
        with torch.inference_mode():
            for batch in source.loader(split, training=False).batches():
                log_probs = network(batch["tokens"], batch["lengths"])
                metric.update(to_numpy(batch), {"log_probs": log_probs.numpy()})
        found[name] = metric.compute()
    return found
