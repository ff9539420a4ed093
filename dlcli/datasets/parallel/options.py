"""Options of `dl prepare` for sentence pairs, separate from the importers so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option
from dlcli.data.parallel.cleaning import NORMAL_FORMS
from dlcli.data.parallel.tokenizers import KINDS, MAX_TOKENS

GROUPS, RANDOM = "groups", "random"
BOTH, NEITHER = "both", "none"


@dataclass(frozen=True)
class ParallelOptions:
    """Options of every importer of sentence pairs."""

    source_language: str = option("zh", "language to translate from: its code", flag="source", metavar="CODE")
    target_language: str = option("en", "language to translate to: its code", flag="target", metavar="CODE")
    tokenizer: str = option("bpe", "tokens: words, characters, or subwords (SentencePiece)", choices=KINDS)
    target_tokenizer: str | None = option(
        None, "tokens of the target (default: those of --tokenizer)", choices=KINDS, is_advanced=True
    )
    vocab_size: int = option(4000, "keep at most N distinct tokens of a side", minimum=5, maximum=MAX_TOKENS)
    min_count: int = option(
        2, "treat words and characters seen fewer than N times in training as unknown", minimum=1, maximum=10**9
    )
    joint: bool = option(False, "one vocabulary for both sides (bpe)")
    split: str = option(
        GROUPS,
        "groups keeps the sentences of test pairs out of training; random does not, and counts them",
        choices=(GROUPS, RANDOM),
    )
    valid: float | None = option(
        None, "pairs of the validation part; below 1, their fraction (default: 1000, at most a tenth)", minimum=0
    )
    test: float | None = option(
        None, "pairs of the test part; below 1, their fraction (default: 1000, at most a tenth)", minimum=0
    )
    seed: int = option(0, "seed of the parts and of their order", minimum=0, maximum=MAX_SEED)
    max_length: int = option(
        100, "drop pairs with a sentence of more than N words (characters, where words have no blanks)", minimum=1
    )
    max_ratio: float = option(4.0, "drop pairs whose length ratio is over X times the usual one", minimum=1)
    unicode: str = option(
        "nfkc", "normal form: nfkc makes full-width letters half-width", choices=NORMAL_FORMS, is_advanced=True
    )
    lowercase: str = option(
        NEITHER, "sides to convert to lowercase", choices=("source", "target", BOTH, NEITHER), is_advanced=True
    )
    encoding: str = option(
        "auto", "encoding, such as gb18030 or cp1252 (auto: UTF-8, else judged by the bytes)", metavar="NAME"
    )
    max_bad: int = option(100, "stop when more than N lines lack a column", minimum=0, maximum=10**9)


@dataclass(frozen=True)
class ColumnOptions(ParallelOptions):
    """Options of `dl prepare anki` and `pairs-tsv`."""

    columns: str | None = option(
        None,
        "numbers of the columns of source and target, such as 2,1 (default: detected by their scripts)",
        metavar="N,N",
    )


@dataclass(frozen=True)
class AlignedOptions(ParallelOptions):
    """Options of `dl prepare pairs-text`."""

    target_file: str | None = option(
        None, "file of the target's sentences (default: named like SOURCE, with the target's code)", metavar="FILE"
    )
