"""Tokens and their numbers: the vocabulary of a text model, and how it is found in bounded memory."""

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
"""Distinct tokens that a counter holds in memory, about 150 MB."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their numbers, `<pad>` and `<unk>` first.

    A text that holds the words "<pad>" or "<unk>" gets the unknown token for them: only padding is padding.

    Raises:
        ValueError: the two specials are not first, or a token stands twice.
    """

    tokens: tuple[str, ...]
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tokens[:2] != SPECIALS:
            raise ValueError(f"the first two tokens must be {PAD_TOKEN} and {UNK_TOKEN}")
        numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(numbers) != len(self.tokens):
            raise ValueError("a token stands twice")
        for token in SPECIALS:
            del numbers[token]
        object.__setattr__(self, "_numbers", numbers)

    def __len__(self) -> int:
        """Return the number of tokens, the two specials among them."""
        return len(self.tokens)

    def encode(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the numbers of the tokens, (T,) int64 in [1, len(self)), T >= 1: no token at all is one unknown."""
        return np.array(self.numbers(tokens), dtype=np.int64)

    def numbers(self, tokens: Sequence[str]) -> list[int]:
        """Return what `encode` does, as a list."""
        get = self._numbers.get
        return [get(token, UNK) for token in tokens] or [UNK]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the vocabulary that a JSON list holds.

        Raises:
            RunError: it is no list of at most 5,000,000 distinct strings with the two specials first.
        """
        if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
            raise RunError("the vocabulary is damaged: no list of tokens")
        if len(value) > MAX_TOKENS:
            raise RunError(f"the vocabulary is damaged: {len(value):,} tokens, at most {MAX_TOKENS:,} can be")
        try:
            return cls(tuple(value))
        except ValueError as error:
            raise RunError(f"the vocabulary is damaged: {error}") from None


class TokenCounter:
    """Numbers tokens as they come, and finds the frequent ones at the end, exactly and in bounded memory.

    Past `most` distinct tokens the table is written to `folder`, sorted, and a fresh one is begun; so a token can have
    several numbers, which `frequent` puts together.
    """

    def __init__(self, folder: Path, *, most: int = MOST_COUNTED) -> None:
        self._folder = folder
        self._most = most
        self._next = itertools.count()
        self._table: defaultdict[str, int] = defaultdict(self._next.__next__)
        self._tables: list[Path] = []
        self.num_numbers = 0

    def numbers(self, tokens: Sequence[str]) -> list[int]:
        """Return a number for each token, counted from 0; UNK_TOKEN's for a text without any."""
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
        """Return the vocabulary, by frequency, then by code point, and the place of each number in it, (P,) int32.

        Args:
            counts: (P,) how often each number was given.
            min_count: rarer tokens are left out; their place is UNK.
            most: tokens in the vocabulary, the two specials among them.
        """
        best = heapq.nsmallest(max(0, most - len(SPECIALS)), self._counted(counts, min_count))
        places = np.full(len(counts), UNK, dtype=np.int32)
        for place, (_, _, numbers) in enumerate(best, start=len(SPECIALS)):
            places[numbers] = place
        return Vocabulary((*SPECIALS, *(token for _, token, _ in best))), places

    def remove_tables(self) -> None:
        """Remove what was written."""
        for path in self._tables:
            path.unlink()

    def _counted(self, counts: np.ndarray, min_count: int) -> Iterator[tuple[int, str, list[int]]]:
        """Yield (minus the count, token, its numbers)."""
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
