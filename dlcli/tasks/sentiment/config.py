"""The options of text classification."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.tasks.classes.options import (
    class_weights_option,
    distill_option,
    ensemble_option,
    loss_option,
    teacher_option,
)

FRESH = "none"
"""The value of `--pretrained` that starts from random weights."""


@dataclass(frozen=True)
class SentimentConfig:
    """Options of `dl train` for a text classifier; an option that the network does not have is an error."""

    model: str = option("tfidf", "a network from `dl models`", short="m", section="Network and data")
    embedding_dim: int | None = option(
        None, "size of the word embeddings (default: the network's)", minimum=1, maximum=4096, is_advanced=True
    )
    hidden: int | None = option(None, "hidden size (default: the network's)", minimum=1, maximum=8192)
    layers: int | None = option(None, "number of layers (default: the network's)", minimum=1, maximum=64)
    bidirectional: bool = option(False, "read texts in both directions", is_advanced=True)
    dropout: float | None = option(None, "dropout rate (default: the network's)", minimum=0, maximum=0.95)
    embedding: str | None = option(
        None,
        "start from word vectors: a file in word2vec or GloVe text format, or a run of `dl train embedding`",
        metavar="FILE|RUN",
        is_advanced=True,
    )
    pretrained: str | None = option(
        None,
        "start from the run of a language model over the same tokens; bert: from the BERT in a folder of Hugging Face "
        "(config.json, vocab.txt, weights), or none",
        metavar="RUN|DIR|none",
        is_advanced=True,
    )
    max_length: int = option(256, "truncate texts to N tokens", minimum=1, maximum=100_000)
    label_smoothing: float = option(0.0, "label smoothing", minimum=0.0, maximum=0.9, is_advanced=True)
    class_weights: str = class_weights_option()
    loss: str = loss_option()
    teacher: str | None = teacher_option()
    distill: str | None = distill_option()
    ensemble: int = ensemble_option()
