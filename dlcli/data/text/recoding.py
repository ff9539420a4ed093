"""Prepared texts in the tokens of a pretrained network, in place of those that they were prepared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dlcli.data.text.form import TextForm
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.data.text.writer import PackedTexts, pack_in_memory


def recoded(form: TextForm, spec: Mapping[str, Any], vocabulary: Vocabulary, *, notes: Sequence[str] = ()) -> TextForm:
    """Return the form with other tokens: each split is tokenised in memory when it is first read.

    Args:
        form: the prepared texts.
        spec, vocabulary: the tokenizer's specification, which becomes that of the card, and its tokens.
        notes: further warnings of the card.

    Raises:
        RunError: the specification is damaged.
    """
    tokenizer = build_tokenizer(spec, vocabulary.tokens)

    def numbers(texts: Sequence[str], _: Sequence[int]) -> Iterable[Sequence[int]]:
        return map(vocabulary.numbers, tokenizer.tokens_of_all(texts))

    def pack(split: str) -> PackedTexts:
        return pack_in_memory(form.root, split, form.card.classes, numbers)

    details = {**form.card.details, "tokenizer": dict(spec), "vocab_size": len(vocabulary)}
    card = dataclasses.replace(form.card, details=details, warnings=(*form.card.warnings, *notes))
    return TextForm(form.root, card, vocabulary, _Splits(form.splits(), pack))


class _Splits(Mapping[str, PackedTexts]):
    """The packed texts of each split, made on demand."""

    def __init__(self, names: Sequence[str], pack: Callable[[str], PackedTexts]) -> None:
        self._names = names
        self._pack = pack
        self._packed: dict[str, PackedTexts] = {}

    def __getitem__(self, name: str) -> PackedTexts:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._packed:
            self._packed[name] = self._pack(name)
        return self._packed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
