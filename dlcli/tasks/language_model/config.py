"""The options of language models: of a training, and of what is asked of a trained model."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option

MAX_GENERATED = 10_000
"""Tokens that a text is continued by, at most."""


@dataclass(frozen=True)
class LanguageModelConfig:
    """Options of `dl train` for a language model; an option that the network does not have is an error."""

    model: str = option("lstm", "a network from `dl models`", short="m", section="Network and data")
    embedding_dim: int | None = option(
        None, "size of the word embeddings (default: the network's)", minimum=1, maximum=4096, is_advanced=True
    )
    hidden: int | None = option(None, "hidden size (default: the network's)", minimum=1, maximum=8192)
    layers: int | None = option(None, "number of layers (default: the network's)", minimum=1, maximum=64)
    heads: int | None = option(None, "attention heads (default: the network's)", minimum=1, maximum=256)
    order: int | None = option(
        None, "predict a token from the N - 1 before it (default: the network's)", minimum=1, maximum=16
    )
    smoothing: str | None = option(
        None, "smoothing of an n-gram model (default: kneser-ney)", choices=("kneser-ney", "add-k")
    )
    add_k: float | None = option(
        None, "with add-k: the count that every n-gram gets (default: 0.01)", minimum=1e-9, maximum=1e6
    )
    dropout: float | None = option(None, "dropout rate (default: the network's)", minimum=0, maximum=0.95)
    tied: bool = option(True, "use the word embeddings as output layer", is_advanced=True)
    max_length: int = option(256, "truncate texts to N tokens", minimum=1, maximum=100_000)


@dataclass(frozen=True)
class LanguageModelInference:
    """Inference options of a language model."""

    next: int | None = option(
        None, "show the N most probable next tokens", minimum=1, maximum=1000, commands=("predict",)
    )
    generate: int | None = option(
        None,
        "continue each text by up to N tokens; without INPUT from nothing",
        minimum=1,
        maximum=MAX_GENERATED,
        commands=("predict",),
    )
    temperature: float = option(
        1.0, "sharpness of the draw; 0: the most probable token", minimum=0.0, maximum=100.0, commands=("predict",)
    )
    top_k_tokens: int | None = option(
        None, "draw among the N most probable tokens", minimum=1, maximum=10**6, is_advanced=True, commands=("predict",)
    )
    top_p: float = option(
        1.0,
        "draw among the fewest tokens of this total probability",
        minimum=1e-6,
        maximum=1.0,
        is_advanced=True,
        commands=("predict",),
    )
    draw_seed: int = option(0, "seed of the draw", minimum=0, maximum=MAX_SEED, is_advanced=True, commands=("predict",))
    count: int = option(1, "without INPUT: the number of texts", minimum=1, maximum=100_000, commands=("predict",))
