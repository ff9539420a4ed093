"""Tokenizers of one side of sentence pairs, as assets of a run: words, characters, or SentencePiece's. Torch-free.

All number their special tokens alike: padding 0, start 1, end 2, unknown 3. Encoding cleans a text first, so a sentence
that is typed gets the tokens that it would have had when the data was prepared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

from dlcli.core.errors import RunError
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.languages import WITHOUT_BLANKS
from dlcli.data.text.tokenizing.joining import join_unspaced, join_words, split_words
from dlcli.data.text.tokenizing.pieces import (
    BLANK,
    MAX_PIECES,
    SPECIAL_PIECES,
    check_model,
    decode_model,
    encode_model,
)

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIALS = SPECIAL_PIECES
KINDS = ("word", "char", "bpe")

MAX_TOKENS = MAX_PIECES
_AGAIN = "prepare the data or train again"


class Tokenizer(Protocol):
    """Turns sentences of one side into token ids and back.

    Attributes:
        pad, start, end, unknown: ids of the special tokens: 0, 1, 2, 3.
    """

    pad: ClassVar[int]
    start: ClassVar[int]
    end: ClassVar[int]
    unknown: ClassVar[int]

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        ...

    @property
    def cleaning(self) -> Cleaning:
        """How sentences are spelled before they are encoded."""
        ...

    @property
    def size(self) -> int:
        """The number of tokens, the special ones included."""
        ...

    @property
    def vocabulary(self) -> str:
        """A digest of the tokens and their ids: equal for the two sides of joint ones."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a sentence's tokens, at least one, without the start and the end token."""
        ...

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Return `encode` of each sentence; faster than one by one."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the sentence of token ids; padding, start and end are left out.

        Raises:
            IndexError: there is no such token.
        """
        ...

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Return each token as a person reads it, for pictures and tables.

        Raises:
            IndexError: there is no such token.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value from which `tokenizer_from_json` makes an equal tokenizer."""
        ...


@dataclass(frozen=True)
class VocabularyTokenizer:
    """Words or characters that are looked up in a list; see `Tokenizer`.

    Words are jieba's for Chinese, and words with their punctuation where blanks set them apart.

    Args:
        kind: "word" or "char".
        cleaning: of the side.
        entries: the tokens by id, `SPECIALS` first.
        splitter: the specification of jieba's version for Chinese words; else None.

    Raises:
        ValueError: the special tokens are not first, or a token is duplicated.
        RunError: another version of jieba is installed.
    """

    pad: ClassVar[int] = PAD
    start: ClassVar[int] = START
    end: ClassVar[int] = END
    unknown: ClassVar[int] = UNKNOWN

    kind: str
    cleaning: Cleaning
    entries: tuple[str, ...]
    splitter: dict[str, Any] | None = None
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.entries[: len(SPECIALS)] != SPECIALS:
            raise ValueError(f"the first tokens must be {', '.join(SPECIALS)}")
        numbers = {token: number for number, token in enumerate(self.entries)}
        if len(numbers) != len(self.entries):
            raise ValueError("a token is duplicated")
        for token in SPECIALS:  # such words in a text are unknown
            del numbers[token]
        object.__setattr__(self, "_numbers", numbers)

    @property
    def size(self) -> int:
        return len(self.entries)

    @cached_property
    def vocabulary(self) -> str:
        return hashlib.sha256("\n".join(self.entries).encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        get = self._numbers.get
        pieces = split_all(self.kind, self.splitter, [self.cleaning.clean(text) for text in texts])
        return [[get(token, UNKNOWN) for token in tokens] or [UNKNOWN] for tokens in pieces]

    def decode(self, ids: Sequence[int]) -> str:
        tokens = self.tokens([number for number in ids if number not in (PAD, START, END)])
        if self.kind == "char":
            return "".join(tokens)
        return (join_unspaced if self.cleaning.language in WITHOUT_BLANKS else join_words)(tokens)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        return [self.entries[_checked(number, self.size)] for number in ids]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "cleaning": self.cleaning.to_json(),
            "splitter": self.splitter,
            "tokens": list(self.entries),
        }


