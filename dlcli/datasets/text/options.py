"""Options of `dl prepare` for labelled texts, separate from the importers so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option
from dlcli.data.text.cleaners import CLEANERS, read_kinds
from dlcli.data.text.tokenizing.stemming import STEMMERS
from dlcli.data.text.tokenizing.tokenizer import TOKENIZERS

MOST_TOKENS, MOST_PIECES = 50_000, 8_000
"""Default sizes of a vocabulary of words or characters, and of SentencePiece's pieces."""

MAX_CHARS = 16 * 2**20
"""Characters of a text, at most."""


@dataclass(frozen=True)
class CodingOptions:
    """Options of `dl prepare` for every dataset of labelled texts."""

    encoding: str = option(
        "auto", "encoding, such as gb18030 or cp1252 (auto: UTF-8, else judged by the bytes)", metavar="NAME"
    )
    tokenizer: str = option("jieba", "tokenizer; words: letters and digits, in small letters", choices=TOKENIZERS)
    clean: str | None = option(
        None, f"clean the texts by kinds of {', '.join(CLEANERS)}", metavar="KIND,KIND", read=read_kinds
    )
    stem: str | None = option(None, "reduce the words of a language to their stems", choices=STEMMERS)
    min_count: int = option(
        2, "treat tokens seen fewer than N times in training texts as unknown", minimum=1, maximum=10**9
    )
    max_vocab: int | None = option(
        None,
        f"keep at most N distinct tokens (default: {MOST_TOKENS:,}; of bpe {MOST_PIECES:,})",
        minimum=3,
        maximum=5_000_000,
    )
    stopwords: str | None = option(None, "file of words to leave out, one per line", metavar="FILE")
    strip_emoticons: bool = option(False, "remove emoticons such as [哈哈]")
    valid_fraction: float = option(0.1, "fraction of each class for the validation split", minimum=0, maximum=0.9)
    test_fraction: float = option(0.1, "fraction of each class for the test split", minimum=0, maximum=0.9)
    seed: int = option(0, "seed of the splits and the order", minimum=0, maximum=MAX_SEED)
    max_bad: int = option(100, "stop when more than N texts are unusable", minimum=0, maximum=10**9)


@dataclass(frozen=True)
class TextOptions(CodingOptions):
    """Options of `dl prepare weibo`, `text-csv`, `text-tsv` and `text-jsonl`."""

    text_column: str | None = option(
        None, "column of texts: its name, or its number if there is no header", metavar="COLUMN"
    )
    label_column: str | None = option(
        None, "column of labels: its name, or its number if there is no header", metavar="COLUMN"
    )


@dataclass(frozen=True)
class TextFolderOptions(CodingOptions):
    """Options of `dl prepare text-folder`."""

    suffix: str = option(".txt", "suffix of the files that hold a text each", metavar="SUFFIX")
    max_chars: int | None = option(None, "cut each text off after N characters", minimum=1, maximum=MAX_CHARS)
    classes: str | None = option(None, "the class folders to read (default: all)", metavar="NAME,NAME")


@dataclass(frozen=True)
class TextLinesOptions(CodingOptions):
    """Options of `dl prepare text-lines`."""

    column: int | None = option(None, "read column N, from 1, of tab-separated lines", minimum=1, maximum=10_000)
