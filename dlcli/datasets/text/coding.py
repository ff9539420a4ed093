"""From prepared texts to token ids: the vocabulary, the packed copies, and warnings about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.data.card import Card
from dlcli.data.text import writer as text_writer
from dlcli.data.text.cleaners import Cleaner, read_kinds
from dlcli.data.text.form import form_of
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.stop_words import StopWordCounter, stop_word_warnings
from dlcli.data.text.tokenizing.kinds import kind_of, without_units
from dlcli.data.text.tokenizing.piece_tokens import PieceTokens
from dlcli.data.text.tokenizing.pieces import train_pieces
from dlcli.data.text.tokenizing.stemming import stem_word
from dlcli.data.text.tokenizing.tokenizer import PIECES, build_tokenizer, make_spec
from dlcli.data.text.vocabulary import SPECIALS, TokenCounter, Vocabulary
from dlcli.datasets.text.options import MOST_PIECES, MOST_TOKENS, CodingOptions

EMOTICON = "emoticon"

LONG = 512
"""Texts with more tokens than this are long; a network reads 256 of a text by default."""
MANY = 0.05
"""Fraction of long texts from which the user is warned."""
_PERCENTILES = {"median": 50, "p95": 95, "p99": 99}


def tokenise(card: Card, folder: Path, options: CodingOptions, stop_words: Sequence[str]) -> Card:
    """Write the vocabulary and the packed copies of the JSONL in `folder`; return the card with their details.

    Each text is tokenised once: training texts get preliminary ids, which are replaced once the vocabulary is known.

    Args:
        card: the card of the JSONL splits.
        folder: the prepared form.
        options: tokenizer, cleaning, stemming, `min_count`, `max_vocab` and `strip_emoticons` are used.
        stop_words: words to leave out.

    Raises:
        DataError: no token is frequent enough.
    """
    strip = [EMOTICON] if options.strip_emoticons else []
    kinds = read_kinds(options.clean or "")
    model = _train_pieces(card, folder, options, kinds) if options.tokenizer == PIECES else None
    common: dict[str, Any] = {"strip": strip, "clean": kinds, "model": model}
    spec = make_spec(options.tokenizer, stopwords=stop_words, stem=options.stem, **common)
    # It keeps stop words, which are counted below and stand in texts unstemmed; the stems are taken after that.
    tokenizer = build_tokenizer(make_spec(options.tokenizer, **common))
    stems = _stems_of if options.stem else _as_they_are
    stop_words = spec["stopwords"]
    train_words = StopWordCounter(stop_words, len(card.classes))
    other_words = StopWordCounter(stop_words, len(card.classes))
    counter = TokenCounter(folder)

    def number_train(texts: Sequence[str], labels: Sequence[int]) -> Iterator[list[int]]:
        return map(counter.numbers, map(stems, map(train_words.without, tokenizer.tokens_of_all(texts), labels)))

    text_writer.pack(folder, "train", card.classes, number_train)
    fixed = tokenizer.entries() if isinstance(tokenizer, PieceTokens) else None
    vocabulary = _settle_vocabulary(counter, folder, options, fixed)

    def number_other(texts: Sequence[str], labels: Sequence[int]) -> Iterator[list[int]]:
        return map(vocabulary.numbers, map(stems, map(other_words.without, tokenizer.tokens_of_all(texts), labels)))

    for split in card.splits:
        if split != "train":
            text_writer.pack(folder, split, card.classes, number_other)
    text_writer.seal(folder, card.splits, text_writer.coding_digest(vocabulary, spec))
    totals = np.array([card.counts["train"][name] for name in card.classes])
    return replace(
        card,
        details={**card.details, "tokenizer": spec, "vocab_size": len(vocabulary), "min_count": options.min_count},
        warnings=(
            *card.warnings,
            *stop_word_warnings(stop_words, train_words.texts_with(), totals, card.classes),
        ),
    )


def _as_they_are(tokens: Sequence[str]) -> Sequence[str]:
    return tokens


def _stems_of(tokens: Sequence[str]) -> Sequence[str]:
    return [token if kind_of(token) is not None else stem_word(token) for token in tokens]


class TextCleaning:
    """Cleans the texts of a dataset as its options say, before they are compared and stored.

    Attributes:
        changed: kind of cleaning -> how many texts it has changed.
    """

    def __init__(self, options: CodingOptions) -> None:
        self._clean = Cleaner(read_kinds(options.clean or ""))
        self._stripped = (EMOTICON,) if options.strip_emoticons else ()
        self.changed: Mapping[str, int] = self._clean.changed

    def __call__(self, text: str) -> str:
        """Return the text cleaned, and with a space in place of each emoticon if they are unwanted."""
        text = self._clean(text)
        return without_units(text, self._stripped)

    def notes(self) -> list[str]:
        """Return a line on how many texts each kind has changed; [] if none was changed."""
        if not self.changed:
            return []
        counts = ", ".join(f"{kind} in {count:,}" for kind, count in sorted(self.changed.items()))
        return [f"cleaning has changed texts: {counts}"]


def _train_pieces(card: Card, folder: Path, options: CodingOptions, kinds: Sequence[str]) -> bytes:
    """Return SentencePiece's model of the training texts, cleaned as the tokenizer will clean them."""
    clean = Cleaner(kinds)
    texts = [clean(text) for _, text, _ in text_writer.read_jsonl(jsonl_file(folder, "train"), card.classes)]
    has_blanks = 2 * sum(" " in text for text in texts) > len(texts)
    return train_pieces(texts, options.max_vocab or MOST_PIECES, has_blanks, flag="--max-vocab")


