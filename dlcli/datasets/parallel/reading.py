"""Reading sentence pairs from tab-separated columns or from two aligned files; each broken line is reported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path

from dlcli.core.errors import DataError, UsageError
from dlcli.data.parallel.languages import ENGLISH_NAMES, MAX_SAMPLED, is_possible, letters_by_script, script_names
from dlcli.data.reading.delimited import split_rows
from dlcli.data.reading.encodings import Encoding, open_text, require_encoding
from dlcli.data.reading.lines import Lines

_NAMES = (("source", "src", "from"), ("target", "tgt", "trg", "to"))
"""Usual headings of the two columns, besides the languages' codes."""


@dataclass(frozen=True)
class Languages:
    """The two languages: as they were typed, and their codes.

    Attributes:
        typed: of source and target, for the names of columns and files.
        codes: of source and target.
    """

    typed: tuple[str, str]
    codes: tuple[str, str]

    def headings(self, place: int) -> frozenset[str]:
        """Return the headings that name the column of the source (0) or the target (1)."""
        name = ENGLISH_NAMES.get(self.codes[place])
        return frozenset({*_NAMES[place], self.typed[place].casefold(), self.codes[place], *([name] if name else [])})


@dataclass
class RawPairs:
    """Pairs as a file has them.

    Attributes:
        pairs: source and target.
        encodings: of the files.
        columns: numbers of the columns of source and target, from 1; () for two files.
        broken: the first lines that lack a column, as "line 3: 1 column".
        num_broken: how many there are.
    """

    encodings: tuple[Encoding, ...]
    pairs: list[tuple[str, str]] = field(default_factory=list)
    columns: tuple[int, ...] = ()
    broken: list[str] = field(default_factory=list)
    num_broken: int = 0

    @property
    def num_read(self) -> int:
        """The number of lines that are not empty."""
        return len(self.pairs) + self.num_broken


