"""An ensemble's spread is calibrated on the validation part, and its interval answered, measured and exported."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from dlcli.core.errors import RunError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate, infer_arrays
from dlcli.engine.loop import start_state, train
from dlcli.engine.task import Calibrates
from dlcli.models.tables.intervals import FACTORS, FLOOR
from dlcli.tasks.tables.codec import RegressionCodec
from dlcli.tasks.tables.config import RegressionConfig, RegressionInference
from dlcli.tasks.tables.levels import COVERAGES, Interval, place_of
from dlcli.tasks.tables.regression import RegressionTask

CPU = Device(torch.device("cpu"))
LOOP = TrainConfig(batch_size=128, epochs=6, learning_rate=3e-2, val_fraction=0.3)


def noisy_lines(count=1500):
    """Return a table whose price is 3 x size with normal noise, of which the members of an ensemble know nothing."""
    random = np.random.default_rng(0)
    sizes = random.uniform(0, 10, count)
    prices = 3 * sizes + random.normal(0, 2, count)
    return ["size,price,kind", *(f"{size:.4f},{price:.4f},x" for size, price in zip(sizes, prices, strict=True))]


def fitted(folder, loop=LOOP, **options):
    torch.manual_seed(0)
    config = RegressionConfig(**{"hidden": "4", "bins": 0, "ensemble": 3, **options})
    task = RegressionTask.from_data(config, loop, folder)
    loader, valid = task.loader("train", training=True), task.loader("valid")
    train(start_state(task, loader, loop, CPU), loader, valid if len(valid) else None, loop, [])
    return task


def report_of(task, split="test"):
    return evaluate(task, task.loader(split), CPU).report()


@pytest.fixture
def noisy(make_table):
    return fitted(make_table(lines=noisy_lines()))


def test_the_interval_holds_as_many_values_as_it_says(noisy):
    assert isinstance(noisy, Calibrates)
    num_valid, num_test = noisy.loader("valid").num_items, noisy.loader("test").num_items
    for coverage in (None, 0.5, 0.9):
        noisy.set_inference(RegressionInference(coverage))
        wanted = coverage or 0.9
        on_valid, on_test = (report_of(noisy, split)["metrics"]["coverage"] for split in ("valid", "test"))
        assert on_valid == math.ceil(round(wanted * (num_valid + 1), 9)) / num_valid
        error = math.sqrt(wanted * (1 - wanted) * (1 / num_valid + 1 / num_test))
        assert abs(on_test - wanted) < 3 * error
    [entry] = report_of(noisy)["intervals"]
    assert (entry["interval"], entry["nominal"]) == ("90%", 0.9)
    assert [table.name for table in noisy.tables(report_of(noisy), "test")] == ["intervals"]


def test_the_spread_alone_would_be_too_narrow(noisy):
    [batch] = noisy.loader("test").batches()
    outputs = {name: value.detach().numpy() for name, value in noisy.infer(batch).items()}
    inside = np.abs(outputs["prediction"] - batch["targets"].numpy()) <= 1.645 * outputs["spread"]
    assert inside.mean() < 0.8  # at 1.645 standard deviations, normal errors would be within in 90 %


def test_answers_have_the_ends_and_a_run_restored_gives_the_same(noisy, make_table):
    assets = noisy.assets()
    assert assets["interval"] == {"coverage": 0.9, "factors": []}
    codec = RegressionCodec(assets, RegressionInference(0.5))
    assert codec.fields == ("prediction", "spread", "low", "high", "note")
    [batch] = noisy.loader("test").batches()
    arrays = {name: batch[name].numpy() for name in noisy.inputs}
    record = codec.decode(infer_arrays(noisy, arrays), [None] * len(batch["rows"]))[0].record
    assert record["low"] < record["prediction"] < record["high"]
    config = RegressionConfig(hidden="4", bins=0, ensemble=3)
    other = RegressionTask.from_assets(config, LOOP, assets, None)
    other.model.load_state_dict(noisy.model.state_dict())
    np.testing.assert_array_equal(infer_arrays(other, arrays)["low"], infer_arrays(noisy, arrays)["low"])


def test_an_export_has_the_ends_and_the_factors_of_other_coverages(noisy):
    noisy.set_inference(RegressionInference(0.8))
    plan = noisy.export_plan()
    [graph] = plan.graphs
    assert graph.outputs == ("prediction", "spread", "low", "high")
    outputs = graph.module.eval()(*(torch.as_tensor(value) for value in graph.example.values()))
    arrays = dict(zip(graph.outputs, (value.detach().numpy() for value in outputs), strict=True))
    assets, items = plan.metadata["assets"], [None] * len(arrays["low"])
    assert assets["interval"]["coverage"] == 0.8

    def answered(asked):
        return [answer.record for answer in RegressionCodec(assets, asked).decode(arrays, items)]

    assert answered(RegressionInference()) == answered(RegressionInference(0.8)) == answered(None)
    inputs = {name: np.asarray(value) for name, value in graph.example.items()}
    noisy.set_inference(RegressionInference(0.5))
    of_run = RegressionCodec(noisy.assets(), RegressionInference(0.5)).decode(infer_arrays(noisy, inputs), items)
    for record, answer in zip(answered(RegressionInference(0.5)), of_run, strict=True):
        assert record == pytest.approx(answer.record, rel=1e-4)
        assert record["low"] < record["prediction"] < record["high"]
    scores = answered(RegressionInference(0.9))[0]["high"], answered(RegressionInference(0.5))[0]["high"]
    assert scores[0] > scores[1]


def test_too_few_rows_for_a_coverage_leave_it_open(make_table):
    task = fitted(make_table(), dataclasses.replace(LOOP, epochs=1))  # 14 of 48 rows validate
    factors = task.model.get_buffer(FACTORS)
    assert factors[:93].isfinite().all()
    assert factors[93:].isnan().all()  # ceil(0.94 x 15) is 15
    with pytest.raises(UsageError, match="too few rows validated"):
        RegressionCodec(task.export_plan().metadata["assets"], RegressionInference(0.95))
    task.set_inference(RegressionInference(0.95))
    assert "coverage" not in report_of(task)["metrics"]


@pytest.mark.parametrize(
    ("loop", "options"), [({"val_fraction": 0.0}, {}), ({"val_fraction": 0.1}, {}), ({}, {"quantiles": "0.1,0.9"})]
)
def test_without_calibration_there_is_no_interval(make_table, loop, options):
    task = fitted(make_table(), dataclasses.replace(LOOP, epochs=1, **loop), **options)
    assert "low" not in task.outputs
    assert "interval" not in task.assets()
    assert "coverage" not in report_of(task)["metrics"]
    assert bool(options) != any("not calibrated" in note for note in task.notes())
    for refuse in (task.set_inference, lambda asked: RegressionCodec(task.assets(), asked)):
        with pytest.raises(UsageError, match="--coverage"):
            refuse(RegressionInference(0.9))
    task.set_inference(RegressionInference())


def test_a_single_network_is_as_before(make_table):
    task = fitted(make_table(), dataclasses.replace(LOOP, epochs=1), ensemble=1)
    assert task.outputs == ("prediction",)
    assert not any(name in dict(task.model.named_buffers()) for name in (FLOOR, FACTORS))
    assert task.notes() == []


@pytest.mark.parametrize(
    "damaged",
    [
        3,
        {},
        {"coverage": 2, "factors": []},
        {"coverage": "x", "factors": []},
        {"coverage": 0.9, "factors": [-1.0] * 99},
    ],
)
def test_a_damaged_interval_is_refused(damaged):
    with pytest.raises(RunError, match="damaged"):
        Interval.from_json(damaged)


@pytest.mark.parametrize("coverage", [0.01, 0.29, 0.9, 0.901, 0.99])
def test_the_place_of_a_coverage_is_of_one_at_least_as_large(coverage):
    assert COVERAGES[place_of(coverage)] == (0.91 if coverage == 0.901 else coverage)
