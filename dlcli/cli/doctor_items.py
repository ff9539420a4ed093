"""What `dl doctor` says of single items: near-duplicates, outliers, and labels that are probably wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.console import Console, shorten
from dlcli.core.errors import DataError, DlError, UsageError
from dlcli.core.files import is_folder
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.table import Table

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.collection import Collection, Pairs
    from dlcli.metrics.label_errors import ItemProbabilities


@dataclass(frozen=True)
class DoctorOptions:
    """Options of `dl doctor`."""

    near_duplicates: bool = option(False, "find items of the data that are nearly equal, within and across splits")
    run: str | None = option(
        None, "compare items for --near-duplicates by what this run sees of them", metavar="RUN", is_advanced=True
    )
    outliers: bool = option(False, "find items of a run's data that are far from all others as the run sees them")
    out: str | None = option(None, "draw the images that were found as a PNG file", metavar="FILE")


def check_options(options: DoctorOptions, *, is_data: bool, is_run: bool, has_folds: bool) -> None:
    """Check that the options suit what is examined: prepared data, or a run, perhaps of several folds.

    Raises:
        UsageError: they do not.
    """
    if options.near_duplicates and not is_data:
        raise UsageError("--near-duplicates: name prepared data", hint="`dl doctor data/NAME --near-duplicates`")
    if options.outliers and not is_run:
        raise UsageError("--outliers: name a run, whose embedding is compared", hint="`dl doctor RUN --outliers`")
    if options.run is not None and not options.near_duplicates:
        raise UsageError("--run: only near-duplicates are compared by a run", hint="add --near-duplicates")
    if options.out is not None and not options.near_duplicates and not options.outliers and not has_folds:
        raise UsageError("--out: there is nothing to draw", hint="add --near-duplicates, or name a run of --folds")
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
    pairs = collection.near_duplicates() if options.run is None else _by_run(collection, folder, options.run)
    for note in pairs.notes:
        console.warn(note)
    tables = [split_table(collection, pairs), pair_table(collection, pairs)]
    pictures = _draw(collection, pairs, Path(options.out)) if options.out is not None else []
    answer_tables(console, tables, pictures, {"items": len(collection), "least_similarity": round(pairs.least, 4)})
    if not console.is_json and len(pairs.first):
        console.say(f"a pair has a similarity of at least {pairs.least:.2g}; 1 is equal")


def _by_run(collection: Collection, folder: Path, name: str) -> Pairs:
    """Return the near-duplicates by a run's embedding; see `_embedded`."""
    from dlcli.data.collection import Pairs
    from dlcli.data.vector_neighbours import similar_vectors

    vectors, rows = _embedded(collection, resolve_run(name), folder)
    pairs = similar_vectors(vectors)
    missing = len(collection) - len(rows)
    notes = (f"items that cannot be read: {missing:,}, which are not compared",) if missing else ()
    return Pairs(rows[pairs.first], rows[pairs.second], pairs.similarity, pairs.least, notes)


