"""The vocabulary of a text model, and how it is built in bounded memory."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from dlcli.core.errors import RunError

PAD, UNK = 0, 1
PAD_TOKEN, UNK_TOKEN = "<pad>", "<unk>"
SPECIALS = (PAD_TOKEN, UNK_TOKEN)
MAX_TOKENS = 5_000_000
MOST_COUNTED = 1_000_000
"""Maximum distinct tokens that a counter holds in memory, about 150 MB."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids, `<pad>` and `<unk>` first.

    The words "<pad>" and "<unk>" in a text are encoded as the unknown token: only padding is padding.

    Raises:
        ValueError: the two special tokens are not first, or a token is duplicated.
    """

    tokens: tuple[str, ...]
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tokens[:2] != SPECIALS:
            raise ValueError(f"the first two tokens must be {PAD_TOKEN} and {UNK_TOKEN}")
        numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(numbers) != len(self.tokens):
            raise ValueError("a token is duplicated")
        for token in SPECIALS:
            del numbers[token]
        object.__setattr__(self, "_numbers", numbers)

    def __len__(self) -> int:
        """Return the number of tokens, including the two special ones."""
        return len(self.tokens)

    def encode(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the ids of the tokens, (T,) int64 in [1, len(self)); an empty text is one unknown token."""
        return np.array(self.numbers(tokens), dtype=np.int64)

    def numbers(self, tokens: Sequence[str]) -> list[int]:
        """Return the ids of the tokens, as `encode`, but as a list."""
        get = self._numbers.get
        return [get(token, UNK) for token in tokens] or [UNK]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the vocabulary of a JSON list.

        Raises:
            RunError: it is not a list of at most 5,000,000 distinct strings with the two special tokens first.
        """
        if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
            raise RunError("the vocabulary is damaged: not a list of tokens")
        if len(value) > MAX_TOKENS:
            raise RunError(f"the vocabulary is damaged: {len(value):,} tokens, the maximum is {MAX_TOKENS:,}")
        try:
            return cls(tuple(value))
        except ValueError as error:
            raise RunError(f"the vocabulary is damaged: {error}") from None


class TokenCounter:
    """Assigns preliminary ids to tokens, and finds the frequent ones at the end, exactly and in bounded memory.

    Above `most` distinct tokens the table is written to `folder`, sorted, and a new one is started; so a token can have
    several ids, which `frequent` merges.
    """

    def __init__(self, folder: Path, *, most: int = MOST_COUNTED) -> None:
        self._folder = folder
        self._most = most
        self._next = itertools.count()
        self._table: defaultdict[str, int] = defaultdict(self._next.__next__)
        self._tables: list[Path] = []
        self.num_numbers = 0

    def numbers(self, tokens: Sequence[str]) -> list[int]:
        """Return a preliminary id for each token, from 0; that of UNK_TOKEN for an empty text."""
        if len(self._table) > self._most:
            self._put_away()
        before = len(self._table)
        numbers = [*map(self._table.__getitem__, tokens or (UNK_TOKEN,))]
        self.num_numbers += len(self._table) - before
        return numbers

    def _put_away(self) -> None:
        path = self._folder / f"tokens-{len(self._tables)}.jsonl"
        with path.open("w", encoding="utf-8") as stream:
            for pair in sorted(self._table.items()):
                stream.write(json.dumps(pair) + "\n")
        self._tables.append(path)
        self._table.clear()

    def frequent(self, counts: np.ndarray, *, min_count: int, most: int) -> tuple[Vocabulary, np.ndarray]:
        """Return the vocabulary, sorted by frequency, then by code point, and its id for each preliminary one.

        Args:
            counts: (P,) occurrences of each preliminary id.
            min_count: rarer tokens are dropped; their id is UNK.
            most: maximum size of the vocabulary, including the two special tokens.

        Returns:
            The vocabulary, and (P,) int32 ids.
        """
        best = heapq.nsmallest(max(0, most - len(SPECIALS)), self._counted(counts, min_count))
        places = np.full(len(counts), UNK, dtype=np.int32)
        for place, (_, _, numbers) in enumerate(best, start=len(SPECIALS)):
            places[numbers] = place
        return Vocabulary((*SPECIALS, *(token for _, token, _ in best))), places

    def remove_tables(self) -> None:
        """Remove the tables that were written."""
        for path in self._tables:
            path.unlink()

    def _counted(self, counts: np.ndarray, min_count: int) -> Iterator[tuple[int, str, list[int]]]:
        """Yield (minus the count, token, its preliminary ids)."""
        tables = [*map(_read_table, self._tables), iter(sorted(self._table.items()))]
        for token, pairs in itertools.groupby(heapq.merge(*tables), key=lambda pair: pair[0]):
            numbers = [number for _, number in pairs]
            count = sum(map(counts.item, numbers))
            if count >= min_count and token not in SPECIALS:
                yield -count, token, numbers


def _read_table(path: Path) -> Iterable[tuple[str, int]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            token, number = json.loads(line)
            yield token, number


def translation_between(own: Sequence[str], wanted: Sequence[str]) -> np.ndarray | None:
    """Return the number in `wanted` of each token of `own`, (V,) int32, `UNK` for others; None if both are equal."""
    if tuple(own) == tuple(wanted):
        return None
    place = {token: index for index, token in enumerate(wanted)}
    return np.array([place.get(token, UNK) for token in own], dtype=np.int32)
