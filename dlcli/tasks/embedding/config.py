"""The options of word vectors: of a training, and of what is asked of a trained model."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option


@dataclass(frozen=True)
class EmbeddingConfig:
    """Options of `dl train` for word vectors. `--batch-size` counts words: texts differ too much in length."""

    model: str = option("skipgram", "a network from `dl models`", short="m", section="Network and data")
    embedding_dim: int = option(128, "size of the vectors", minimum=2, maximum=4096)
    window: int = option(
        5, "largest distance of a context word; drawn from 1 to N for each word", minimum=1, maximum=50
    )
    negatives: int = option(5, "noise words for each pair", minimum=1, maximum=100)
    subsample: float = option(
        1e-3, "keep a word of frequency f with probability sqrt(X / f); 0: keep all", minimum=0, maximum=1
    )
    min_count: int = option(2, "no vector for words that occur less often in training", minimum=1, maximum=1_000_000)


@dataclass(frozen=True)
class EmbeddingInference:
    """Inference options of word vectors."""

    top_k: int = option(
        10, "nearest words in each answer", short="k", minimum=1, maximum=100_000, commands=("predict",)
    )
