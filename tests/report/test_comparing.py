"""Runs are compared on equal items only, and the verdict says how far chance reaches."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.data.card import Card
from dlcli.metrics.item_scores import ItemFigure, scores_of
from dlcli.report.comparing import (
    choose_metric,
    differing_options,
    open_sides,
    require_comparable,
    verdicts_of,
)
from dlcli.report.kept import Shown, data_digest, keep_items, keep_shown

CARD = {"form": "images", "name": "v1", "classes": ["a", "b"], "counts": {"test": {"a": 50, "b": 50}}, "sources": []}
OTHER = {**CARD, "sources": [{"sha256": "ab"}]}


def make(
    folder, right, *, task="classification", truths=None, card=CARD, config="epochs = 2\n", data="data/v1", **figure
):
    """Return a run, trained on `card` in data/v1 and evaluated in `data`, whose items have these scores of accuracy."""
    folder.mkdir(parents=True)
    run = RunDir(folder)
    info = {"schema": 1, "task": task, "goal": "accuracy", "status": "finished", "data": "data/v1"}
    (folder / "run.json").write_text(json.dumps(info))
    (folder / "config.toml").write_text(config)
    (folder / "data.json").write_text(json.dumps(card))
    values = np.asarray(right, float)
    report = {"metrics": {"loss": 0.5, "accuracy": float(values.mean())}, "items": len(values), "data": data}
    (run.folder("eval") / "test.json").write_text(json.dumps(report))
    truths = np.zeros(len(values)) if truths is None else truths
    settings = {"is_share": True, **figure}
    figures = {"accuracy": ItemFigure(values, **settings)}
    keep_items(run, "test", scores_of(np.arange(len(values)), truths, figures, names_items=False))
    return run


def compare(*runs):
    sides = open_sides(runs, "test")
    require_comparable(sides, "test")
    return verdicts_of(sides, choose_metric(sides, None))


def test_the_better_run_is_named_with_points_and_an_interval(tmp_path):
    good, bad = make(tmp_path / "good", np.arange(100) >= 5), make(tmp_path / "bad", np.arange(100) >= 25)
    (verdict,), why = compare(bad, good)
    assert why == ""
    assert verdict.is_clear
    assert verdict.difference.value == pytest.approx(0.2)
    sentence = verdict.sentence()
    assert sentence.startswith("good is better than bad by 20 ± ")
    assert verdict.difference.standard_error == pytest.approx(0.04, abs=0.004)  # the root of 0.2 * 0.8 / 100
    assert "points of accuracy (95 % interval 1" in sentence
    assert "10,000 resamples of 100 items" in sentence


def test_a_lower_figure_is_better_where_the_metric_says_so(tmp_path):
    low = make(tmp_path / "low", np.linspace(0, 1, 60), lower_is_better=True, is_share=False)
    high = make(tmp_path / "high", np.linspace(0, 1, 60) + 0.5, lower_is_better=True, is_share=False)
    (verdict,), _ = compare(high, low)
    assert (verdict.better, verdict.worse) == ("low", "high")
    assert verdict.difference.value == pytest.approx(0.5)
    assert "by 0.5 ± " in verdict.sentence()
    assert "in accuracy" in verdict.sentence()


def test_equal_runs_are_equal_and_a_chance_lead_is_not_called_better(tmp_path):
    right = np.arange(100) >= 20
    first, same = make(tmp_path / "first", right), make(tmp_path / "same", right)
    (verdict,), _ = compare(first, same)
    assert (verdict.difference.low, verdict.difference.high) == (0, 0)
    assert "equal on every item" in verdict.sentence()
    other = make(tmp_path / "other", np.roll(right, 30) | (np.arange(100) == 30))
    (verdict,), _ = compare(first, other)
    assert not verdict.is_clear
    assert "other is ahead of first, but within chance" in verdict.sentence()


def test_three_runs_give_the_best_against_each_other_best_first(tmp_path):
    runs = [make(tmp_path / name, np.arange(100) >= wrong) for name, wrong in (("c", 30), ("a", 10), ("b", 20))]
    verdicts, _ = compare(*runs)
    assert [(verdict.better, verdict.worse) for verdict in verdicts] == [("a", "b"), ("a", "c")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "regression"}, "different tasks"),
        ({"right": np.ones(99)}, "100 and 99 items"),
        ({"truths": np.ones(100)}, "different items"),
        ({"card": OTHER}, "other files or options"),
        ({"card": {**CARD, "details": {"options": {"seed": 1}}}}, "other files or options"),
        ({"reduction": "root_mean"}, "not the same figure"),
        ({"signature": "v:2"}, "not the same figure"),
    ],
)
def test_unlike_things_are_refused_in_one_sentence(tmp_path, change, says):
    first = make(tmp_path / "first", np.ones(100))
    other = make(tmp_path / "other", **{"right": np.ones(100), **change})
    with pytest.raises(UsageError, match=says) as raised:
        compare(first, other)
    assert len(raised.value.lines()) <= 2


def evaluated_on(run, card):
    keep_shown(run, "test", Shown(data=data_digest(Card.from_json(card, "card"))))


def test_what_counts_is_the_data_of_the_evaluation_and_not_of_the_training(tmp_path):
    first = make(tmp_path / "first", np.ones(100), card=CARD, data="data/v2")
    other = make(tmp_path / "other", np.ones(100), card=OTHER, data="data/v2")
    for run in (first, other):
        evaluated_on(run, OTHER)
    assert compare(first, other)[0][0].difference.value == 0
    noisy = make(tmp_path / "noisy", np.ones(100), card=OTHER, data="data/noisy")
    evaluated_on(noisy, {**OTHER, "details": {"options": {"noise": 0.1}}})
    with pytest.raises(UsageError, match="other files or options"):
        compare(other, noisy)


def test_an_older_evaluation_elsewhere_is_of_the_folder_that_it_names(tmp_path):
    first = make(tmp_path / "first", np.ones(100), data="data/v2")
    same = make(tmp_path / "same", np.ones(100), card=OTHER, data="./data/v2")
    assert compare(first, same)[0][0].difference.value == 0
    noisy = make(tmp_path / "noisy", np.ones(100), data="data/noisy")
    with pytest.raises(UsageError, match="data/v2 and data/noisy, which may hold different items"):
        compare(first, noisy)


def test_a_run_is_not_compared_with_itself_nor_unevaluated(tmp_path):
    first, other = make(tmp_path / "first", np.ones(9)), make(tmp_path / "other", np.ones(9))
    with pytest.raises(UsageError, match="two runs"):
        compare(first, RunDir(tmp_path / "other" / ".." / "first"))
    (other.path / "eval" / "test.json").unlink()
    with pytest.raises(RunError, match="not evaluated"):
        compare(first, other)


def test_a_report_without_a_number_of_items_is_other_data(tmp_path):
    first, other = make(tmp_path / "first", np.ones(9)), make(tmp_path / "other", np.ones(9))
    (other.path / "eval" / "test.json").write_text('{"metrics": {"accuracy": "x"}}')
    with pytest.raises(UsageError, match="9 and - items"):
        compare(first, other)


def test_without_scores_of_items_the_reason_is_said(tmp_path):
    first, other = make(tmp_path / "first", np.ones(9)), make(tmp_path / "other", np.ones(9))
    sides = open_sides([first, other], "test")
    verdicts, why = verdicts_of(sides, "loss")
    assert verdicts == []
    assert "loss of first is not a sum over items" in why
    (other.path / "eval" / "test-items.npz").unlink()
    assert "dl eval" in compare(first, other)[1]
    with pytest.raises(UsageError, match="'los'"):
        choose_metric(sides, "los")


def test_options_that_differ_are_listed_and_others_are_not(tmp_path):
    first = make(tmp_path / "first", np.ones(9), config='epochs = 2\nmodel = "cnn"\ndevice = "cpu"\n')
    other = make(tmp_path / "other", np.ones(9), config='epochs = 3\nmodel = "cnn"\nlr = 0.1\ndevice = "cuda"\n')
    assert differing_options(open_sides([first, other], "test")) == {"epochs": [2, 3], "lr": [None, 0.1]}