@dataclass(frozen=True)
class PieceTokenizer:
    """The pieces of a SentencePiece model; what it has no pieces for is spelled in bytes. See `Tokenizer`.

    Args:
        cleaning: of the side.
        model: the serialized model, as `check_model` accepts it.

    Raises:
        RunError: the model is damaged or not one of ours.
    """

    pad: ClassVar[int] = PAD
    start: ClassVar[int] = START
    end: ClassVar[int] = END
    unknown: ClassVar[int] = UNKNOWN

    cleaning: Cleaning
    model: bytes = field(repr=False)
    kind: str = field(default="bpe", init=False)

    def __post_init__(self) -> None:
        check_model(self.model)

    @cached_property
    def _processor(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_proto=self.model)

    def __getstate__(self) -> dict[str, Any]:
        return {"cleaning": self.cleaning, "model": self.model, "kind": self.kind}

    @property
    def size(self) -> int:
        return int(self._processor.get_piece_size())

    @cached_property
    def vocabulary(self) -> str:
        return hashlib.sha256(self.model).hexdigest()

    def encode(self, text: str) -> list[int]:
        return self._processor.encode(self.cleaning.clean(text)) or [UNKNOWN]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._processor.encode([self.cleaning.clean(text) for text in texts], num_threads=1)
        return [ids or [UNKNOWN] for ids in encoded]

    def decode(self, ids: Sequence[int]) -> str:
        size = self.size
        text: str = self._processor.decode([_checked(number, size) for number in ids if number > END])
        return text.replace(BLANK, " ").strip()  # a blank that has no piece is spelled in bytes, and stays its sign

    def tokens(self, ids: Sequence[int]) -> list[str]:
        size = self.size
        pieces = [self._processor.id_to_piece(_checked(number, size)) for number in ids]
        return [SPECIALS[number] if number <= UNKNOWN else piece for number, piece in zip(ids, pieces, strict=True)]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "cleaning": self.cleaning.to_json(),
            **encode_model(self.model),
        }


def _checked(number: int, size: int) -> int:
    if not 0 <= number < size:
        raise IndexError(f"token {number} of {size:,}")
    return int(number)


def share_vocabulary(one: Tokenizer, other: Tokenizer) -> bool:
    """Return whether equal ids mean equal tokens on both sides, so that embeddings can be shared."""
    return one.vocabulary == other.vocabulary


def split_all(kind: str, splitter: Mapping[str, Any] | None, texts: Sequence[str]) -> list[list[str]]:
    """Return the words or characters of cleaned texts.

    Raises:
        RunError: the splitter is of another version.
    """
    if kind == "char":
        return [list(text) for text in texts]
    if splitter is None:
        return [split_words(text) for text in texts]
    from dlcli.data.text.tokenizing.tokenizer import build_tokenizer

    return build_tokenizer(splitter).tokens_of_all(texts)


def tokenizer_from_json(value: Any) -> Tokenizer:
    """Return the tokenizer in a JSON value; nothing in it is trusted.

    Raises:
        RunError: the value is damaged, too large, or of a version that is not installed.
    """
    if not isinstance(value, Mapping) or value.get("kind") not in KINDS:
        raise _damaged(f"its kind is none of {', '.join(KINDS)}")
    cleaning = Cleaning.from_json(value.get("cleaning"))
    reader: Callable[[Mapping[str, Any], Cleaning], Tokenizer]
    reader = _pieces_from_json if value["kind"] == "bpe" else _vocabulary_from_json
    return reader(value, cleaning)


def _vocabulary_from_json(value: Mapping[str, Any], cleaning: Cleaning) -> Tokenizer:
    kind, tokens, splitter = value["kind"], value.get("tokens"), value.get("splitter")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise _damaged("not a list of tokens")
    if len(tokens) > MAX_TOKENS:
        raise _damaged(f"{len(tokens):,} tokens, the maximum is {MAX_TOKENS:,}")
    if splitter is not None:
        if kind != "word" or not isinstance(splitter, Mapping):
            raise _damaged("a splitter that is none")
        from dlcli.data.text.tokenizing.tokenizer import build_tokenizer

        build_tokenizer(splitter)
    try:
        return VocabularyTokenizer(kind, cleaning, tuple(tokens), dict(splitter) if splitter is not None else None)
    except ValueError as error:
        raise _damaged(str(error)) from None


def _pieces_from_json(value: Mapping[str, Any], cleaning: Cleaning) -> Tokenizer:
    model = decode_model(value.get("model"), value.get("sha256"))
    return PieceTokenizer(cleaning, model)


def _damaged(why: str) -> RunError:
    return RunError(f"the tokenizer is damaged: {why}", hint=_AGAIN)
