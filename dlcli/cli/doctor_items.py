"""What `dl doctor` says of single items: near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import DataError, UsageError
from dlcli.core.files import is_folder
from dlcli.core.table import Table

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.collection import Collection, Pairs


@dataclass(frozen=True)
class DoctorOptions:
    """Options of `dl doctor`."""

    near_duplicates: bool = option(False, "find items of the data that are nearly equal, within and across splits")
    out: str | None = option(None, "draw the images that were found as a PNG file", metavar="FILE")


def check_options(options: DoctorOptions, *, is_data: bool) -> None:
    """Check that the options suit what is examined.

    Raises:
        UsageError: they do not.
    """
    if options.near_duplicates and not is_data:
        raise UsageError("--near-duplicates: name prepared data", hint="`dl doctor data/NAME --near-duplicates`")
    if options.out is not None and not options.near_duplicates:
        raise UsageError("--out: there is nothing to draw", hint="add --near-duplicates")
    if options.out is not None and (is_folder(Path(options.out)) or Path(options.out).suffix.lower() != ".png"):
        raise UsageError(f"--out {options.out}: not a PNG file", hint="name a file that ends in .png")


def answer_near_duplicates(folder: Path, options: DoctorOptions, console: Console) -> None:
    """Print the near-duplicates of prepared data, and draw them if the options say where.

    Raises:
        UsageError: the items of such data cannot be compared, or are no images to draw.
        DataError: the data cannot be read.
    """
    from dlcli.data.collection import open_collection
    from dlcli.data.duplicates import pair_table, split_table

    collection = open_collection(folder)
    if options.out is not None and collection.picture is None:
        raise UsageError("--out: only images are drawn", hint="omit it; --json has all in full")
    pairs = collection.near_duplicates()
    for note in pairs.notes:
        console.warn(note)
    tables = [split_table(collection, pairs), pair_table(collection, pairs)]
    pictures = _draw(collection, pairs, Path(options.out)) if options.out is not None else []
    answer_tables(console, tables, pictures, {"items": len(collection), "least_similarity": round(pairs.least, 4)})
    if not console.is_json and len(pairs.first):
        console.say(f"a pair has a similarity of at least {pairs.least:.2g}; 1 is equal")


def answer_tables(
    console: Console, tables: Sequence[Table], pictures: Sequence[Path], facts: dict[str, Any] | None = None
) -> None:
    """Print tables as they are, or as one JSON document with the names of the pictures."""
    if console.is_json:
        lists = {table.name: list(table.entries) for table in tables}
        console.answer_json("doctor", {**(facts or {}), **lists, "pictures": [str(path) for path in pictures]})
        return
    shown = [table for table in tables if table.rows]
    for place, table in enumerate(shown):
        if place:
            console.answer("")
        console.table(table.columns, table.rows)
    for table in shown:
        if len(table.rows) < len(table.entries):
            console.say(f"{len(table.rows)} of {len(table.entries):,} are shown; --json has all")
    for path in pictures:
        console.say(f"drawn: {path}")


def _draw(collection: Collection, pairs: Pairs, path: Path) -> list[Path]:
    """Write a sheet of the first pairs, without those that cannot be read, and return its path."""
    from dlcli.data.duplicates import ranked
    from dlcli.visualize.canvas import write_png
    from dlcli.visualize.pairs import MAX_PAIRS, draw_pairs

    assert collection.picture is not None
    pictures: list[tuple[np.ndarray, np.ndarray]] = []
    captions: list[str] = []
    for place in ranked(collection, pairs).tolist():
        if len(pictures) == MAX_PAIRS:
            break
        numbers = int(pairs.first[place]), int(pairs.second[place])
        try:
            pictures.append((collection.picture(numbers[0]), collection.picture(numbers[1])))
        except DataError:
            continue
        captions.append(_caption(collection, numbers, float(pairs.similarity[place])))
    if not pictures:
        return []
    write_png(path, draw_pairs(pictures, captions, [f"The first {len(pictures)} of {len(pairs.first):,} pairs"]))
    return [path]


def _caption(collection: Collection, numbers: tuple[int, int], similarity: float) -> str:
    splits = [collection.splits[int(collection.split_of[number])] for number in numbers]
    labels = [collection.item(number).label for number in numbers]
    label = labels[0] if labels[0] == labels[1] else f"{labels[0]} | {labels[1]}"
    where = splits[0] if splits[0] == splits[1] else f"{splits[0]} | {splits[1]}"
    return f"{similarity:.2f} {where}\n{label}"
