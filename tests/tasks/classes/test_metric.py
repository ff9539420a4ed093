"""The metric over logits: shares add up, mistakes are named by their place in the split, no torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dlcli.tasks.classes.metric import NUM_WORST, LogitsMetric

NAMES = ("a", "b", "c")
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.permutation(90)
LABELS = RANDOM.integers(0, 3, 90)
LOGITS = RANDOM.normal(size=(90, 3)).astype(np.float32)
VIEWS = LOGITS + 3 * np.eye(3, dtype=np.float32)[LABELS]


def metric_of(*parts, has_views=False):
    metric = LogitsMetric(NAMES, has_views=has_views)
    for part in parts:
        outputs = {"logits": LOGITS[part], "tta_logits": VIEWS[part]}
        metric.update({"labels": LABELS[part], "rows": ROWS[part]}, outputs)
    return metric


@pytest.mark.parametrize("has_views", [False, True])
def test_merged_shares_are_one_metric_over_all(has_views):
    whole = metric_of(slice(0, 90), has_views=has_views)
    first = metric_of(slice(0, 7), slice(7, 40), has_views=has_views)
    first.merge(metric_of(slice(40, 90), has_views=has_views))
    assert first.compute() == whole.compute()
    assert first.report() == whole.report()


def test_a_share_without_items_changes_nothing():
    metric = metric_of(slice(0, 90))
    metric.merge(metric_of())
    assert metric.report() == metric_of(slice(0, 90)).report()


def test_the_worst_mistakes_are_named_by_their_place_in_the_split():
    worst = metric_of(slice(0, 30), slice(30, 90)).report()["worst"]
    losses = [entry["loss"] for entry in worst]
    assert len(worst) == NUM_WORST
    assert losses == sorted(losses, reverse=True)
    for entry in worst:
        [arrival] = np.flatnonzero(entry["index"] == ROWS)
        assert entry["label"] == LABELS[arrival]
        assert entry["predicted"] == LOGITS[arrival].argmax() != LABELS[arrival]


def test_figures_over_views_stand_beside_the_others():
    plain, both = metric_of(slice(0, 90)).report(), metric_of(slice(0, 90), has_views=True).report()
    assert both["metrics"].items() >= plain["metrics"].items()
    assert both["metrics"]["accuracy_tta"] == float((VIEWS.argmax(1) == LABELS).mean())
    assert set(both["lower_is_better"]) - set(plain["lower_is_better"]) == {"loss_tta"}


def test_metrics_import_no_torch():
    modules = "dlcli.tasks.classes.metric, dlcli.tasks.classes.report, dlcli.tasks.tables.metric"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
