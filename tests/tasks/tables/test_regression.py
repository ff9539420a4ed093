"""Regression and classification on tables: what is learnt, answered and compared with."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.order import Shard
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.tasks.tables.classification import TableClassificationTask
from dlcli.tasks.tables.config import RegressionConfig, TableClassificationConfig, read_widths
from dlcli.tasks.tables.recipes import recipe
from dlcli.tasks.tables.regression import LOSSES, RegressionTask

CPU = Device(torch.device("cpu"))
LOOP = TrainConfig(batch_size=16, epochs=60, learning_rate=1e-2)
FACTORIES = {"price": (RegressionTask, RegressionConfig), "kind": (TableClassificationTask, TableClassificationConfig)}


def opened(folder, target="price", loop=LOOP, **options):
    factory, config = FACTORIES[target]
    torch.manual_seed(0)
    return factory.from_data(config(hidden="32", **options), loop, folder)


def fit(task, loop=LOOP):
    loader, valid = task.loader("train", training=True), task.loader("valid")
    train(start_state(task, loader, loop, CPU), loader, valid if len(valid) else None, loop, [])
    return task


def figures(task, split="test"):
    return evaluate(task, task.loader(split), CPU).compute()


@pytest.mark.parametrize("options", [{}, {"ensemble": 3}, {"full_batch": True}, {"batch_norm": True}, {"dropout": 0.1}])
def test_a_price_that_follows_from_the_columns_is_learnt(make_table, options):
    assert figures(fit(opened(make_table(), **options)))["r2"] > 0.8


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_told_in_training_as_in_evaluation(make_table, loss):
    task = opened(make_table(), loss=loss)
    [batch] = task.loader("test").batches()
    task.model.eval()
    [update] = task.training_step(batch)
    assert float(update.losses[loss].detach()) == pytest.approx(figures(task)["loss"], rel=1e-5)


def test_a_class_that_follows_from_the_columns_is_learnt(make_table):
    assert figures(fit(opened(make_table("kind"), "kind")))["accuracy"] >= 0.8


@pytest.mark.parametrize("target", FACTORIES)
def test_the_loss_of_an_ensemble_is_the_mean_of_its_members(make_table, target):
    task = opened(make_table(target), target, ensemble=3)
    task.model.eval()
    [batch] = task.loader("test").batches()
    [update] = task.training_step(batch)
    columns = [batch[name] for name in task.inputs]
    if target == "price":
        wanted = (batch["targets"] - task.model.mean) / task.model.std
        losses = [(member - wanted).square().mean() for member in task.model.standardised(*columns)]
    else:
        losses = [torch.nn.functional.cross_entropy(member, batch["labels"]) for member in task.model.members(*columns)]
    torch.testing.assert_close(sum(update.losses.values()), torch.stack(losses).mean())


def test_another_unit_of_the_target_changes_the_answer_and_not_the_training(make_table, table_lines):
    def in_cents(line):
        *before, price, kind = line.split(",")
        return ",".join([*before, price if price == "price" else f"{float(price) * 100:.2f}", kind])

    euros = fit(opened(make_table()), loop := dataclasses.replace(LOOP, epochs=2))
    cents = fit(opened(make_table(lines=list(map(in_cents, table_lines)), name="cents")), loop)
    assert figures(cents)["loss"] == pytest.approx(figures(euros)["loss"], rel=1e-3)
    assert figures(cents)["rmse"] == pytest.approx(100 * figures(euros)["rmse"], rel=1e-3)


def test_noise_on_the_targets_is_only_in_training(make_table):
    task = opened(make_table(), target_noise=1.0)
    [batch] = task.loader("test").batches()
    losses = [float(next(iter(task.training_step(batch))).losses["mse"].detach()) for _ in range(2)]
    assert losses[0] != losses[1]
    assert figures(task) == figures(task)


def test_bounded_answers_are_within_the_training_targets(make_table):
    task = opened(make_table(), bounded=True)
    with torch.no_grad():
        task.model.network.mlp.layers[-1].weight *= 1000
    [batch] = task.loader("test").batches()
    answers = task.infer(batch)["prediction"]
    assert answers.min() >= task.columns.lowest - 1e-3
    assert answers.max() <= task.columns.highest + 1e-3


@pytest.mark.parametrize("target", FACTORIES)
def test_a_run_on_a_table_in_another_order_answers_alike(make_table, table_lines, target):
    task = fit(opened(make_table(target), target), dataclasses.replace(LOOP, epochs=1))
    lines = [",".join(reversed(line.split(","))) for line in table_lines]
    other_folder = make_table(target, lines=lines, name="other")
    factory, config = FACTORIES[target]
    other = factory.from_assets(config(hidden="32"), LOOP, task.assets(), other_folder)
    other.model.load_state_dict(task.model.state_dict())
    assert figures(other) == pytest.approx(figures(task))


@pytest.mark.parametrize(("target", "other"), [("price", "kind"), ("kind", "price")])
def test_a_table_of_the_other_task_is_refused_with_the_command(make_table, target, other):
    folder = make_table(target)
    with pytest.raises(DataError) as caught:
        opened(folder, other)
    assert "dl train " in str(caught.value.hint)


def test_an_ensemble_that_does_not_fit_its_assets_is_refused(make_table):
    task = opened(make_table(), ensemble=2)
    with pytest.raises(RunError, match="ensemble"):
        RegressionTask.from_assets(RegressionConfig(hidden="32", ensemble=3), LOOP, task.assets(), None)


def test_an_unknown_network_is_answered_with_the_nearest(make_table):
    with pytest.raises(UsageError, match="no network 'mpl'"):
        opened(make_table(), model="mpl")


def test_rare_classes_weigh_more(make_table, table_lines):
    rare = [line for line in table_lines if line.endswith("dear")][:8]
    folder = make_table("kind", lines=[table_lines[0], *(x for x in table_lines if x.endswith("cheap")), *rare])
    task = opened(folder, "kind", class_weights="balanced")
    labels = torch.cat([batch["labels"] for batch in task.loader("train").batches()])
    counts, weights = labels.bincount(), task.model.class_weights
    assert weights[1] / weights[0] == pytest.approx(float(counts[0] / counts[1]))
    assert float((weights * counts).sum()) == pytest.approx(len(labels))


def test_rare_classes_are_drawn_as_often_as_others(make_table, table_lines):
    rare = [line for line in table_lines if line.endswith("dear")][:8]
    folder = make_table("kind", lines=[table_lines[0], *(x for x in table_lines if x.endswith("cheap")), *rare])
    task = opened(folder, "kind", class_weights="sample", loss="focal", ensemble=2)
    batches = list(task.loader("train", training=True).batches(1))
    counts = torch.cat([batch["labels"] for batch in batches]).bincount()
    assert (counts[0] - counts[1]).abs() <= 1
    assert set(next(task.training_step(batches[0])).losses) == {"focal"}


def test_simple_models_are_fitted_on_the_training_part_and_measured_on_the_split(make_table):
    baselines = opened(make_table()).baseline("test")
    assert set(baselines) == {"linear", "gradient boosting"}
    assert baselines["linear"]["r2"] > 0.99  # the price is linear in size and city
    baselines = opened(make_table("kind", name="kinds"), "kind").baseline("test")
    assert set(baselines) == {"logistic regression", "gradient boosting"}
    assert all(figures["accuracy"] > 0.7 for figures in baselines.values())


@pytest.mark.parametrize(("target", "loss"), [("price", "mse"), ("kind", "cross_entropy")])
def test_the_gradients_of_micro_batches_add_up_to_that_of_the_large_batch(make_table, target, loss):
    options = {"class_weights": "balanced"} if target == "kind" else {}
    task = opened(make_table(target), target, **options)
    task.model.eval()
    [batch] = task.loader("train").batches()

    def gradients(*cuts):
        task.model.zero_grad()
        for start, end in itertools.pairwise(cuts):
            [update] = task.training_step({name: value[start:end] for name, value in batch.items()})
            (update.losses[loss] * update.count / cuts[-1]).backward()
        return [parameter.grad.clone() for parameter in task.model.parameters()]

    total = len(batch["rows"])
    torch.testing.assert_close(gradients(0, 5, 6, total), gradients(0, total))


def test_a_class_without_a_row_to_train_on_is_refused(make_table):
    folder = make_table("kind")
    lines = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not ("dear" in line and "train" in line)]
    (folder / "table.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="no row of the class 'dear' to train on"):
        opened(folder, "kind")


def test_only_classes_have_a_table(make_table):
    task = opened(make_table("kind"), "kind")
    report = evaluate(task, task.loader("test"), CPU).report()
    [table] = task.tables(report, "test")
    assert [row[0] for row in table.rows] == list(task.labels)
    assert sum(entry["support"] for entry in table.entries) == task.loader("test").num_items
    task = opened(make_table(name="prices"))
    assert list(task.tables(evaluate(task, task.loader("test"), CPU).report(), "test")) == []


@pytest.mark.parametrize("target", FACTORIES)
def test_merged_shares_are_one_metric_over_all(make_table, target):
    task = opened(make_table(target), target)
    whole = evaluate(task, task.loader("test"), CPU)
    first, second = (evaluate(task, task.loader("test", shard=Shard(rank, 2)), CPU) for rank in (0, 1))
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute())

    def worst(metric):
        return sorted(entry["index"] for entry in metric.report()["worst"])

    assert worst(first) == worst(whole)


@pytest.mark.parametrize("target", FACTORIES)
def test_the_pictures_of_a_report_are_drawn(make_table, target):
    task = opened(make_table(target), target)
    report = evaluate(task, task.loader("test"), CPU).report()
    names = [name for name, _ in task.draw_report(report, "test")]
    assert names == (
        ["predicted.png", "residuals.png"] if target == "price" else ["confusion.png", "pr.png", "roc.png"]
    )


def test_the_worst_rows_are_named_by_their_place_in_the_table(make_table):
    task = opened(make_table())
    worst = evaluate(task, task.loader("test"), CPU).report()["worst"]
    targets = opened(make_table(name="again"))._source.form.rows.targets
    for entry in worst:
        assert targets[entry["index"]] == pytest.approx(entry["target"], rel=1e-5)


@pytest.mark.parametrize("text", ["", "0", "64,,64", "a", "64,-1", "1" * 9])
def test_widths_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="widths"):
        read_widths(text)


def test_widths_are_read():
    assert read_widths("64,32") == (64, 32)
    assert read_widths("none") == ()


@pytest.mark.parametrize("dataset", ["housing", "table", "another"])
def test_a_recipe_names_options_that_there_are(dataset):
    from dlcli.core.config import resolve, split_values

    own, shared = split_values(recipe(dataset, {}), RegressionConfig, TrainConfig, origin="recipe")
    resolve(RegressionConfig, [own])
    resolve(TrainConfig, [shared])
