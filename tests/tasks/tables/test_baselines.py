"""Simple models: fitted on the part that trains, measured as a run is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score

from dlcli.core.train_config import TrainConfig
from dlcli.data.tables.form import open_table
from dlcli.tasks.tables import baselines
from dlcli.tasks.tables.baselines import classification_baselines, regression_baselines
from dlcli.tasks.tables.source import TableSource

CLASSES = ("cheap", "dear")


def open_source(folder, labels=None):
    return TableSource(open_table(folder), None, TrainConfig(), labels=labels)


def test_a_linear_model_has_the_figures_of_scikit_learn(make_table):
    source = open_source(make_table())
    features, targets = source.features_of("train")
    tested, truth = source.features_of("test")
    predicted = LinearRegression().fit(features, targets).predict(tested)
    figures = regression_baselines(source, "test", 2.0, "mae")["linear"]
    assert figures["r2"] == pytest.approx(r2_score(truth, predicted), abs=1e-6)
    assert figures["loss"] == pytest.approx(np.abs(predicted - truth).mean() / 2, rel=1e-3, abs=1e-5)


def test_a_logistic_regression_has_the_figures_of_scikit_learn(make_table):
    source = open_source(make_table("kind"), CLASSES)
    features, targets = source.features_of("train")
    tested, truth = source.features_of("test")
    model = LogisticRegression(max_iter=1000).fit(features, targets)
    figures = classification_baselines(source, "test", 2)["logistic regression"]
    assert figures["accuracy"] == accuracy_score(truth, model.predict(tested))
    assert figures["loss"] == pytest.approx(log_loss(truth, model.predict_proba(tested), labels=[0, 1]), rel=1e-4)


def test_a_class_of_the_run_without_a_row_gets_no_probability(make_table):
    source = open_source(make_table("kind"), ("absent", *CLASSES))
    with_absent = classification_baselines(source, "test", 3)
    without = classification_baselines(open_source(make_table("kind", name="again"), CLASSES), "test", 2)
    for name, figures in without.items():
        assert with_absent[name] == pytest.approx(figures, rel=1e-4, abs=1e-6)


def test_large_tables_grow_their_trees_over_histograms(make_table, monkeypatch):
    source = open_source(make_table())
    exact = regression_baselines(source, "test", 1.0, "mse")
    monkeypatch.setattr(baselines, "LARGE", 10)
    histograms = regression_baselines(source, "test", 1.0, "mse")
    assert exact["linear"] == histograms["linear"]
    assert exact["gradient boosting"] != histograms["gradient boosting"]


def test_the_same_figures_come_out_again(make_table):
    source = open_source(make_table())
    first, second = (regression_baselines(source, "test", 1.0, "mse") for _ in range(2))
    assert first == second