def parse_columns(text: str) -> tuple[int, int]:
    """Return the numbers of two columns, from 0, of a text such as "2,1".

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*([1-9]\d{0,3})\s*,\s*([1-9]\d{0,3})\s*", text)
    if found is None or found[1] == found[2]:
        raise UsageError(
            f"--columns {text[:40]!r}: not two numbers of columns", hint="--columns 2,1: the source is column 2"
        )
    return int(found[1]) - 1, int(found[2]) - 1


def read_columns(
    path: Path, languages: Languages, *, encoding: str, columns: str | None, max_bad: int, english_first: bool
) -> RawPairs:
    """Return the pairs of a tab-separated file; a header is left out, and so are other columns.

    Args:
        path: the file.
        languages: of source and target.
        encoding: name, or "auto".
        columns: the user's choice of columns; None tells them by heading or script, of the first two.
        max_bad: the largest number of lines without both columns.
        english_first: whether the first column is English, as in Anki's files, where scripts tell nothing.

    Raises:
        DataError: the file cannot be read, its columns are not in these languages, or too many lines are broken.
        UsageError: `columns` is no choice.
    """
    asked = parse_columns(columns) if columns is not None else None
    found = RawPairs((require_encoding(path, encoding),))
    sample = _sample(path, found.encodings[0])
    header = _heading_places(sample[0], languages) if sample else None
    if header is not None:
        del sample[0]
    if not sample:
        raise DataError(f"{path}: holds no rows", hint="each line has a sentence, a tab and its translation")
    places = asked or header or _places_by_script(path, sample, languages, english_first)
    if asked or header:
        _check_scripts(path, sample, languages, places, is_typed=asked is not None)
    found.columns = (places[0] + 1, places[1] + 1)
    for line, cells in islice(_rows(path, found.encodings[0]), header is not None, None):
        if len(cells) > max(places):
            found.pairs.append((cells[places[0]], cells[places[1]]))
            continue
        found.num_broken += 1
        if len(found.broken) < 3:
            found.broken.append(f"line {line:,}: {len(cells)} column{'s' if len(cells) > 1 else ''}")
    if found.num_broken > max_bad or not found.pairs:
        raise _too_many_broken(path, found, max(places) + 1, max_bad)
    return found


def _rows(path: Path, encoding: Encoding) -> Iterator[tuple[int, Sequence[str]]]:
    with open_text(path, encoding=encoding) as stream:
        for row in split_rows(Lines(stream, str(path)), "\t", has_quotes=False):
            if row.cells:
                yield row.line, row.cells


def _sample(path: Path, encoding: Encoding) -> list[Sequence[str]]:
    """Return the first rows and then every hundredth, since a file may begin with its shortest sentences."""
    rows = _rows(path, encoding)
    first = [cells for _, cells in islice(rows, MAX_SAMPLED)]
    return first + [cells for _, cells in islice(rows, 0, 100 * MAX_SAMPLED, 100)]


def _heading_places(cells: Sequence[str], languages: Languages) -> tuple[int, int] | None:
    """Return the columns of source and target if a first row names both, or None."""
    names = [cell.strip().casefold() for cell in cells]
    found = [[place for place, name in enumerate(names) if name in languages.headings(side)] for side in (0, 1)]
    return (found[0][0], found[1][0]) if all(len(places) == 1 for places in found) else None


def _column(rows: Sequence[Sequence[str]], place: int) -> Iterator[str]:
    return (cells[place] for cells in rows if len(cells) > place)


def _places_by_script(
    path: Path, rows: Sequence[Sequence[str]], languages: Languages, english_first: bool
) -> tuple[int, int]:
    """Return the columns of source and target, told by the scripts of the first two."""
    letters = [letters_by_script(_column(rows, place)) for place in (0, 1)]
    possible = [
        places
        for places in ((0, 1), (1, 0))
        if all(is_possible(language, letters[place]) for language, place in zip(languages.codes, places, strict=True))
    ]
    if len(possible) == 1:
        return possible[0]
    if not possible:
        raise DataError(
            f"{path}: no column in the language {_unfit(languages, letters)!r}",
            details=[f"column {place + 1}: {script_names(letters[place])}" for place in (0, 1)],
            hint="name the languages with --source and --target",
        )
    if not english_first:
        return 0, 1
    if "en" not in languages.codes:
        raise DataError(
            f"{path}: which column is in the language {languages.codes[0]!r}?",
            hint="set the columns of source and target: --columns 2,1",
        )
    return (0, 1) if languages.codes[0] == "en" else (1, 0)


def _unfit(languages: Languages, letters: Sequence[dict[str, int]]) -> str:
    """Return the first language that neither column can be in, or the first one."""
    unfit = [code for code in languages.codes if not any(is_possible(code, of_column) for of_column in letters)]
    return [*unfit, languages.codes[0]][0]


def _check_scripts(
    path: Path, rows: Sequence[Sequence[str]], languages: Languages, places: tuple[int, int], is_typed: bool
) -> None:
    """Check that the columns are in their languages.

    Raises:
        DataError: one of them is in another script; the wrong direction is named.
    """
    letters = [letters_by_script(_column(rows, place)) for place in places]
    if all(map(is_possible, languages.codes, letters)):
        return
    swapped = all(map(is_possible, languages.codes, letters[::-1]))
    turned = f"--columns {places[1] + 1},{places[0] + 1}, or exchange --source and --target"
    raise DataError(
        f"{path}: column {places[0] + 1} is not in {languages.codes[0]!r}, or column {places[1] + 1} not in"
        f" {languages.codes[1]!r}",
        details=[f"column {place + 1}: {script_names(found)}" for place, found in zip(places, letters, strict=True)],
        hint=turned if swapped else f"name the languages with --source and --target{', or other --columns' * is_typed}",
    )


def _too_many_broken(path: Path, found: RawPairs, width: int, max_bad: int) -> DataError:
    if not found.pairs:
        return DataError(
            f"{path}: no line has {width} columns",
            details=found.broken[:2],
            hint="each line has a sentence, a tab and its translation",
        )
    return DataError(
        f"{path}: more than {max_bad:,} lines without {width} columns",
        details=found.broken[:2],
        hint="correct them, or allow more with --max-bad",
    )


def read_aligned(paths: tuple[Path, Path], languages: Languages, *, encoding: str) -> RawPairs:
    """Return the pairs of two files, whose lines of equal number belong together.

    Raises:
        DataError: a file cannot be read or is in another language, or they have different numbers of lines.
    """
    found = RawPairs((require_encoding(paths[0], encoding), require_encoding(paths[1], encoding)))
    counts = [0, 0]
    with (
        open_text(paths[0], encoding=found.encodings[0]) as one,
        open_text(paths[1], encoding=found.encodings[1]) as two,
    ):
        for lines in zip_longest(Lines(one, str(paths[0])), Lines(two, str(paths[1]))):
            for place, line in enumerate(lines):
                counts[place] += line is not None
            if None not in lines:
                found.pairs.append((lines[0], lines[1]))
    if counts[0] != counts[1]:
        raise DataError(
            f"{paths[0]} has {counts[0]:,} lines, but {paths[1]} has {counts[1]:,}",
            hint="line N of one file must be the translation of line N of the other",
        )
    step = max(1, len(found.pairs) // MAX_SAMPLED)
    letters = [letters_by_script(pair[place] for pair in found.pairs[::step]) for place in (0, 1)]
    for path, language, of_file in zip(paths, languages.codes, letters, strict=True):
        if not is_possible(language, of_file):
            swapped = all(map(is_possible, languages.codes, letters[::-1]))
            raise DataError(
                f"{path}: is not in the language {language!r}, but has {script_names(of_file)}",
                hint="exchange the two files" if swapped else "name the languages with --source and --target",
            )
    return found
