"""Pictures of runs on tables: what they show is in their tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.tasks.tables.classification import TableClassificationTask
from dlcli.tasks.tables.config import RegressionConfig, TableClassificationConfig
from dlcli.tasks.tables.pictures import (
    DependenceOptions,
    ImportanceOptions,
    draw_dependence_picture,
    draw_importance_picture,
)
from dlcli.tasks.tables.regression import RegressionTask

FACTORIES = {"price": (RegressionTask, RegressionConfig), "kind": (TableClassificationTask, TableClassificationConfig)}


class Drawing:
    """A subject of pictures around a task that is not trained."""

    def __init__(self, task):
        self.opened = task
        self.name, self.tables, self.texts, self.warnings = "a-run", [], [], []

    def run(self):
        return None

    def data(self):
        return None

    def task(self):
        return self.opened

    def adds(self, table):
        self.tables.append(table)

    def shows(self, texts):
        self.texts += texts

    def warns(self, text):
        self.warnings.append(text)


@pytest.fixture
def subject(make_table):
    def make(target="price", **options):
        torch.manual_seed(0)
        factory, config = FACTORIES[target]
        return Drawing(factory.from_data(config(hidden="8", **options), TrainConfig(), make_table(target)))

    return make


@pytest.mark.parametrize(("target", "metric"), [("price", None), ("kind", None), ("kind", "loss")])
def test_every_column_has_an_importance_the_largest_first(subject, target, metric):
    own = subject(target)
    [(name, picture)] = draw_importance_picture(own, ImportanceOptions(split="train", score=metric, repeats=3))
    [table] = own.tables
    assert (name, table.name) == ("importance", "importance")
    assert {entry["column"] for entry in table.entries} == {"size", "city", "age"}
    means = [entry["importance"] for entry in table.entries]
    assert means == sorted(means, reverse=True)
    assert all(entry["low"] <= entry["importance"] <= entry["high"] for entry in table.entries)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


def test_columns_together_stand_in_place_of_each(subject):
    own = subject()
    list(draw_importance_picture(own, ImportanceOptions(split="train", repeats=2, together=("size, city",))))
    assert {entry["column"] for entry in own.tables[0].entries} == {"size + city", "age"}


@pytest.mark.parametrize(
    ("draw", "options", "reason"),
    [
        (draw_importance_picture, ImportanceOptions(together=("size,town",)), "no column 'town'"),
        (draw_importance_picture, ImportanceOptions(together=("size,city", "city,age")), "listed twice"),
        (draw_importance_picture, ImportanceOptions(score="accuracy"), "no metric 'accuracy'"),
        (draw_dependence_picture, DependenceOptions(column="town"), "no column 'town'"),
        (draw_dependence_picture, DependenceOptions(column="size", label="dear"), "no class"),
    ],
)
def test_what_the_run_does_not_have_is_refused(subject, draw, options, reason):
    with pytest.raises(UsageError, match=reason):
        list(draw(subject(), options))


def test_a_part_without_rows_is_refused(subject):
    own = subject()
    own.opened._source._train = replace(TrainConfig(), val_fraction=0.0)
    with pytest.raises(DataError, match="0 rows in valid"):
        list(draw_importance_picture(own, ImportanceOptions(split="valid")))


def test_the_curve_of_a_number_is_the_mean_over_all_rows(subject):
    own = subject()
    [(name, picture)] = draw_dependence_picture(own, DependenceOptions(column="size", split="train", points=5))
    [table] = own.tables
    assert name == "dependence-size"
    assert picture.shape[2] == 3
    entry = table.entries[2]
    batch = next(iter(own.opened.loader("train").batches()))
    numeric = batch["numeric"].clone()
    numeric[:, 0] = entry["value"] - own.opened.columns.numeric[0].offset
    expected = own.opened.model.eval()(numeric, batch["categories"]).mean() + own.opened.columns.offset
    assert entry["price"] == pytest.approx(float(expected.detach()), rel=1e-4)


def test_categories_have_bars_and_classes_their_probabilities(subject):
    own = subject("kind")
    list(draw_dependence_picture(own, DependenceOptions(column="city", split="train")))
    [table] = own.tables
    assert {entry["value"] for entry in table.entries} == {"Lyon", "Nice", "Brest"}
    assert all(entry["cheap"] + entry["dear"] == pytest.approx(1) for entry in table.entries)
    list(draw_dependence_picture(own, DependenceOptions(column="size", label="dear", split="train", points=3)))
    assert set(own.tables[1].entries[0]) == {"value", "dear"}
    with pytest.raises(UsageError, match="no class 'dera'"):
        list(draw_dependence_picture(own, DependenceOptions(label="dera")))


def test_quantiles_have_a_curve_each(subject):
    own = subject(quantiles="0.1,0.9")
    list(draw_dependence_picture(own, DependenceOptions(split="train", points=3)))
    assert all(entry["q10"] <= entry["q90"] for entry in own.tables[0].entries)
