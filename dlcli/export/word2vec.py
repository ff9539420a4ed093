"""Word vectors in word2vec's text format, as gensim, fastText and `dl train sentiment --embedding` read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from dlcli.core.errors import ExportError, ParityError
from dlcli.data.text.vocabulary import SPECIALS
from dlcli.export.metadata import PREFIX
from dlcli.export.plan import Check, Graph
from dlcli.export.verify import compare
from dlcli.models.text.vectors import read_vectors
from dlcli.models.text.word_vectors import WordQueries

TOLERANCE = 1e-6


def write_text(module: nn.Module, graph: Graph, metadata: Mapping[str, str], path: Path) -> None:
    """Write a line with the numbers of words and of values, then a line for each word; nine digits are exact.

    The special words, and those without a vector, are left out.

    Raises:
        ExportError: the network is none of word vectors, or a word holds a blank, which ends a word in this format.
    """
    del graph
    if not isinstance(module, WordQueries):
        raise ExportError("a format of word vectors alone; this network is another one")
    words = _words(metadata)
    table = module.embedding.weight.detach().numpy()
    numbers = [number for number in range(len(SPECIALS), len(words)) if table[number].any()]
    for number in numbers:
        if len(words[number].split()) != 1:
            raise ExportError(f"the word {words[number][:100]!r} holds a blank, which ends a word in this format")
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"{len(numbers)} {table.shape[1]}\n")
        for number in numbers:
            stream.write(f"{words[number]} {' '.join(f'{value:.9g}' for value in table[number])}\n")


def check_text(
    graph: Graph, references: Sequence[Mapping[str, np.ndarray]], metadata: Mapping[str, str], path: Path
) -> tuple[Check, ...]:
    """Return one check per sample: sums of the vectors that are read back, beside those of the network.

    Raises:
        ParityError: they differ.
    """
    words = _words(metadata)
    rows, values, size = read_vectors(path, words)
    table = np.zeros((len(words), size), np.float32)
    table[rows] = _unit(values)
    checks = []
    for sample, reference in zip(graph.samples, references, strict=True):
        sums = (table[sample["tokens"]] * sample["signs"][..., None]).sum(1)
        found = compare({"vectors": reference["vectors"]}, {"vectors": _unit(sums)})
        if found.value > TOLERANCE * 100:
            raise ParityError("the file and the model have different vectors", details=(found.reason,))
        checks.append(Check(graph.sizes(sample), found.value, graph.name))
    return tuple(checks)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, TOLERANCE)


def _words(metadata: Mapping[str, str]) -> list[str]:
    words: list[str] = json.loads(metadata[f"{PREFIX}assets"])["vocab"]
    return words
