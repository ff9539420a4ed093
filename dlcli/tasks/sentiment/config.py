"""The options of text classification."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option


@dataclass(frozen=True)
class SentimentConfig:
    """What `dl train` can be told about a classifier of texts; what a network has no use for it refuses."""

    model: str = option("lstm", "a network of `dl models`", short="m", section="Network and data")
    embedding_dim: int | None = option(
        None, "size of a word's vector (default: the network's)", minimum=1, maximum=4096
    )
    hidden: int | None = option(None, "size of the hidden layers (default: the network's)", minimum=1, maximum=8192)
    layers: int | None = option(None, "layers (default: the network's)", minimum=1, maximum=64)
    bidirectional: bool = option(False, "read the text in both directions")
    dropout: float | None = option(
        None, "part of the features dropped (default: the network's)", minimum=0, maximum=0.95
    )
    embedding: str | None = option(None, "begin with word vectors in word2vec's or GloVe's text format", metavar="FILE")
    max_length: int = option(256, "tokens of a text that are read", minimum=1, maximum=100_000)
    label_smoothing: float = option(0.0, "part of the target shared among all classes", minimum=0.0, maximum=0.9)
    class_weights: str = option("none", "weigh classes by inverse frequency", choices=("none", "balanced"))
