"""The vocabulary of a BERT in a Hugging Face folder, and how its words are spelled. Nothing in it is trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.text.vocabulary import SPECIALS, Vocabulary

VOCABULARY, TOKENIZER, SETTINGS = "vocab.txt", "tokenizer.json", "tokenizer_config.json"
MAX_BYTES = 64 * 2**20
MAX_PIECES = 1_000_000

_PAD, _UNK, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


@dataclass(frozen=True)
class Pieces:
    """A BERT's vocabulary in the order of a run, where padding and the unknown token come first.

    Attributes:
        vocabulary: the run's.
        order: for each of its tokens the row in the folder's vocabulary.
        flags: the fields `tokenizer.FLAGS` of its specification.
    """

    vocabulary: Vocabulary
    order: tuple[int, ...]
    flags: Mapping[str, bool]

    @property
    def frame(self) -> tuple[int, int]:
        """The tokens that begin and end a text, [CLS] and [SEP]."""
        return self.vocabulary.tokens.index(FIRST), self.vocabulary.tokens.index(LAST)


def read_pieces(folder: Path) -> Pieces:
    """Return the vocabulary in a folder's vocab.txt, else tokenizer.json.

    Raises:
        DataError: there is neither, or it is damaged, too large, or not WordPiece's.
    """
    path = next((folder / name for name in (VOCABULARY, TOKENIZER) if (folder / name).is_file()), None)
    if path is None:
        raise DataError(f"{folder}: no {VOCABULARY} and no {TOKENIZER}", hint="take them from where the weights are")
    described = _object(folder / TOKENIZER) if (folder / TOKENIZER).is_file() else {}
    words = _lines(path) if path.name == VOCABULARY else _described(described, path)
    if len(words) > MAX_PIECES:
        raise DataError(f"{path}: {len(words):,} pieces, the maximum is {MAX_PIECES:,}")
    missing = [token for token in (_PAD, _UNK, FIRST, LAST) if token not in words]
    if missing:
        raise DataError(f"{path}: not BERT's vocabulary: it has no {missing[0]}")
    special = (words.index(_PAD), words.index(_UNK))
    order = [*special, *(row for row in range(len(words)) if row not in special)]
    try:
        vocabulary = Vocabulary((*SPECIALS, *(words[row] for row in order[2:])))
    except ValueError as error:
        raise DataError(f"{path}: not BERT's vocabulary: {error}") from None
    settings = _object(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}
    return Pieces(vocabulary, tuple(order), _flags(settings, described, words))


def pieces_spec(pieces: Pieces, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification of a tokenizer that cuts prepared texts into these pieces.

    Args:
        pieces: the vocabulary.
        spec: that of the prepared texts, whose cleaning and stripping are done here too; stop words are left in and
            words unstemmed, since BERT was trained on whole texts.
    """
    from dlcli.data.text.tokenizing.tokenizer import make_spec

    clean = spec.get("clean", {}).get("kinds", ())
    return {**make_spec("wordpiece", strip=spec["strip"], clean=clean), **pieces.flags}


def _lines(path: Path) -> list[str]:
    try:
        lines = _content(path).decode().split("\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8", hint="take another copy of the file") from None
    return [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _described(described: Mapping[str, Any], path: Path) -> list[str]:
    """Return the vocabulary in a tokenizer.json.

    Raises:
        DataError: it is not WordPiece's, or does not number the pieces from 0.
    """
    model = described.get("model")
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        raise DataError(f"{path}: not the tokenizer of a BERT (WordPiece)")
    numbers = model.get("vocab")
    if not isinstance(numbers, dict) or sorted(map(str, numbers.values())) != sorted(map(str, range(len(numbers)))):
        raise DataError(f"{path}: its pieces are not numbered from 0", hint="take another copy of the file")
    return sorted(numbers, key=lambda word: int(numbers[word]))


def _flags(settings: Mapping[str, Any], described: Mapping[str, Any], words: Sequence[str]) -> dict[str, bool]:
    """Return how words are spelled: as the settings say, else the tokenizer's own file, else the vocabulary's look."""
    normaliser = described.get("normalizer")
    own = normaliser if isinstance(normaliser, dict) else {}
    has_capitals = any(word[:1] != "[" and word != word.lower() for word in words)
    lower = _first_bool(settings.get("do_lower_case"), own.get("lowercase"), not has_capitals)
    return {
        "lower": lower,
        "strip_accents": _first_bool(settings.get("strip_accents"), own.get("strip_accents"), lower),
        "chinese": _first_bool(settings.get("tokenize_chinese_chars"), own.get("handle_chinese_chars"), True),
    }


def _first_bool(*values: Any) -> bool:
    return next(value for value in values if isinstance(value, bool))


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_content(path))
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not JSON", hint="take another copy of the file") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: not a JSON object", hint="take another copy of the file")
    return content


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: over {MAX_BYTES // 2**20} MiB, too large for a vocabulary")
    return content
