"""Word vectors from a file in the text format of word2vec, GloVe and fastText; imports no torch."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError

MAX_DIM = 4096
MAX_BAD = 100
HEAD = 1 << 16
"""Bytes from the beginning by which binary vectors are recognised."""

AS_TEXT = "save them as text: gensim's KeyedVectors.load_word2vec_format(FILE, binary=True).save_word2vec_format(TXT)"

MAX_LINE = 1 << 20
"""Maximum bytes of a line: 4,096 numbers take a tenth of it."""


def read_vectors(path: Path, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the vectors of those words that the file contains.

    The file is streamed, and only the vectors of the words are stored. A line is a word and its numbers; the word may
    contain spaces, as some of GloVe's do. A first line of two numbers, word2vec's header, is skipped.

    Args:
        path: the file, gzipped if it ends in .gz.
        words: the vocabulary; words[0] is padding.

    Returns:
        (K,) int64 indices into `words`, (K, D) float32 vectors, and D.

    Raises:
        DataError: the file cannot be read, is binary, holds no vectors, or has more than 100 broken lines.
    """
    place = {word: index for index, word in enumerate(words) if index}  # row 0 is padding, and stays zero
    found: dict[int, np.ndarray] = {}
    size, bad, first_bad = 0, 0, 0
    for number, line in _lines(path):
        parts = line.rstrip().split(b" ")
        if number == 1 and len(parts) == 2:
            continue
        if not size:
            size = len(parts) - 1
            if not 2 <= size <= MAX_DIM:
                raise DataError(
                    f"{path}: line {number} has {size} numbers and is not a word vector", hint="WORD 0.1 0.2 ..."
                )
        word = b" ".join(parts[:-size]).decode("utf-8", "replace")
        index = place.get(word) if len(parts) > size else None
        vector = _vector(parts[-size:], size) if index is not None or len(parts) <= size else None
        if len(parts) <= size or (index is not None and vector is None):
            bad, first_bad = bad + 1, first_bad or number
            if bad > MAX_BAD:
                raise DataError(f"{path}: {bad} broken lines, the first is line {first_bad}")
        elif index is not None and vector is not None:
            found.setdefault(index, vector)
    if not size:
        raise DataError(
            f"{path}: holds no word vectors", hint="each line is a word and its numbers, as in word2vec's text format"
        )
    rows = np.fromiter(found, dtype=np.int64, count=len(found))
    vectors = np.stack(list(found.values())) if found else np.zeros((0, size), dtype=np.float32)
    return rows, vectors, size


def _vector(parts: Sequence[bytes], size: int) -> np.ndarray | None:
    try:
        vector = np.array([float(part) for part in parts], dtype=np.float32)
    except ValueError:
        return None
    return vector if len(vector) == size and np.isfinite(vector).all() else None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            # Numbers in binary hold a zero byte within a few words, and text never does.
            if b"\0" in stream.read(HEAD):
                raise DataError(f"{path}: binary vectors (word2vec's or fastText's .bin), not text", hint=AS_TEXT)
            stream.seek(0)
            number = 0
            while line := stream.readline(MAX_LINE):
                number += 1
                line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if len(line) == MAX_LINE:
                    raise DataError(f"{path}: line {number} is longer than {MAX_LINE:,} bytes: no word vectors")
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