def _settle_vocabulary(
    counter: TokenCounter, folder: Path, options: CodingOptions, fixed: Sequence[str] | None
) -> Vocabulary:
    """Build and write the vocabulary of the training texts, and replace the preliminary ids by its own.

    Args:
        counter, folder, options: as above.
        fixed: the tokens of the vocabulary where the tokenizer has a list of them: pieces; None counts tokens.
    """
    ids_file = text_writer.packed_file(folder, "train", "ids")
    counts = np.zeros(counter.num_numbers, dtype=np.int64)
    for block in text_writer.id_blocks(ids_file):
        counts += np.bincount(block, minlength=len(counts))
    least, most = (options.min_count, options.max_vocab or MOST_TOKENS) if fixed is None else (1, len(counts) + 2)
    vocabulary, places = counter.frequent(counts, min_count=least, most=most)
    if fixed is not None:
        counted, vocabulary = vocabulary, Vocabulary((*SPECIALS, *fixed))
        places = np.array(vocabulary.numbers(counted.tokens), np.int32)[places]
    counter.remove_tables()
    if len(vocabulary) == len(SPECIALS):
        raise DataError(f"no token occurs {options.min_count} times in the training texts", hint="lower --min-count")
    text_writer.renumber(ids_file, places)
    write_json(folder / text_writer.VOCABULARY, list(vocabulary.tokens))
    return vocabulary


def look_over(card: Card, folder: Path) -> Card:
    """Return the card with the text lengths (in tokens), the audit, and their warnings."""
    from dlcli.data.text.audit.report import audit_texts

    form = form_of(folder, card)
    lengths = np.diff(form.offsets("train"))
    statistics: dict[str, Any] = {"mean": round(float(lengths.mean()), 2), "max": int(lengths.max())}
    for name, percent in _PERCENTILES.items():
        statistics[name] = int(np.percentile(lengths, percent, method="inverted_cdf"))
    warnings = []
    share = float((lengths > LONG).mean())
    if share >= MANY:
        warnings.append(f"{share:.0%} of the training texts are longer than {LONG} tokens; training reads --max-length")
    audit = audit_texts(form)
    return replace(
        card,
        details={**card.details, "lengths": statistics, "audit": audit},
        warnings=(*card.warnings, *warnings, *audit["warnings"]),
    )
