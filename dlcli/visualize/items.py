"""Pictures of items as vectors: a map of a split, and the items nearest to an input.

Free of torch and numpy until a picture is drawn, for the help page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.console import shorten
from dlcli.core.errors import DataError, UsageError
from dlcli.core.table import Table
from dlcli.visualize.subject import Drawn, Input, Subject

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.items import Embedded, Item

MOST_DRAWN = 5000
"""Items on a map, evenly spaced: more hide each other."""

MOST_LEARNED = 10_000
"""Items from which a separating plane is learned, evenly spaced."""

CELL_PX = 120
MAX_CELL = 60
"""Characters of a text in a printed table; JSON has all of them."""


@dataclass(frozen=True)
class EmbeddingOptions:
    """Options of `embeddings`."""

    split: str = option("test", "the split of the data")
    lda: bool = option(False, "the plane that separates the classes of the training split best, not that of PCA")


@dataclass(frozen=True)
class NeighbourOptions:
    """Options of `neighbours`."""

    split: str = option("train", "the split of the data to search")
    top_k: int = option(8, "the number of neighbours", short="k", minimum=1, maximum=1000)
    metric: str = option(
        "cosine", "what is shown; the order is the same, as vectors have length 1", choices=("cosine", "euclidean")
    )


def draw_embeddings(subject: Subject, options: EmbeddingOptions) -> Drawn:
    """Yield a map of the items of a split by their vectors, coloured by class or by the number to predict."""
    import numpy as np

    from dlcli.visualize.embeddings import principal_plane
    from dlcli.visualize.item_map import draw_classes, draw_numbers

    found = subject.embedded(options.split)
    chosen = _spread(len(found), MOST_DRAWN)
    vectors = found.vectors[chosen]
    if found.labels is None or len(vectors) < 2:
        raise DataError(f"{subject.name}: {len(vectors)} labelled items in {options.split}, too few for a map")
    names, labels = _classes(subject.assets().get("labels"), found.labels[chosen])
    if options.lda:
        points, how = _separated(subject, names, vectors), "two linear discriminants of train"
    else:
        points, share = principal_plane(vectors)
        how = f"two principal components, {share:.0%} of the variance"
    of_all = "" if len(chosen) == len(found) else f" of {len(found):,}"
    title = f"{subject.name}, {len(chosen):,}{of_all} items of {options.split}: {how}"
    if names:
        yield "embeddings", draw_classes(points, labels, names, title=title)
        return
    rows = found.rows[chosen]
    ends = [int(rows[int(place)]) for place in (np.argmin(labels), np.argmax(labels))]
    low, high = subject.items(options.split, ends)
    yield "embeddings", draw_numbers(points, labels, (low.label, high.label), title=title)


def _separated(subject: Subject, names: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    """Return the items in the plane that separates the classes of the training split best.

    Raises:
        UsageError: there are no classes to separate.
    """
    from dlcli.visualize.item_map import separating_plane

    train = subject.embedded("train")
    if not names or train.labels is None or train.labels.ndim != 1:
        raise UsageError("--lda: there are no classes, one for each item", hint="leave it out")
    chosen = _spread(len(train), MOST_LEARNED)
    try:
        return separating_plane(train.vectors[chosen], train.labels[chosen], vectors, len(names))
    except ValueError as error:
        raise UsageError(f"--lda: the training split has {error}", hint="leave it out") from None


def _spread(count: int, most: int) -> np.ndarray:
    import numpy as np

    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _classes(names: Any, labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return names of classes and (N,) indices; of items with several classes "none", "several", or the only one.

    Without classes the names are empty, and the labels unchanged.
    """
    import numpy as np

    if not isinstance(names, list):
        return [], labels
    if labels.ndim == 1:
        return [str(name) for name in names], labels
    counts = (labels > 0).sum(1)
    only = np.where(counts == 1, labels.argmax(1), len(names) + (counts > 1))
    return [*(str(name) for name in names), "(none)", "(several)"], only


@dataclass(frozen=True, eq=False)
class Found:
    """The items nearest to an input, nearest first, with their values of the metric."""

    query: Input
    items: Sequence[Item]
    values: Sequence[float]


def find_neighbours(subject: Subject, options: NeighbourOptions) -> list[Found]:
    """Return what is nearest to each input.

    Raises:
        UsageError: there is no input, or the run has no embeddings.
        DataError: an input cannot be read, or there is no such split.
    """
    from dlcli.data.neighbours import nearest_rows

    queries = subject.inputs()
    data: Embedded = subject.embedded(options.split)
    found = nearest_rows(data.vectors, subject.vectors(queries), options.top_k, metric=options.metric)
    return [
        Found(query, subject.items(options.split, data.rows[rows].tolist()), values.tolist())
        for query, rows, values in zip(queries, found.rows, found.values, strict=True)
    ]


def list_neighbours(subject: Subject, options: NeighbourOptions) -> Table | None:
    """Return the table of the nearest items of texts or rows of a table; None of images, which are drawn."""
    found = find_neighbours(subject, options)
    return None if _are_images(found) else neighbour_table(found, options.metric)


def _are_images(found: Sequence[Found]) -> bool:
    return all(item.picture is not None for each in found for item in each.items)


def neighbour_table(found: Sequence[Found], metric: str) -> Table:
    """Return the table of what is nearest to each input; entries have every text in full."""
    names = list(dict.fromkeys(name for each in found for item in each.items for name in item.fields))
    rows: list[list[object]] = []
    entries = []
    for each in found:
        for rank, (item, value) in enumerate(zip(each.items, each.values, strict=True), start=1):
            query = each.query.source.name
            cells = ["" if item.fields.get(name) is None else _cell(item.fields[name]) for name in names]
            rows.append([_cell(query) if rank == 1 else "", rank, f"{value:.4f}", item.label, item.name, *cells])
            entry = {"query": query, "rank": rank, metric: round(value, 6), "label": item.label, "item": item.name}
            entries.append(entry | ({"fields": dict(item.fields)} if item.fields else {}))
    return Table("neighbours", ["query", "", metric, "label", "item", *names], rows, entries)


def _cell(value: object) -> str:
    return shorten(f"{value:g}" if isinstance(value, float) else " ".join(str(value).split()), MAX_CELL)


def draw_neighbours(subject: Subject, options: NeighbourOptions) -> Drawn:
    """Yield for each input a grid of the nearest images with their classes, the input first."""
    from dlcli.visualize.canvas import add_title, tile

    found = find_neighbours(subject, options)
    subject.adds(neighbour_table(found, options.metric))
    for each in found:
        captions = [f"{item.label}\n{value:.3f}" for item, value in zip(each.items, each.values, strict=True)]
        subject.shows(captions)
        pictures = [item.picture for item in each.items if item.picture is not None]
        grid = tile([each.query.picture, *pictures], captions=["the input\n", *captions], gap=8, min_cell_px=CELL_PX)
        lines = [f"{each.query.name}: nearest of {options.split}", f"class and {options.metric}, by {subject.name}"]
        yield f"neighbours-{each.query.name}", add_title(grid, lines)
