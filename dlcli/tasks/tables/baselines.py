"""Baselines on a table: simple scikit-learn models, fitted on a run's training rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlcli.metrics.classification import ClassificationMetric
from dlcli.metrics.regression import RegressionMetric
from dlcli.tasks.tables.levels import middle
from dlcli.tasks.tables.metric import TableRegressionMetric
from dlcli.tasks.tables.source import TableSource

LARGE = 10_000
"""Number of rows from which trees are grown over histograms: exact splits would take minutes."""


def regression_baselines(source: TableSource, split: str, std: float, loss: str) -> dict[str, dict[str, float]]:
    """Return the metrics by name of linear regression and gradient boosting, at scikit-learn's default settings.

    Args:
        source: the rows.
        split: the split to evaluate on.
        std, loss: unit and kind of the loss, as in `RegressionMetric`.
    """
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression

    features, targets = source.features_of("train")
    boosting = GradientBoostingRegressor if len(targets) < LARGE else HistGradientBoostingRegressor
    models = {"linear": LinearRegression(), "gradient boosting": boosting(random_state=0)}
    tested, truth = source.features_of(split)
    figures = {}
    for name, model in models.items():
        model.fit(features, targets.astype(np.float64))
        measured = RegressionMetric(std, loss)
        offset = source.columns.offset
        measured.update(np.asarray(model.predict(tested)) + offset, truth.astype(np.float64) + offset)
        figures[name] = measured.compute()
    return figures


def quantile_baselines(
    source: TableSource, split: str, metric: Callable[[], TableRegressionMetric], levels: Sequence[float]
) -> dict[str, dict[str, float]]:
    """Return the metrics by name of the training targets' own quantiles, and of gradient boosting for each level.

    Args:
        source: the rows.
        split: the split to evaluate on.
        metric: returns a new metric of the levels.
        levels: the levels.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    features, targets = source.features_of("train")
    tested, truth = source.features_of(split)
    answers = {"constant": np.tile(np.quantile(targets, levels), (len(truth), 1))}
    models = [HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0) for level in levels]
    boosted = [model.fit(features, targets.astype(np.float64)).predict(tested) for model in models]
    answers["gradient boosting"] = np.sort(np.stack(boosted, 1), axis=1)
    figures = {}
    for name, quantiles in answers.items():
        measured = metric()
        batch = {"targets": truth, "rows": np.arange(len(truth))}
        measured.update(batch, {"prediction": quantiles[:, middle(levels)], "quantiles": quantiles})
        figures[name] = measured.compute()
    return figures


def classification_baselines(source: TableSource, split: str, num_classes: int) -> dict[str, dict[str, float]]:
    """Return the metrics by name of logistic regression and gradient boosting, at scikit-learn's default settings.

    Logistic regression alone gets more iterations, 1,000.

    Args:
        source: the rows.
        split: the split to evaluate on.
        num_classes: the number of classes.
    """
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    features, targets = source.features_of("train")
    boosting = GradientBoostingClassifier if len(targets) < LARGE else HistGradientBoostingClassifier
    models = {"logistic regression": LogisticRegression(max_iter=1000), "gradient boosting": boosting(random_state=0)}
    tested, truth = source.features_of(split)
    return {name: _classified(model, features, targets, tested, truth, num_classes) for name, model in models.items()}


def _classified(
    model: Any, features: np.ndarray, targets: np.ndarray, tested: np.ndarray, truth: np.ndarray, num_classes: int
) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn")  # no convergence in 1,000 iterations changes little
        model.fit(features, targets)
    probabilities = np.full((len(truth), num_classes), 1e-12)  # for a class that training lacks
    probabilities[:, model.classes_] = np.maximum(model.predict_proba(tested), 1e-12)
    metric = ClassificationMetric(num_classes)
    metric.update(np.log(probabilities), truth)
    return metric.compute()
