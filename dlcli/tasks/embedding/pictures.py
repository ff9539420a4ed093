"""The pictures of word vectors: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.core.table import Table
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject
from dlcli.visualize.words import draw_words


@dataclass(frozen=True)
class WordMapOptions:
    """Options of `embeddings` of words."""

    words: int = option(400, "draw the N most frequent words", minimum=2, maximum=2000)


@dataclass(frozen=True)
class NearWordOptions:
    """Options of `neighbours` of words."""

    top_k: int = option(10, "the number of neighbours", short="k", minimum=1, maximum=1000)


def draw_embeddings(subject: Subject, options: WordMapOptions) -> Drawn:
    """Yield a map of the most frequent words."""
    yield from draw_words(subject, options.words)


def list_neighbours(subject: Subject, options: NearWordOptions) -> Table:
    """Return the table of the words nearest to each input, a word or a sum of words.

    Raises:
        UsageError: there is no input.
        DataError: a word of it has no vector.
    """
    import numpy as np
    import torch

    model, codec = subject.network(), subject.codec()
    rows: list[list[object]] = []
    entries = []
    for each in subject.inputs():
        with torch.no_grad():
            _, cosines = model(each.arrays["tokens"], each.arrays["signs"])
        own = each.arrays["tokens"][0].numpy()
        nearest = codec.nearest(np.asarray(cosines[0]), own, options.top_k)
        for rank, near in enumerate(nearest, start=1):
            rows.append([each.source.name if rank == 1 else "", rank, near["word"], f"{near['cosine']:.3f}"])
            entries.append({"query": each.source.name, "rank": rank, **near})
    return Table("neighbours", ["query", "", "word", "cosine"], rows, entries)


def draw_neighbours(subject: Subject, options: NearWordOptions) -> Drawn:
    """Yield nothing: neighbours are a table."""
    del subject, options
    return iter(())


PICTURES: Mapping[str, Picture] = {
    "embeddings": Picture("a map of the frequent words", "RUN", WordMapOptions, draw_embeddings),
    "neighbours": Picture(
        "the words nearest to a word or a sum", "RUN", NearWordOptions, draw_neighbours, list_neighbours
    ),
}
