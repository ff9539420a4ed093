"""Builds the networks of text classification, with word vectors from a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.core.registry import load_object
from dlcli.core.run_dir import RUNS
from dlcli.core.train_config import TrainConfig, read_optimizer
from dlcli.data.text.characters import PER_TOKEN
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.models.fitting import CountsTexts
from dlcli.tasks.classes.training import fit_to_loss
from dlcli.tasks.sentiment.config import SentimentConfig
from dlcli.tasks.sentiment.encoder import Encoder
from dlcli.tasks.sentiment.networks import FITTED, NETWORKS, READS_CHARACTERS

FEW_FOUND = 0.5
"""The share of the vocabulary below which the word vectors may be those of another language or tokenizer."""

SIZES = ("embedding_dim", "hidden", "layers")
"""Options that the folder of a pretrained encoder decides."""

OWN_OPTIONS = ("embedding_dim", "hidden", "layers", "bidirectional", "dropout", "max_length")
"""Options passed unchanged to the networks that have them."""


def build_network(
    config: SentimentConfig, train: TrainConfig, num_classes: int, vocab_size: int, encoder: Encoder | None = None
) -> nn.Module:
    """Return the network that the configuration names, with the sizes of a pretrained encoder if it starts from one.

    Raises:
        UsageError: there is no such network, or it lacks an option that was given.
    """
    if config.model not in NETWORKS:
        raise UsageError(f"--model: no network {config.model!r}", hint=did_you_mean(config.model, NETWORKS))
    build = load_object(NETWORKS[config.model].build)
    known = inspect.signature(build).parameters
    own: dict[str, Any] = encoder.options() if encoder is not None else {}
    chosen = asdict(config)
    for name in SIZES if encoder is not None else ():
        if chosen[name] is not None:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag}: that of a pretrained encoder is fixed", hint=f"leave out --{flag}")
    for name in OWN_OPTIONS:
        value = chosen[name]
        if name in known:
            own |= {} if value is None else {name: value}
        elif value not in (None, False) and name != "max_length":
            takers = _takers(name)
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag}: {config.model} has no such option", hint=f"choose {' or '.join(takers)}")
    network: nn.Module = build(
        num_classes=num_classes, vocab_size=vocab_size, sparse=read_optimizer(train.optimizer)[0] == "lazyadam", **own
    )
    return network


def require_fittable(config: SentimentConfig) -> None:
    """Check that a network that is computed, not trained, is not asked for what only a training has.

    Raises:
        UsageError: it is.
    """
    if config.model not in FITTED:
        return
    asked = {
        "loss": config.loss != "cross-entropy",
        "label-smoothing": config.label_smoothing > 0,
        "teacher": config.teacher is not None,
        "ensemble": config.ensemble > 1,
        "dropout": bool(config.dropout),
    }
    for flag in (flag for flag, is_asked in asked.items() if is_asked):
        raise UsageError(
            f"--{flag}: {config.model} is computed as logistic regression, not trained",
            hint="choose another --model, such as wide-deep or textcnn",
        )


def max_characters_of(config: SentimentConfig) -> int | None:
    """Return how many characters of a text the network reads at most; None if it reads none."""
    return PER_TOKEN * config.max_length if config.model in READS_CHARACTERS else None


def count_texts(network: nn.Module, batches: Callable[[], Iterable[tuple[Tensor, ...]]]) -> None:
    """Compute those parts of a network that are computed from the training texts.

    Args:
        network: any network.
        batches: a function -> the network's inputs for all training texts, called once for each such part.
    """
    for part in network.modules():
        if isinstance(part, CountsTexts):
            part.count_texts(batches())


def build_model(
    config: SentimentConfig, train: TrainConfig, num_classes: int, vocab_size: int, encoder: Encoder | None = None
) -> nn.Module:
    """Return the network that the configuration names, with the head that its loss needs.

    Raises:
        UsageError: there is no such network, or an option does not fit it.
    """
    network = build_network(config, train, num_classes, vocab_size, encoder)
    few = (torch.ones((1, 8), dtype=torch.int64), torch.tensor([8]))
    fit_to_loss(network, config.loss, *(few if max_characters_of(config) is None else few * 2))
    return network


def _takers(option: str) -> list[str]:
    """Return the networks that have an option."""
    return [name for name, spec in NETWORKS.items() if option in inspect.signature(load_object(spec.build)).parameters]


def load_vectors(network: nn.Module, reference: str, vocabulary: Vocabulary) -> int:
    """Set the rows of the network's embedding to the vectors in a file or of a run, and return their number.

    Words without a vector there keep that of the network.

    Raises:
        DataError: the file cannot be read, or has none of the words.
        RunError: the run is damaged.
        UsageError: the vectors have another size, or the network has none.
    """
    if not hasattr(network, "embedding"):
        raise UsageError(f"--embedding: {type(network).__name__} has no word vectors", hint="choose another --model")
    table = cast(nn.Embedding, network.embedding).weight
    rows, values, size = _read_vectors(reference, vocabulary.tokens)
    if size != table.shape[1]:
        raise UsageError(
            f"--embedding {reference}: vectors of size {size}, but the network's have {table.shape[1]}",
            hint=f"add --embedding-dim {size}",
        )
    if not len(rows):
        raise DataError(f"--embedding {reference}: contains none of the vocabulary's {len(vocabulary):,} words")
    with torch.no_grad():
        table[torch.from_numpy(rows)] = torch.from_numpy(values)
    return len(rows)


def _read_vectors(reference: str, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the vectors that a file, or a run by its folder or its name, has of words; see `read_vectors`."""
    path = Path(reference)
    if path.is_dir() or (RUNS / path).is_dir():
        from dlcli.engine.runs.word_vectors import vectors_of_run

        return vectors_of_run(reference, words)
    from dlcli.models.text.vectors import read_vectors

    return read_vectors(path, words)


def coverage_notes(path: str, found: int, num_words: int) -> tuple[str, ...]:
    """Return a warning if a file of word vectors has few of the vocabulary's words."""
    if found >= FEW_FOUND * num_words:
        return ()
    return (
        f"{path} has vectors for {found:,} of the vocabulary's {num_words:,} words; the others start at random: are "
        "they cut and spelt alike?",
    )