def _embedded(collection: Collection, run: RunDir, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of the items, (N, D), and their numbers, (N,).

    Raises:
        UsageError: the run has no embedding.
        RunError: it is damaged.
        DataError: the data does not fit the run.
    """
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.embedded_data import embed_data

    found = embed_data(run, folder, open_device())
    if len(found) > len(collection) or int(found.rows.max()) >= len(collection):
        raise DataError(f"{folder}: the run reads other items than there are", hint="train it on this data")
    return found.vectors, found.rows


def answer_outliers(run: RunDir, options: DoctorOptions, console: Console) -> None:
    """Print the items of a run's data that are far from all others in its embedding, and draw them if requested.

    Raises:
        UsageError: the run has no embedding, or items are no images to draw.
        RunError: the run is damaged.
        DataError: the data is missing or does not fit the run.
    """
    from dlcli.data.collection import open_collection
    from dlcli.data.duplicates import MAX_LABEL, MAX_ROWS, shown_name
    from dlcli.data.vector_neighbours import find_outliers

    folder = Path(run.entry("data"))
    collection = open_collection(folder)
    vectors, rows = _embedded(collection, run, folder)
    found = find_outliers(vectors)
    numbers = rows[found.rows].tolist()
    items = [collection.item(number) for number in numbers]
    splits = [collection.splits[int(collection.split_of[number])] for number in numbers]
    distances = [round(float(distance), 4) for distance in found.distances]
    entries = [
        {"number": number, "name": item.name, "split": split, "label": item.label, "distance": distance}
        | ({"fields": item.fields} if item.fields else {})
        for number, item, split, distance in zip(numbers, items, splits, distances, strict=True)
    ]
    shown = [
        [distance, shorten(item.label, MAX_LABEL), shown_name(item)]
        for distance, item in zip(distances, items, strict=True)
    ]
    table = Table("outliers", ["distance", "label", "far from all others"], shown[:MAX_ROWS], entries)
    pictures: list[Path] = []
    if options.out is not None:
        captions = [f"{distance:.2f}\n{item.label}" for distance, item in zip(distances, items, strict=True)]
        title = ["images far from all others", "mean distance to the ten nearest, then the class"]
        pictures = _draw_items(collection, numbers, captions, title, Path(options.out))
    answer_tables(console, [table], pictures, {"items": len(rows), "least_distance": round(found.fence, 4)})
    if not console.is_json:
        what = f"{len(numbers):,} of {len(rows):,} items" if numbers else "no item"
        console.say(f"{what} with a mean distance above {found.fence:.3g} to the ten nearest")


def answer_tables(
    console: Console, tables: Sequence[Table], pictures: Sequence[Path], facts: dict[str, Any] | None = None
) -> None:
    """Print tables as they are, or as one JSON document with the names of the pictures."""
    if console.is_json:
        lists = {table.name: list(table.entries) for table in tables}
        drawn = {"pictures": [str(path) for path in pictures]} if pictures else {}
        console.answer_json("doctor", {**(facts or {}), **lists, **drawn})
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


def _suspect_entries(items: ItemProbabilities, collection: Collection, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the items whose label the fold that has not seen them contradicts.

    Raises:
        DataError: an item of the collection has another class than in the run.
    """
    from dlcli.metrics.label_errors import find_label_errors

    found = find_label_errors(items.labels, items.probabilities)
    entries = []
    for place, suggested, margin in zip(
        found.places.tolist(), found.suggested.tolist(), found.margins.tolist(), strict=True
    ):
        number, label = int(items.rows[place]), labels[int(items.labels[place])]
        item = collection.item(number)
        if item.label != label:
            raise DataError(f"{item.name} is of another class than in the run")
        probability = float(items.probabilities[place, suggested])
        entries.append(
            {
                "number": number,
                "name": item.name,
                "split": collection.splits[int(collection.split_of[number])],
                "label": label,
                "suggested": labels[suggested],
                "probability": round(probability, 4),
                "label_probability": round(probability - margin, 4),
                **({"fields": item.fields} if item.fields else {}),
            }
        )
    return entries


def find_suspects(parent: RunDir, options: DoctorOptions, console: Console) -> tuple[list[Table], list[Path]]:
    """Return the table of items of a cross-validation whose label is probably wrong, and the sheet of their images.

    There is neither where the task has no classes, or where its data is not at hand or has changed, which is said.

    Raises:
        RunError: the run is damaged.
    """
    from dlcli.data.collection import open_collection
    from dlcli.engine.runs.out_of_fold import read_out_of_fold

    items = read_out_of_fold(parent)
    if items is None:
        return [], []
    folder = Path(parent.entry("data"))
    try:
        collection, labels = open_collection(folder), class_names(parent)
    except DlError as error:
        console.warn(f"suspects are not looked for: {error.message}")
        return [], []
    if int(items.rows.max(initial=-1)) >= len(collection):
        console.warn(f"suspects are not looked for: {folder} has other items than when the run was evaluated")
        return [], []
    try:
        entries = _suspect_entries(items, collection, labels)
    except DataError as error:
        console.warn(f"suspects are not looked for: {folder}: {error.message}")
        return [], []
    table = _suspect_table(entries)
    agreement = float((items.probabilities.argmax(axis=1) == items.labels).mean())
    console.say(
        f"{len(entries):,} of {len(items.rows):,} labels are confidently contradicted by the fold that has not seen "
        f"the item; folds agree with {agreement:.1%} of the labels, and the fewer, the less a contradiction means"
    )
    if options.out is None or not entries:
        return [table], []
    from dlcli.visualize.mistakes import percent

    captions = [f"{each['label']}\n→ {each['suggested']} {percent(each['probability'])}" for each in entries]
    title = ["labels that are probably wrong", "label, → suggested class and its probability"]
    return [table], _draw_items(collection, [each["number"] for each in entries], captions, title, Path(options.out))


def class_names(parent: RunDir) -> tuple[str, ...]:
    """Return the class names of a cross-validation.

    Raises:
        RunError: they are missing or damaged.
    """
    from dlcli.data.labels import read_labels
    from dlcli.engine.runs.cross_validation import fold_runs

    return read_labels(fold_runs(parent)[0].read_json("labels.json"))


def _suspect_table(entries: Sequence[dict[str, Any]]) -> Table:
    from dlcli.data.duplicates import MAX_LABEL, MAX_ROWS, shown_name
    from dlcli.data.items import Item

    rows = [
        [
            shorten(entry["label"], MAX_LABEL),
            shorten(entry["suggested"], MAX_LABEL),
            entry["label_probability"],
            entry["probability"],
            shown_name(Item(entry["name"], entry["label"], fields=entry.get("fields", {}))),
        ]
        for entry in entries[:MAX_ROWS]
    ]
    columns = ["label", "suggested", "probability of label", "of suggested", "label that is probably wrong"]
    return Table("suspects", columns, rows, entries)


def _draw_items(
    collection: Collection, numbers: Sequence[int], captions: Sequence[str], title: list[str], path: Path
) -> list[Path]:
    """Write a sheet of the first items, without those that cannot be read, and return its path.

    Raises:
        UsageError: the items are no images.
    """
    from dlcli.visualize.canvas import write_png
    from dlcli.visualize.pairs import MAX_SINGLE, draw_captioned

    if collection.picture is None:
        raise UsageError("--out: only images are drawn", hint="omit it; --json has all in full")
    pictures: list[np.ndarray] = []
    shown: list[str] = []
    for number, caption in zip(numbers, captions, strict=True):
        if len(pictures) == MAX_SINGLE:
            break
        try:
            pictures.append(collection.picture(number))
        except DataError:
            continue
        shown.append(caption)
    if not pictures:
        return []
    write_png(path, draw_captioned(pictures, shown, [f"{len(pictures)} of {len(numbers):,} {title[0]}", *title[1:]]))
    return [path]
