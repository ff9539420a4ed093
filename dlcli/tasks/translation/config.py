"""The options of translation: of a training, and of what is asked of a trained model."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.tasks.classes.options import ensemble_option

MAX_BEAM = 16
"""A step returns 32 candidates (`models/seq2seq/translator.py`), and a beam of k needs 2k."""


@dataclass(frozen=True)
class TranslationConfig:
    """Options of `dl train` for a translator; an option that the network does not have is an error.

    `--batch-size` counts tokens of both sides, not pairs: sentences differ too much in length.
    """

    model: str = option("transformer", "a network from `dl models`", short="m", section="Network and data")
    layers: int | None = option(
        None, "layers of encoder and decoder, each (default: the network's)", minimum=1, maximum=64
    )
    width: int | None = option(None, "size of vectors and states (default: the network's)", minimum=1, maximum=8192)
    heads: int | None = option(None, "attention heads (default: the network's)", minimum=1, maximum=256)
    feed_forward: int | None = option(
        None, "size of the feed-forward layers (default: 4 x width)", minimum=1, maximum=65536, is_advanced=True
    )
    norm: str | None = option(
        None, "norm before or after each sum (default: pre)", choices=("pre", "post"), is_advanced=True
    )
    positions: str | None = option(
        None,
        "position encoding (default: sinusoidal)",
        choices=("sinusoidal", "learned", "rotary"),
        is_advanced=True,
    )
    cell: str | None = option(None, "recurrent cell (default: gru)", choices=("gru", "lstm"))
    attention: str | None = option(
        None, "attention to the source (default: bahdanau)", choices=("bahdanau", "luong", "none")
    )
    input_feeding: bool = option(
        False, "with luong: feed attention into the next step; slower to train", is_advanced=True
    )
    teacher_forcing: float | None = option(
        None,
        "share of training steps that read the true previous token (default: 1)",
        minimum=0,
        maximum=1,
        is_advanced=True,
    )
    dropout: float | None = option(None, "dropout rate (default: the network's)", minimum=0, maximum=0.95)
    tied: bool = option(True, "use the target's word vectors as output layer", is_advanced=True)
    label_smoothing: float = option(0.1, "label smoothing", minimum=0.0, maximum=0.9)
    r_drop: float = option(
        0.0,
        "weight of R-Drop's consistency loss between two passes; doubles the work",
        minimum=0.0,
        maximum=100.0,
        is_advanced=True,
    )
    max_length: int = option(256, "longest sentence in tokens", minimum=2, maximum=10_000, is_advanced=True)
    ensemble: int = ensemble_option()


@dataclass(frozen=True)
class TranslationInference:
    """Inference options of a translator."""

    beam: int = option(4, "beam size; 1: greedy search", minimum=1, maximum=MAX_BEAM)
    length_penalty: float = option(
        0.6, "divide scores by ((5 + length) / 6) to this power", minimum=0.0, maximum=10.0, is_advanced=True
    )
    nbest: int = option(
        1, "translations in each answer, best first", minimum=1, maximum=MAX_BEAM, commands=("predict",)
    )
    max_ratio: float = option(
        2.0,
        "length limit in tokens per source token, plus 10",
        minimum=0.1,
        maximum=100.0,
        is_advanced=True,
    )
    references: str = option(
        "one",
        "measure each pair, or each source once against all its targets",
        choices=("one", "all"),
        is_advanced=True,
        commands=("eval",),
    )
    no_repeat: int = option(
        0, "repeat no sequence of N tokens; 0: repetitions are allowed", minimum=0, maximum=100, is_advanced=True
    )
