"""Sentence pairs: cleaned, filtered, split so that no sentence is in two parts, and tokenised.

The pairs are held in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.filtering import Filtered, filter_pairs
from dlcli.data.parallel.fitting import Fit, fit_joint, fit_tokenizer
from dlcli.data.parallel.form import FORM
from dlcli.data.parallel.groups import draw_parts, group_pairs, shared_sentences
from dlcli.data.parallel.languages import require_pair
from dlcli.data.parallel.tokenizers import UNKNOWN, Tokenizer, share_vocabulary
from dlcli.data.parallel.writer import SIDES, PackedPairs, write_form
from dlcli.datasets.parallel.files import find_aligned, find_columns
from dlcli.datasets.parallel.options import BOTH, RANDOM, AlignedOptions, ColumnOptions, ParallelOptions
from dlcli.datasets.parallel.reading import Languages, RawPairs, parse_columns, read_aligned, read_columns
from dlcli.datasets.parallel.traditional import count_traditional

DEFAULT_PART = 1000
DEFAULT_FRACTION = 0.1
_PERCENTILES = {"median": 50, "p95": 95}
Pairs = Sequence[tuple[str, str]]


class ParallelImporter:
    """Converts a file of pairs, or two files; see `dlcli.data.importing.preparing.Importer`.

    Args:
        options: a `ColumnOptions` or an `AlignedOptions`.
        name: of the dataset.

    Raises:
        UsageError: two options contradict each other.
    """

    def __init__(self, options: ParallelOptions, name: str) -> None:
        self.options = options
        self.name = name
        typed = (options.source_language, options.target_language)
        self.languages = Languages(typed, require_pair(*typed))
        if isinstance(options, ColumnOptions) and options.columns is not None:
            parse_columns(options.columns)
        kinds = {options.tokenizer, options.target_tokenizer or options.tokenizer}
        if options.joint and kinds != {"bpe"}:
            raise UsageError(
                f"--joint: not with {' and '.join(sorted(kinds))} tokens", hint="use --tokenizer bpe, or leave it out"
            )
        for flag, size in (("valid", options.valid), ("test", options.test)):
            if size is not None and size >= 1 and size != int(size):
                raise UsageError(f"--{flag} {size:g}: neither a number of pairs nor a fraction below 1")

    def locate(self, source: Path | None) -> list[Path]:
        """Return the file, or the two files.

        Raises:
            DataError: they are missing, or a folder does not hold exactly one.
        """
        if source is None:
            raise DataError("name the SOURCE: a file of sentence pairs")
        if isinstance(self.options, AlignedOptions):
            return list(find_aligned(source, self.options.target_file, self.languages))
        return [find_columns(source)]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the form takes: the sentences, and their token ids."""
        return 3 * sum(path.stat().st_size for path in files)

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the JSONL splits, the tokenizers and the packed copies, and return the card.

        Raises:
            DataError: a file does not follow its format, or too few pairs are of use.
        """
        raw = self._read(files)
        named = f", columns {raw.columns[0]} and {raw.columns[1]}" if raw.columns else ""
        source, target = self.languages.codes
        report(f"{files[0]}: {raw.num_read:,} lines, {raw.encodings[0].name}, {source} to {target}{named}")
        cleanings = self._cleanings()
        cleaned = [(cleanings[0].clean(one), cleanings[1].clean(two)) for one, two in raw.pairs]
        length, ratio = self.options.max_length, self.options.max_ratio
        filtered = filter_pairs(cleaned, self.languages.codes, max_length=length, max_ratio=ratio)
        if not filtered.pairs:
            raise _nothing_left(files[0], raw, filtered)
        rows = {"read": raw.num_read, "broken": raw.num_broken, **filtered.counts, "kept": len(filtered.pairs)}
        report(", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in rows.items() if count))
        details: dict[str, Any] = {"languages": dict(zip(SIDES, self.languages.codes, strict=True)), "rows": rows}
        details["cleaned"] = _num_changed(raw.pairs, cleaned)
        details["traditional"] = count_traditional(filtered.pairs, self.languages.codes, report)
        splits, details["groups"] = self._split(filtered.pairs, files[0])
        tokenizers = self._fit(splits["train"])
        packed = write_form(folder, splits, tokenizers)
        details |= _token_details(packed, tokenizers)
        report(_summary(details))
        items = {split: len(pairs) for split, pairs in splits.items()}
        return Card(FORM, self.name, (), {}, details, warnings=tuple(self._warnings(files, raw, details)), items=items)

    def _read(self, files: list[Path]) -> RawPairs:
        options = self.options
        if isinstance(options, ColumnOptions):
            return read_columns(
                files[0],
                self.languages,
                encoding=options.encoding,
                columns=options.columns,
                max_bad=options.max_bad,
                english_first=self.name == "anki",
            )
        return read_aligned((files[0], files[1]), self.languages, encoding=options.encoding)

    def _cleanings(self) -> tuple[Cleaning, Cleaning]:
        options = self.options
        source, target = (
            Cleaning(language, options.unicode, options.lowercase in (side, BOTH))
            for side, language in zip(SIDES, self.languages.codes, strict=True)
        )
        return source, target

    def _split(self, pairs: Pairs, path: Path) -> tuple[dict[str, Pairs], dict[str, Any]]:
        """Return the pairs of each split, and the groups with the proof that splits share no sentence."""
        groups = group_pairs(pairs)
        sizes = {part: self._size(part, len(pairs)) for part in ("valid", "test")}
        if sum(sizes.values()) > len(pairs) / 2:
            raise DataError(
                f"{path}: too few pairs, {len(pairs):,}, for {sum(sizes.values()):,} to validate and test",
                hint="lower --valid and --test; at least half of the pairs must be left to train on",
            )
        is_random = self.options.split == RANDOM
        parts = draw_parts(np.arange(len(pairs)) if is_random else groups, sizes, self.options.seed)
        splits: dict[str, Pairs] = {
            part: [pairs[row] for row in rows.tolist()] for part, rows in parts.items() if len(rows)
        }
        small = [part for part in ("train", *sizes) if part not in splits and sizes.get(part, 1)]
        if small:
            raise DataError(
                f"{path}: of {len(pairs):,} pairs in {int(groups.max()) + 1:,} groups, {small[0]} gets none",
                hint="pairs with an equal sentence stay together; use more pairs, or --split random",
            )
        proof: dict[str, Any] = {
            "count": int(groups.max()) + 1,
            "largest": int(np.bincount(groups).max()),
            "split": self.options.split,
            "shared": shared_sentences(splits),
        }
        return splits, proof

    def _size(self, part: str, num_pairs: int) -> int:
        size = self.options.valid if part == "valid" else self.options.test
        if size is None:
            return max(min(DEFAULT_PART, int(DEFAULT_FRACTION * num_pairs)), 1)
        return int(size) if size >= 1 else round(size * num_pairs)

    def _fit(self, pairs: Pairs) -> dict[str, Tokenizer]:
        options = self.options
        fit = Fit(options.tokenizer, options.min_count, options.vocab_size)
        cleanings = self._cleanings()
        if options.joint:
            found = fit_joint(fit, cleanings, [sentence for pair in pairs for sentence in pair])
            return dict(zip(SIDES, found, strict=True))
        other = Fit(options.target_tokenizer or options.tokenizer, options.min_count, options.vocab_size)
        return {
            side: fit_tokenizer(what, cleaning, [pair[place] for pair in pairs])
            for place, (side, what, cleaning) in enumerate(zip(SIDES, (fit, other), cleanings, strict=True))
        }

    def _warnings(self, files: list[Path], raw: RawPairs, details: dict[str, Any]) -> list[str]:
        doubts = [encoding.warning(path) for path, encoding in zip(files, raw.encodings, strict=True)]
        found = [doubt for doubt in doubts if doubt]
        if raw.num_broken:
            found.append(f"lines that lack a column were skipped, {raw.num_broken:,}: {'; '.join(raw.broken)}")
        leaks = details["groups"]["shared"].get("test in train", {}).get("either", 0)
        if leaks:
            share = f"{leaks:,} test pairs have a sentence that is also in training"
            found.append(f"--split {self.options.split}: {share}, so figures on them are too good")
        return found


def anki_importer(options: ColumnOptions) -> ParallelImporter:
    """Return the importer of `anki`."""
    return ParallelImporter(options, "anki")


def tsv_importer(options: ColumnOptions) -> ParallelImporter:
    """Return the importer of `pairs-tsv`."""
    return ParallelImporter(options, "pairs-tsv")


def text_importer(options: AlignedOptions) -> ParallelImporter:
    """Return the importer of `pairs-text`."""
    return ParallelImporter(options, "pairs-text")


def _nothing_left(path: Path, raw: RawPairs, filtered: Filtered) -> DataError:
    reasons = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in filtered.counts.items() if count]
    return DataError(
        f"{path}: no pair of use among {raw.num_read:,} lines",
        details=[", ".join(reasons)] if reasons else [],
        hint="each line needs a sentence and its translation; --max-length and --max-ratio drop long and unlike ones",
    )


def _num_changed(before: Pairs, after: Pairs) -> dict[str, int]:
    """Return how many sentences of each side cleaning has changed."""
    return {
        side: sum(one[place] != other[place] for one, other in zip(before, after, strict=True))
        for place, side in enumerate(SIDES)
    }


def _token_details(packed: dict[str, PackedPairs], tokenizers: dict[str, Tokenizer]) -> dict[str, Any]:
    """Return kind, size and lengths of each side's tokens, and the share of unknown ones by split."""
    lengths: dict[str, dict[str, float]] = {}
    for side in SIDES:
        found = np.diff(packed["train"].offsets[side])
        lengths[side] = {"mean": round(float(found.mean()), 2), "max": int(found.max())}
        for name, percent in _PERCENTILES.items():
            lengths[side][name] = int(np.percentile(found, percent, method="inverted_cdf"))
    return {
        "tokenizers": {side: {"kind": tokenizers[side].kind, "size": tokenizers[side].size} for side in SIDES},
        "joint": share_vocabulary(tokenizers["source"], tokenizers["target"]),
        "cleaning": {side: tokenizers[side].cleaning.to_json() for side in SIDES},
        "lengths": lengths,
        "unknown": {
            split: {side: round(float((arrays.ids[side] == UNKNOWN).mean()), 6) for side in SIDES}
            for split, arrays in packed.items()
        },
    }


def _summary(details: dict[str, Any]) -> str:
    """Return the line about tokens and groups."""
    sides = ", ".join(
        f"{side}: {details['tokenizers'][side]['size']:,} {details['tokenizers'][side]['kind']} tokens,"
        f" {details['lengths'][side]['mean']:.1f} a sentence"
        for side in SIDES
    )
    groups = details["groups"]
    return f"{sides}; {groups['count']:,} groups, the largest of {groups['largest']:,} pairs"
