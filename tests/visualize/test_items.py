"""Pictures and tables of items as vectors, of a subject without a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.core.table import Table
from dlcli.data.items import Embedded, Item
from dlcli.visualize import item_map
from dlcli.visualize import items as module
from dlcli.visualize.items import EmbeddingOptions, NeighbourOptions, draw_embeddings, draw_neighbours, list_neighbours
from dlcli.visualize.subject import Subject


class Fake:
    """Twelve items on a circle, every third of one class; the queries are items turned a little further."""

    name = "run"

    def __init__(self, *, has_pictures: bool = False, labels: Any = None, names: Any = ("a", "b", "c")) -> None:
        self.has_pictures, self.names = has_pictures, names
        self.labels = np.arange(12) % 3 if labels is None else labels
        self.tables: list[Table] = []

    def angle(self, row: float) -> list[float]:
        return [np.cos(row * np.pi / 6), np.sin(row * np.pi / 6)]

    def assets(self) -> dict[str, Any]:
        return {"labels": list(self.names)} if self.names else {}

    def embedded(self, split: str) -> Embedded:
        vectors = np.array([self.angle(row) for row in range(12)], np.float32)
        return Embedded(vectors, 100 + np.arange(12), self.labels)

    def inputs(self) -> list[Any]:
        picture = np.zeros((4, 4, 3), np.uint8)
        return [
            SimpleNamespace(name=f"q{row}", source=SimpleNamespace(name=f"q{row}.png"), picture=picture, row=row)
            for row in (2.1, 7.1)
        ]

    def vectors(self, inputs: Any) -> np.ndarray:
        return np.array([self.angle(each.row) for each in inputs], np.float32)

    def items(self, split: str, rows: list[int]) -> list[Item]:
        fields = {} if self.has_pictures else {"text": f"{split} text " * 20, "size": 0.5, "age": None}
        picture = np.full((4, 4, 1), 9, np.uint8) if self.has_pictures else None
        return [Item(f"{split}:{row}", f"class {row % 3}", picture, fields) for row in rows]

    def shows(self, texts: Any) -> None:
        assert all(isinstance(text, str) for text in texts)

    def adds(self, table: Table) -> None:
        self.tables.append(table)


def subject(**more: Any) -> Any:
    return cast("Subject", Fake(**more))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_table_has_the_nearest_items_of_each_input_in_order(metric: str) -> None:
    table = list_neighbours(subject(), NeighbourOptions(top_k=3, metric=metric))
    assert table is not None
    assert [entry["item"] for entry in table.entries] == [
        *("train:102", "train:103", "train:101"),
        *("train:107", "train:108", "train:106"),
    ]
    angles = np.array([0.1, 0.9, 1.1]) * np.pi / 6
    expected = np.cos(angles) if metric == "cosine" else 2 * np.sin(angles / 2)
    np.testing.assert_allclose([entry[metric] for entry in table.entries[:3]], expected, atol=1e-5)
    assert [entry["rank"] for entry in table.entries] == [1, 2, 3] * 2
    assert table.entries[3]["query"] == "q7.1.png" and table.entries[0]["label"] == "class 0"
    assert table.entries[0]["fields"] == {"text": "train text " * 20, "size": 0.5, "age": None}
    assert [row[0] for row in table.rows] == ["q2.1.png", "", "", "q7.1.png", "", ""]
    assert all(len(str(cell)) <= module.MAX_CELL for row in table.rows for cell in row)
    assert list(table.columns) == ["query", "", metric, "label", "item", "text", "size", "age"]


def test_images_are_drawn_with_the_table_beside_them() -> None:
    own = subject(has_pictures=True)
    options = NeighbourOptions(split="valid", top_k=2)
    assert list_neighbours(own, options) is None
    drawn = dict(draw_neighbours(own, options))
    assert list(drawn) == ["neighbours-q2.1", "neighbours-q7.1"]
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in map(np.asarray, drawn.values()))
    [table] = own.tables
    assert [entry["item"] for entry in table.entries] == ["valid:102", "valid:103", "valid:107", "valid:108"]
    assert all("fields" not in entry for entry in table.entries)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is drawn: the arguments of both maps."""
    calls: list[tuple[Any, ...]] = []
    for name in ("draw_classes", "draw_numbers"):
        monkeypatch.setattr(item_map, name, lambda *given, **more: calls.append((*given, more["title"])))
    return calls


def test_a_map_has_a_colour_for_each_class(seen: list[tuple[Any, ...]]) -> None:
    list(draw_embeddings(subject(), EmbeddingOptions()))
    [(points, labels, names, title)] = seen
    assert names == ["a", "b", "c"] and labels.tolist() == [0, 1, 2] * 4
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    circle = np.array([Fake().angle(row) for row in range(12)])
    np.testing.assert_allclose(distances, np.linalg.norm(circle[:, None] - circle, axis=2), atol=1e-6)
    assert title == "run, 12 items of test: two principal components, 100% of the variance"


def test_of_many_items_some_are_drawn_evenly_spaced(
    seen: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DRAWN", 4)
    list(draw_embeddings(subject(), EmbeddingOptions(split="train")))
    [(points, labels, _, title)] = seen
    assert len(points) == 4 and labels.tolist() == [0, 1, 1, 2]
    assert "4 of 12 items of train" in title


def test_numbers_to_predict_have_the_texts_of_the_lowest_and_the_highest(seen: list[tuple[Any, ...]]) -> None:
    values = np.array([5.0, 3.0, 9.0, *[4.0] * 9])
    list(draw_embeddings(subject(labels=values, names=()), EmbeddingOptions()))
    [(_, drawn, ends, _)] = seen
    assert drawn.tolist() == values.tolist() and ends == ("class 2", "class 0")  # rows 101 and 102


def test_items_of_several_classes_or_none_are_classes_of_their_own(seen: list[tuple[Any, ...]]) -> None:
    labels = np.zeros((12, 3))
    labels[0, 1] = labels[1, 0] = labels[1, 2] = 1
    list(draw_embeddings(subject(labels=labels), EmbeddingOptions()))
    [(_, drawn, names, _)] = seen
    assert names == ["a", "b", "c", "(none)", "(several)"]
    assert drawn.tolist() == [1, 4, *[3] * 10]


def test_discriminants_without_classes_are_refused() -> None:
    for own in (subject(names=()), subject(labels=np.ones((12, 3)))):
        with pytest.raises(UsageError, match="--lda: there are no classes"):
            list(draw_embeddings(own, EmbeddingOptions(lda=True)))
    with pytest.raises(UsageError, match="has 1 of 3 classes"):
        list(draw_embeddings(subject(labels=np.zeros(12, np.int64)), EmbeddingOptions(lda=True)))


def test_a_single_item_is_too_few_for_a_map() -> None:
    own = subject()
    own.embedded = lambda split: Embedded(np.ones((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    with pytest.raises(DataError, match="1 labelled items in test, too few"):
        list(draw_embeddings(own, EmbeddingOptions()))
