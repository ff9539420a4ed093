"""Fitting tokenizers to the training part: frequent words or characters, or SentencePiece's BPE (arXiv:1808.06226)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dlcli.core.errors import DataError, UsageError
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.languages import WITHOUT_BLANKS
from dlcli.data.parallel.tokenizers import SPECIALS, PieceTokenizer, Tokenizer, VocabularyTokenizer, split_all
from dlcli.data.text.tokenizing.pieces import train_pieces
from dlcli.data.text.tokenizing.tokenizer import make_spec


@dataclass(frozen=True)
class Fit:
    """What to fit.

    Attributes:
        kind: one of `tokenizers.KINDS`.
        min_count: words or characters that are rarer are unknown.
        vocab_size: the largest number of tokens, the special ones included.
    """

    kind: str
    min_count: int
    vocab_size: int


def fit_tokenizer(fit: Fit, cleaning: Cleaning, texts: Sequence[str]) -> Tokenizer:
    """Return a tokenizer for one side: equal texts give an equal one.

    Args:
        fit: what to fit.
        cleaning: of the side.
        texts: the side's training sentences, cleaned.

    Raises:
        UsageError: there are no words in a language without blanks, or the size is too small for BPE.
        DataError: nothing is frequent enough.
    """
    if fit.kind == "bpe":
        return PieceTokenizer(cleaning, train_pieces(texts, fit.vocab_size, cleaning.language not in WITHOUT_BLANKS))
    splitter = None
    if fit.kind == "word" and cleaning.language == "zh":
        splitter = make_spec("jieba")
    elif fit.kind == "word" and cleaning.language in WITHOUT_BLANKS:
        raise UsageError(
            f"--tokenizer word: no words are known of the language {cleaning.language!r}", hint="use bpe or char"
        )
    counts: Counter[str] = Counter()
    for tokens in split_all(fit.kind, splitter, texts):
        counts.update(tokens)
    for token in SPECIALS:
        counts.pop(token, None)
    frequent = [token for token, count in counts.items() if count >= fit.min_count]
    frequent.sort(key=lambda token: (-counts[token], token))
    if not frequent:
        raise DataError(f"no token occurs {fit.min_count} times in the training sentences", hint="lower --min-count")
    entries = (*SPECIALS, *frequent[: fit.vocab_size - len(SPECIALS)])
    return VocabularyTokenizer(fit.kind, cleaning, entries, splitter)


def fit_joint(fit: Fit, cleanings: tuple[Cleaning, Cleaning], texts: Iterable[str]) -> tuple[Tokenizer, Tokenizer]:
    """Return tokenizers of both sides with one vocabulary.

    Args:
        fit: of kind "bpe".
        cleanings: of the source and of the target.
        texts: the training sentences of both sides.

    Raises:
        UsageError: the kind is another, or the size is too small.
    """
    if fit.kind != "bpe":
        raise UsageError(f"--joint: not with --tokenizer {fit.kind}", hint="use --tokenizer bpe, or leave it out")
    has_blanks = any(cleaning.language not in WITHOUT_BLANKS for cleaning in cleanings)
    model = train_pieces(texts, fit.vocab_size, has_blanks)
    return PieceTokenizer(cleanings[0], model), PieceTokenizer(cleanings[1], model)
