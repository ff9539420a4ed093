"""The tables and pictures of a report on classes."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.tasks.classes.metric import LogitsMetric
from dlcli.tasks.classes.report import MAX_MISTAKES, MAX_SHOWN, class_tables, draw_class_report, worst_rows

NAMES = ("cat", "dog")


@pytest.fixture(scope="module")
def report():
    random = np.random.default_rng(1)
    metric = LogitsMetric(NAMES)
    batch = {"labels": random.integers(0, 2, 40), "rows": np.arange(100, 140)}
    metric.update(batch, {"logits": random.normal(size=(40, 2)).astype(np.float32)})
    return metric.report()


def test_items_without_text_have_the_table_of_classes_alone(report):
    [table] = class_tables(report, NAMES)
    assert (table.name, table.entries) == ("per_class", report["per_class"])
    assert [row[0] for row in table.rows] == list(NAMES)


def test_a_class_that_neither_occurs_nor_is_predicted_has_no_row_but_an_entry():
    metric = LogitsMetric(("cat", "cow", "dog", "eel"))
    metric.update({"labels": np.array([0, 0]), "rows": np.arange(2)}, {"logits": np.eye(4, dtype=np.float32)[[0, 2]]})
    [table] = class_tables(metric.report(), ("cat", "cow", "dog", "eel"))
    assert [row[0] for row in table.rows] == ["cat", "dog"]
    assert [entry["name"] for entry in table.entries] == ["cat", "cow", "dog", "eel"]


def test_the_worst_mistakes_are_told_with_their_texts_and_all_of_them_in_json(report):
    texts = [f"text\n{row} " + "long " * 30 for row in worst_rows(report)]
    _, table = class_tables(report, NAMES, texts)
    assert table.name == "worst"
    assert [entry["text"] for entry in table.entries] == texts
    assert [{**entry, "text": None} for entry in table.entries] == [{**e, "text": None} for e in report["worst"]]
    assert len(table.rows) == MAX_MISTAKES < len(table.entries)
    for row, entry in zip(table.rows, table.entries, strict=False):
        assert row[:3] == [NAMES[entry["label"]], NAMES[entry["predicted"]], entry["confidence"]]
        assert row[3].startswith(f"text {entry['index']} long")
        assert len(row[3]) <= MAX_SHOWN


def test_there_is_a_text_for_every_mistake(report):
    with pytest.raises(ValueError, match="zip"):
        list(class_tables(report, NAMES, ["one"]))


def test_mistakes_are_drawn_where_there_are_any_and_someone_who_draws_them(report):
    drawn = []

    def draw(worst):
        drawn.append([mistake["index"] for mistake in worst])
        return np.zeros((2, 2, 3), np.uint8)

    figures = ["confusion.png", "pr.png", "roc.png"]
    assert [name for name, _ in draw_class_report(report, NAMES)] == figures
    assert [name for name, _ in draw_class_report(report, NAMES, draw)] == [*figures, "mistakes.png"]
    assert drawn == [worst_rows(report)]
    assert [name for name, _ in draw_class_report({**report, "worst": []}, NAMES, draw)] == figures
