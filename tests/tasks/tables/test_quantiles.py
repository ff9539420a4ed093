"""Quantiles of a regression: how they are typed, trained, measured and answered."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from dlcli.core.errors import RunError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate, infer_arrays
from dlcli.engine.loop import start_state, train
from dlcli.tasks.tables.codec import RegressionCodec
from dlcli.tasks.tables.config import RegressionConfig
from dlcli.tasks.tables.levels import level_names, levels_from_json, middle, read_levels
from dlcli.tasks.tables.regression import RegressionTask

CPU = Device(torch.device("cpu"))
LOOP = TrainConfig(batch_size=128, epochs=24, learning_rate=3e-2, schedule="cosine", weight_decay=0.0)


def fitted(folder, loop=LOOP, **options):
    torch.manual_seed(0)
    config = RegressionConfig(**{"hidden": "none", "bins": 0, "quantiles": "0.1,0.5,0.9", **options})
    task = RegressionTask.from_data(config, loop, folder)
    loader, valid = task.loader("train", training=True), task.loader("valid")
    train(start_state(task, loader, loop, CPU), loader, valid if len(valid) else None, loop, [])
    return task


def noisy_lines(count=3000):
    """Return a table whose price is 3 x size with normal noise, so that its quantiles are known."""
    random = np.random.default_rng(0)
    sizes = random.uniform(0, 10, count)
    prices = 3 * sizes + random.normal(0, 2, count)
    return ["size,price,kind", *(f"{size:.4f},{price:.4f},x" for size, price in zip(sizes, prices, strict=True))]


def test_levels_are_read_and_named():
    levels = read_levels("0.025, 0.1,.5,0.9")
    assert levels == (0.025, 0.1, 0.5, 0.9)
    assert level_names(levels) == ("q2.5", "q10", "q50", "q90")
    assert read_levels("0.3") == (0.3,)


@pytest.mark.parametrize(("levels", "place"), [((0.1, 0.5, 0.9), 1), ((0.1, 0.6), 1), ((0.4, 0.6), 0), ((0.9,), 0)])
def test_the_level_nearest_to_the_median_is_the_prediction(levels, place):
    assert middle(levels) == place


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a list"),
        ("0.1,x", "is not a list"),
        ("0,0.5", "0 is not between 0 and 1"),
        ("0.5,1", "1 is not between"),
        ("nan", "is not between"),
        ("10,50,90", "10 is not between"),
        ("0.1,0.5,0.5", "0.5 is listed twice"),
        ("0.9,0.1", "write 0.1,0.9"),
        (",".join(str((k + 1) / 102) for k in range(100)), "at most 99"),
    ],
)
def test_a_list_that_is_none_is_refused_in_one_line(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read_levels(text)
    assert len(str(caught.value)) < 200


def test_known_noise_is_covered_as_the_levels_say(make_table):
    task = fitted(make_table(lines=noisy_lines()))
    metric = evaluate(task, task.loader("test"), CPU)
    report, count = metric.report(), task.loader("test").num_items
    for entry in report["quantiles"]:
        error = math.sqrt(entry["level"] * (1 - entry["level"]) * (1 / count + 1 / 2400))
        assert abs(entry["below"] - entry["level"]) < 3 * error
    [interval] = report["intervals"]
    assert interval["nominal"] == 0.8
    assert abs(interval["coverage"] - 0.8) < 3 * math.sqrt(0.16 * (1 / count + 1 / 2400))
    assert interval["mean_width"] == pytest.approx(2 * 1.2816 * 2, rel=0.06)  # of the normal distribution
    assert report["metrics"]["crossing"] == 0
    assert [table.name for table in task.tables(report, "test")] == ["quantiles", "intervals"]
    assert task.goal.metric == "pinball"


def test_simple_models_are_measured_by_the_same_loss(make_table):
    task = fitted(make_table(lines=noisy_lines(400)), dataclasses.replace(LOOP, epochs=1))
    figures = task.baseline("test")
    [batch] = task.loader("test").batches()
    constant = np.quantile(task._source.targets[task._source._part("train")], task.levels)
    losses = [
        mean_pinball_loss(batch["targets"], np.full(80, value), alpha=level)
        for level, value in zip(task.levels, constant, strict=True)
    ]
    assert figures["constant"]["pinball"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert figures["gradient boosting"]["pinball"] < 0.5 * figures["constant"]["pinball"]


def test_the_loss_of_training_validation_and_scikit_learn_are_one(make_table):
    task = fitted(make_table(), dataclasses.replace(LOOP, epochs=1), loss="mae")
    [batch] = task.loader("test").batches()
    [update] = task.training_step(batch)
    figures = evaluate(task, task.loader("test"), CPU).compute()
    assert set(update.losses) == {"pinball"}
    quantiles = task.infer(batch)["quantiles"].detach().double().numpy()
    targets = batch["targets"].double().numpy()
    expected = np.mean([mean_pinball_loss(targets, quantiles[:, k], alpha=q) for k, q in enumerate(task.levels)])
    assert figures["pinball"] == pytest.approx(expected, rel=1e-5)
    assert figures["loss"] == pytest.approx(expected / task.columns.std, rel=1e-5)
    assert float(update.losses["pinball"].detach()) >= figures["loss"] - 1e-6  # it is learned before it is put in order


@pytest.mark.parametrize("ensemble", [1, 3])
def test_answers_have_a_field_for_each_quantile(make_table, ensemble):
    task = fitted(make_table(), dataclasses.replace(LOOP, epochs=2), ensemble=ensemble, bounded=True)
    codec = RegressionCodec(task.assets())
    assert codec.fields == ("prediction", "q10", "q50", "q90", "note")
    inputs = {name: value[:6] for name, value in task._source._arrays.items()}
    answers = codec.decode(infer_arrays(task, inputs), [None] * 6)
    for answer in answers:
        record = answer.record
        assert record["q10"] <= record["q50"] <= record["q90"]
        assert record["prediction"] == record["q50"]
    assert task.outputs == ("prediction", "quantiles")


def test_large_targets_keep_their_digits(make_table, table_lines):
    def far(line):
        *before, price, kind = line.split(",")
        return ",".join([*before, price if price == "price" else f"{float(price) + 1e9:.2f}", kind])

    task = fitted(make_table(lines=list(map(far, table_lines))), dataclasses.replace(LOOP, epochs=3))
    [batch] = task.loader("test").batches()
    outputs = {name: value.detach().numpy() for name, value in task.infer(batch).items()}
    record = RegressionCodec(task.assets()).decode(outputs, [None] * len(batch["rows"]))[0].record
    assert record["q90"] == pytest.approx(task.columns.offset + float(outputs["quantiles"][0, 2]), abs=1e-3)
    assert record["q10"] > 9e8


def test_levels_in_assets_must_be_those_of_the_options(make_table):
    task = fitted(make_table(), dataclasses.replace(LOOP, epochs=1))
    with pytest.raises(RunError, match="quantiles"):
        RegressionTask.from_assets(RegressionConfig(hidden="none", bins=0), LOOP, task.assets(), None)
    for damaged in (3, ["a"], [2.0], [0.9, 0.1]):
        with pytest.raises(RunError, match="damaged"):
            levels_from_json(damaged)
