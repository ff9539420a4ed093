"""What both tasks on tables are built with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.tables.form import open_table
from dlcli.export.exporting import export_model
from dlcli.export.plan import PARITY_BATCHES
from dlcli.models.tables.table_mlp import TableRegressor
from dlcli.tasks.tables.building import build_network, fit_initial, open_for, plain_columns, plan_export
from dlcli.tasks.tables.columns import UNKNOWN, CategoricalColumn, NumericColumn, TableColumns
from dlcli.tasks.tables.config import TableConfig
from dlcli.tasks.tables.source import TableSource

TASKS = {"price": "regression", "kind": "table-classification"}


@pytest.fixture
def source(make_table):
    return TableSource(open_table(make_table()), None, TrainConfig(), num_bins=4)


@pytest.mark.parametrize("target", TASKS)
def test_a_table_is_opened_by_its_own_task_alone(make_table, target):
    folder = make_table(target)
    other = next(task for name, task in TASKS.items() if name != target)
    assert open_for(TASKS[target], folder).target == target
    with pytest.raises(DataError, match=f"'{target}'") as caught:
        open_for(other, folder)
    assert f"dl train {TASKS[target]} --data {folder}" in str(caught.value.hint)


def test_a_network_reads_the_columns_and_has_the_options(source):
    config = TableConfig(hidden="7,5", ensemble=3, dropout=0.2, batch_norm=True, activation="gelu")
    network = build_network(config, source.columns, 4).eval()
    rows = source.some_rows(6)
    answers = network(*(torch.from_numpy(rows[name]) for name in source.columns.inputs))
    assert answers.shape == (3, 6, 4)
    kinds = [type(layer).__name__ for layer in network.mlp.layers]
    hidden = ["MemberLinear", "MemberNorm", "GELU", "Dropout"]
    assert kinds == [*hidden, *hidden, "MemberLinear"]
    assert [layer.out_features for layer in network.mlp.layers if hasattr(layer, "out_features")] == [7, 5, 4]


def test_an_unknown_network_is_answered_with_the_nearest(source):
    with pytest.raises(UsageError, match="'mpl'") as caught:
        build_network(TableConfig(model="mpl"), source.columns, 1)
    assert "'mlp'" in str(caught.value.hint)


@pytest.mark.parametrize("has_data", [True, False])
def test_an_export_is_compared_on_batches_of_several_sizes_with_a_gap(source, has_data):
    model = TableRegressor(build_network(TableConfig(), source.columns, 1), 0.0, 1.0).eval()
    plan = plan_export(model, source.columns, source if has_data else None, ("prediction",), {"a": 1})
    [graph] = plan.graphs
    assert [len(sample["numeric"]) for sample in graph.samples] == list(PARITY_BATCHES)
    assert plan.metadata == {"assets": {"a": 1}}
    assert graph.inputs == source.columns.inputs == ("numeric", "categories")
    numbers = np.concatenate([sample["numeric"] for sample in graph.samples])
    places = np.concatenate([sample["categories"] for sample in graph.samples])
    assert np.isnan(numbers).any()
    assert np.isnan(numbers[0]).all()
    assert places[0] == UNKNOWN
    assert (numbers.dtype, places.dtype) == (np.float32, np.int64)
    assert 0 <= places.min() <= places.max() < source.columns.categorical[0].size
    answers = model(*graph.example.values())
    assert answers.shape == (2,)
    assert answers.isfinite().all()


def test_noise_lies_around_the_columns_means(source):
    [graph] = plan_export(torch.nn.Identity(), source.columns, None, ("x",), {}).graphs
    numbers = np.concatenate([sample["numeric"] for sample in graph.samples])
    for index, column in enumerate(source.columns.numeric):
        assert abs(np.nanmean(numbers[:, index]) - column.mean) < 2 * column.std


def test_a_table_of_categories_alone_has_one_input():
    columns = TableColumns((), (CategoricalColumn("城市", ("巴黎", "里昂"), False),), "y")
    [graph] = plan_export(torch.nn.Identity(), columns, None, ("x",), {}).graphs
    assert graph.inputs == ("categories",)
    assert [set(sample) for sample in graph.samples] == [{"categories"}] * len(PARITY_BATCHES)


@pytest.mark.parametrize("count", [1, 8])
def test_columns_of_no_table_leave_numbers_as_they_are(count):
    columns = plain_columns(count)
    assert (len(columns.names), len(set(columns.names)), columns.inputs) == (count, count, ("numeric",))
    network = build_network(TableConfig(hidden="none", bins=0), columns, 1)
    numbers = torch.randn(5, count)
    torch.testing.assert_close(network.numeric(numbers), numbers)
    assert TableColumns.from_json(columns.to_json()) == columns


def test_initial_weights_are_fitted_to_the_training_part_of_networks_that_want_it(source):
    for model, is_fitted in (("realmlp", True), ("mlp", False), ("tabm", False)):
        network = build_network(TableConfig(model=model, hidden="8"), source.columns, 1)
        before = network.mlp.layers[-1].weight.clone()
        fit_initial(network, source)
        assert torch.equal(before, network.mlp.layers[-1].weight) != is_fitted
    rows = source.some_rows(1000, "train")
    known = {row.tobytes() for row in source.some_rows(source.form.num_rows)["numeric"][source._part("train")]}
    assert {row.tobytes() for row in rows["numeric"]} <= known


def test_robust_scaling_is_by_median_and_quartiles_and_bounded():
    column = NumericColumn("x", 10.0, 50.0, 99.0, (), quartile_range=4.0)
    numbers = torch.tensor([[10.0], [14.0], [1e6], [torch.nan]])
    config = TableConfig(scaling="robust", numbers="plain")
    found = build_network(config, TableColumns((column,), (), "y"), 1).numeric(numbers)[:, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, 0.9**0.5, 3.0, 0.0]), rtol=1e-4, atol=1e-6)
    flat = dataclasses.replace(column, quartile_range=None)  # most values are equal: by the deviation
    found = build_network(config, TableColumns((flat,), (), "y"), 1).numeric(numbers)[:, 0]
    assert found[1].item() == pytest.approx(4 / 99, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "numbers"), [("tabm", "bins"), ("tabm", "piecewise"), ("mlp", "periodic"), ("realmlp", "periodic")]
)
def test_every_network_and_encoding_passes_the_gate_of_an_export(source, tmp_path, model, numbers):
    config = TableConfig(model=model, numbers=numbers, ensemble=3, hidden="8")
    regressor = TableRegressor(build_network(config, source.columns, 1), 0.0, 1.0).eval()
    with torch.no_grad():
        for parameter in regressor.parameters():
            parameter.normal_()
    plan = plan_export(regressor, source.columns, source, ("prediction", "spread"), {})
    plan = dataclasses.replace(plan, metadata={"task": "regression", "config": {}, "assets": {}})
    result = export_model(plan, "onnx", tmp_path / "model.onnx", report=lambda *_: None)
    assert result.is_telling
