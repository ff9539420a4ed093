"""What every task must do: each goes through every command, on original data in its real format.

No test knows a task: what is particular to one stands in `originals.py`.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import shutil
import subprocess
from html import escape
from pathlib import Path
from typing import Any

import pytest
import torch
from contract.comparing import assert_alike, assert_close, assert_equal
from huggingface_hub import ModelCard
from torch import Tensor

import dlcli
from dlcli.answering import benchmarking
from dlcli.answering.answers import answer, lines_of
from dlcli.answering.benchmarking import Contender
from dlcli.answering.opening import open_model
from dlcli.answering.timing_worker import Timed
from dlcli.cli.pictures import all_pictures
from dlcli.core.config import read_toml, resolve, split_values
from dlcli.core.console import format_table
from dlcli.core.files import finite
from dlcli.core.records import read_metrics
from dlcli.core.registry import TASKS, all_tasks, load_object
from dlcli.core.train_config import TrainConfig
from dlcli.data.codec import DRAW, IMAGE, TEXT, TakesValues
from dlcli.data.images.decoding import read_image
from dlcli.data.order import Shard
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.report.evaluations import title_of

CPU = Device(torch.device("cpu"))
GRAPHS = ("onnx", "torchscript", "pt2")
FORMATS = (*GRAPHS, "safetensors")  # weights are computed by torch, as the run is


def open_task(house: Any, **changes: Any) -> Any:
    """Return the run's task anew, with its data."""
    config_class = load_object(house.spec.config)
    config_file = house.folder / house.run / "config.toml"
    own, shared = split_values(read_toml(config_file), config_class, TrainConfig, origin="config")
    config, train = resolve(config_class, [own]), dataclasses.replace(resolve(TrainConfig, [shared]), **changes)
    torch.manual_seed(0)
    return load_object(house.spec.task).from_data(config, train, house.folder / house.data)


def codec_of(house: Any) -> Any:
    """Return the codec of the run's task, with the run's assets."""
    return load_object(house.spec.codec)(open_task(house).assets(), None)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_preparing_again_does_nothing(house):
    before = {path: path.stat().st_mtime_ns for path in (house.folder / house.data).rglob("*")}
    again = house.dl("prepare", *house.source, "--json").json
    assert again["is_new"] is False
    assert {path: path.stat().st_mtime_ns for path in (house.folder / house.data).rglob("*")} == before


def test_the_card_counts_items_and_no_labels(house):
    task = open_task(house)
    assert task.card.num_items("test") == task.loader("test").num_items


def test_training_answers_with_the_path_alone(house):
    assert house.answers["whole"].stdout == "runs/whole\n"
    assert (house.folder / "runs" / "whole" / "checkpoints" / "best.pt").is_file()


def test_an_interruption_says_how_to_go_on_and_the_resumed_run_equals_the_whole_one(house):
    name = Path(house.run).name
    assert f"dl train --resume {name}" in house.answers["interrupted"].stderr
    whole, resumed = (house.folder / "runs" / run for run in ("whole", name))
    weights = [read_checkpoint(run / "checkpoints" / "last.pt")["model"] for run in (whole, resumed)]
    assert_equal(dict(weights[0]), dict(weights[1]))
    losses = [[record["loss"] for record in read_metrics(run / "metrics.jsonl")] for run in (whole, resumed)]
    assert losses[0] == losses[1]


def test_a_finished_run_is_not_resumed(house):
    assert "finished" in house.dl("train", "--resume", "whole", expect=2).stderr


def test_evaluation_gives_metrics_and_says_which_are_better_lower(house):
    report = house.answers["eval"].json
    assert report["schema"] == "dl.eval/1"
    assert "since the run was trained" not in house.answers["eval"].stderr  # the data is the same
    assert ("loss" in report["lower_is_better"]) == house.original.has_loss
    assert set(report["lower_is_better"]) <= set(report["metrics"])
    assert all(value is None or math.isfinite(value) for value in report["metrics"].values())
    assert json.loads((house.folder / house.run / "eval" / "test.json").read_text(encoding="utf-8"))["metrics"]
    bounded = next(iter(report["metrics"]))
    is_lower = bounded in report["lower_is_better"]
    unreachable = f"{bounded}={-1e9 if is_lower else 1e9}"
    house.dl("eval", house.run, "--no-plots", "--quiet", "--fail-under", unreachable, expect=7)


def test_the_tables_of_an_evaluation_stand_in_its_report_and_are_printed(house):
    report = house.answers["eval"].json
    printed = house.dl("eval", house.run, "--no-plots").stdout
    for table in open_task(house).tables(report, "test"):
        assert report[table.name] == json.loads(json.dumps(finite(list(table.entries))))
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert not table.rows or "\n".join(format_table(table.columns, table.rows)) in printed


def test_the_goal_picks_the_best_epoch_and_without_figures_the_newest_is_best(house):
    run = house.dl("runs", house.run, "--json").json["run"]
    goal = open_task(house).goal
    assert run["goal"] == house.original.goal == (goal.metric if goal is not None else None)
    assert run["larger_is_better"] == (goal.larger_is_better if goal is not None else None)
    epochs = read_metrics(house.folder / house.run / "metrics.jsonl")
    figures = [record[run["goal"]] for record in epochs if run["goal"] in record]
    if goal is None or not figures:  # without a validation part there are no figures either
        assert run["best"]["epoch"] == len(epochs)
    else:
        assert figures[run["best"]["epoch"] - 1] == (max if goal.larger_is_better else min)(figures)


def is_refused(house: Any, kind: str) -> bool:
    """Return whether the run cannot be exported in a format; then check that this is said."""
    if kind not in house.original.refused:
        return False
    assert "try --format" in house.dl("export", house.run, "--format", kind, expect=5).stderr
    return True


@pytest.mark.parametrize("kind", ["best.pt", "best.pt alone", *FORMATS])
def test_every_form_of_the_model_answers_alike(house, tmp_path, kind):
    if is_refused(house, kind):
        return
    if kind in FORMATS:
        model = house.exported(kind)
    elif kind == "best.pt":
        model = f"{house.run}/checkpoints/best.pt"
    else:
        (tmp_path / "somewhere else").mkdir()
        model = str(shutil.copy(house.folder / house.run / "checkpoints" / "best.pt", tmp_path / "somewhere else"))
    house.original.compare(house.records(model), house.records(house.run))


def test_python_answers_as_the_command_line_does(house, monkeypatch):
    monkeypatch.chdir(house.folder)
    assert dlcli.load(house.run, device="cpu")(house.inputs or None) == house.records(house.run, "--device", "cpu")


@pytest.mark.parametrize("kind", ["best.pt", *FORMATS])
def test_every_form_of_the_model_has_the_figures_of_its_run(house, kind):
    if is_refused(house, kind):
        return
    report, only_in_run = house.answers["eval"].json, set(house.original.only_in_run)
    words = ("eval", house.exported(kind) if kind in FORMATS else f"{house.run}/checkpoints/best.pt", "--json")
    if kind in GRAPHS and only_in_run == set(report["metrics"]):
        assert "evaluate the run" in house.dl(*words, expect=2).stderr
        return
    answer = house.dl(*words)
    given, missing = answer.json, only_in_run if kind in GRAPHS else set()
    assert set(report["metrics"]) - set(given["metrics"]) == missing
    assert ("`dl eval RUN`" in answer.stderr) == bool(missing)
    assert (given["items"], given["data"], given["plots"]) == (report["items"], report["data"], [])
    assert set(given["lower_is_better"]) == set(report["lower_is_better"]) - missing
    for name, value in given["metrics"].items():
        if value is None or report["metrics"][name] is None:  # undefined
            assert value == report["metrics"][name], name
            continue
        assert value == pytest.approx(report["metrics"][name], rel=house.original.figures_within, abs=1e-6), name
    for table in open_task(house).tables(given, "test"):
        assert len(given[table.name]) == len(report[table.name])
    bounded, lowest = next(iter(given["metrics"])), given["lower_is_better"]
    unreachable = f"{bounded}={-1e9 if bounded in lowest else 1e9}"
    house.dl(*words, "--quiet", "--fail-under", unreachable, expect=7)


class InThisProcess:
    """A model that is timed without a process of its own."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self._timed = Timed(contender.job(threads))
        self.open_s, self.memory_mb = self._timed.open_s, {}

    def times(self, batch_size: int, seconds: float) -> list[int]:
        return self._timed.times(batch_size, 0.0)

    def close(self) -> None:
        """There is nothing to end."""


def test_every_form_of_the_model_is_timed_with_items_of_the_data(house, monkeypatch):
    monkeypatch.setattr(benchmarking, "Worker", InThisProcess)
    graphs = [kind for kind in GRAPHS if kind not in house.original.refused]
    names = [Path(house.run).name, *sorted(Path(house.exported(kind)).name for kind in graphs)]
    words = ("benchmark", house.run, "--batch-sizes", "1,2", "--rounds", "2", "--json")
    rows = house.dl(*words).json["rows"]
    assert list(dict.fromkeys(row["model"] for row in rows)) == names
    assert {row["batch_size"] for row in rows if row["runtime"] == "torch"} == {1, 2}
    assert {row["inputs"] for row in rows} == {f"items of {house.data}"}
    assert all(row["calls"] == 2 and row["median_ms"] > 0 for row in rows)
    assert house.dl("report", house.run, "--out", "timed.html").code == 0


def test_every_input_gives_its_records_and_a_task_without_inputs_draws_them(house):
    names = [record["input"] for record in house.records(house.run)]
    if not house.inputs:
        assert len(set(names)) == house.original.num_records
    else:
        expected = [source for source in house.inputs for _ in range(house.original.num_records)]
        assert all(name.startswith(source) for name, source in zip(names, expected, strict=True))


def require_values(opened: Any, house: Any) -> None:
    """Skip a task of another package that takes nothing from programs; every one of ours does."""
    if not isinstance(opened.codec, TakesValues) and house.spec.name not in TASKS:
        pytest.skip("its codec takes no values")


def test_a_program_gets_the_answers_of_the_command_line(house, monkeypatch):
    monkeypatch.chdir(house.folder)
    opened = open_model(house.run, device="cpu", threads=1, report=lambda line: None)
    require_values(opened, house)
    values, expected = opened.codec.values, house.records(house.run)
    given = list(opened.codec.expand(house.inputs))
    if values.kind == DRAW:
        draws = [{name: record[name] for name in ("seed", "number", "class") if name in record} for record in expected]
        sources = [values.source("", draw) for draw in draws]
    elif values.kind == IMAGE:
        sources = [one for each in given for one in values.sources_of_file(each.name, each.value.read_bytes())]
    elif values.kind == TEXT:
        sources = [values.source("", {**each.value.kept, "text": each.value.text}) for each in given]
    else:
        sources = [values.source("", dict(each.value.cells)) for each in given]
    records = [finite(answered.record) for _, answered in answer(opened, sources)]
    house.original.compare(
        # a table has a note once, and each row of a program
        [{"input": "", **{name: value for name, value in record.items() if name != "note"}} for record in records],
        [{**{name: value for name, value in record.items() if name != "note"}, "input": ""} for record in expected],
    )
    assert values.schema()


def test_a_value_that_is_no_input_is_a_fault_and_no_exception(house, monkeypatch):
    monkeypatch.chdir(house.folder)
    opened = open_model(house.run, device="cpu", threads=1, report=lambda line: None)
    require_values(opened, house)
    for value in (None, 3, [], [1], {}, {"a": []}, True, 1.5, "\0"):
        [(_, answered)] = answer(opened, [opened.codec.values.source("x", value)])
        kinds = {DRAW: ({},), TEXT: ("\0",)}.get(opened.codec.values.kind, ())
        assert "error" in answered.record or value in kinds, value


def test_inference_options_change_the_answers_of_every_form_alike(house):
    options = house.original.options
    assert bool(options) == bool(house.spec.inference)
    expected = house.records(house.run, *options)
    assert (expected != house.records(house.run)) == bool(options)
    house.original.compare(house.records(house.exported("onnx"), *options), expected)


def test_jsonl_gives_the_same_records_as_json_and_every_form_of_the_answer_is_written(house):
    lines = house.dl("predict", house.run, *house.inputs, "--jsonl").stdout.splitlines()
    records = house.records(house.run)
    assert [json.loads(line) for line in lines] == records
    names = [record["input"] for record in records for _ in lines_of(record, codec_of(house).listed)]
    table = house.dl("predict", house.run, *house.inputs).stdout.splitlines()
    rows = list(csv.reader(house.dl("predict", house.run, *house.inputs, "--csv").stdout.splitlines()))
    assert len(table) == len(rows) == len(names) + 1
    assert rows[0] == ["input", *codec_of(house).fields, "error"]
    assert [row[0] for row in rows[1:]] == names


def test_answers_are_drawn_and_those_of_an_export_look_alike(house, tmp_path):
    for name, model in (("run", house.run), ("onnx", house.exported("onnx"))):
        house.dl("predict", model, *house.inputs, "--save-dir", str(tmp_path / name))
    drawn = sorted((tmp_path / "run").glob("*.png"))
    assert len(drawn) == len(house.records(house.run))
    for path in drawn:
        other = tmp_path / "onnx" / path.name
        assert_alike(read_image(path, 3), read_image(other, 3), house.original.share)


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_is_proven_and_carries_what_an_answer_needs(house, format):
    if is_refused(house, format):
        return
    document = house.export(format).json
    assert Path(document["path"]).parent == Path(house.run) / "exports"
    assert len(document["checks"]) >= 2
    assert document["is_telling"]


def test_an_export_answers_with_its_path_alone(house):
    words = ("export", house.run, "--format", "torchscript", "--out", "again.torchscript")
    assert house.dl(*words).stdout == "again.torchscript\n"
    assert (house.folder / "again.torchscript").exists()


def test_the_card_beside_an_export_is_what_the_hub_reads(house):
    answer = house.answers["onnx"].json
    head = ModelCard.load(house.folder / answer["card"]).data.to_dict()
    assert (head["library_name"], head.get("pipeline_tag", "")) == ("dlcli", house.spec.pipeline)
    metrics = house.answers["eval"].json["metrics"]
    for result in head.get("model-index", [{"results": []}])[0]["results"]:
        for metric in result["metrics"]:
            assert metric["value"] == pytest.approx(metrics[metric["type"]], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("fits_images", [False, True])
def test_the_script_beside_an_export_answers_as_predict_where_this_package_is_not(house, bare_python, fits_images):
    if not (house.spec.short_script if fits_images else house.spec.script):
        pytest.skip("its script calls `dl predict`")
    answer = house.answers["onnx"].json
    if fits_images:
        answer = house.dl("export", house.run, "--embed-preprocess", "--out", "whole.onnx", "--json").json
    places = dict.fromkeys(house.folder / source.partition(":")[0] for source in house.inputs)  # FILE.csv:12 is a row
    files = [file for place in places for file in (sorted(place.iterdir()) if place.is_dir() else [place])]
    inputs = [str(file.relative_to(house.folder)) for file in files]
    line = [bare_python, house.folder / answer["script"], *inputs]
    done = subprocess.run(line, cwd=house.folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    own = [json.loads(each) for each in done.stdout.splitlines()]
    records = house.dl("predict", answer["path"], *inputs, "--json").json["records"]
    assert len(own) == len(records) > 0
    for one, other in zip(own, records, strict=True):
        shared = one.keys() & other.keys()
        assert {"input"} < shared
        assert_close({key: one[key] for key in shared}, {key: other[key] for key in shared}, within=1e-5)


def test_every_picture_that_applies_is_drawn(house):
    for name in all_pictures([house.spec]):
        if name not in house.original.pictures:
            continue
        words = [house.inputs[0] if word == "INPUT" else word for word in house.original.pictures[name]]
        written = house.dl("visualize", name, house.run, *words).stdout.splitlines()
        assert written
        assert all((house.folder / path).read_bytes().startswith((b"\x89PNG", b"GIF89a")) for path in written)


def test_the_report_shows_what_the_evaluation_showed(house):
    path = house.folder / house.dl("report", house.run, "--out", "page.html").line
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 3_000_000
    for table in open_task(house).tables(house.answers["eval"].json, "test"):
        assert not table.rows or f">{escape(table.name.replace('_', ' '))}<" in text
    for place in house.answers["eval"].json["plots"]:
        assert f'alt="{title_of(Path(place), "test")}, test split"' in text
    assert "data:image/" in text or not house.answers["eval"].json["plots"]
    assert all(f">{name}" in text for name in house.answers["eval"].json["metrics"])
    assert all(Path(house.exported(kind)).name in text for kind in ("onnx", "torchscript"))
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)


def test_training_writes_samples_where_the_task_has_some(house):
    names = [path.suffix for path in (house.folder / house.run / "samples").glob("epoch-*.*")]
    assert bool(names) == house.original.has_samples
    whole = house.folder / "runs" / "whole" / "samples"
    for path in whole.glob("*"):
        found = sorted((house.folder / house.run / "samples").glob(f"*{path.suffix}"))
        # What equals the file before is not written again, so the epoch may have its samples in an earlier file.
        newest = [each for each in found if each.name <= path.name][-1]
        assert path.read_bytes() == newest.read_bytes()


def test_every_list_knows_the_run_its_data_and_its_task(house):
    dl, name = house.dl, Path(house.run).name
    assert name in [run["name"] for run in dl("runs", "--json").json["runs"]]
    assert house.spec.name in [task["name"] for task in dl("tasks", "--json").json["tasks"]]
    assert house.original.dataset in [dataset["name"] for dataset in dl("datasets", "--json").json["datasets"]]
    models = [model["name"] for model in dl("models", "--json").json["models"] if model["task"] == house.spec.name]
    assert models == list(load_object(house.spec.networks))
    assert dl("models", dl("runs", house.run, "--json").json["run"]["model"], "--json").json["parameters"] > 0
    for subject in ([], [house.data], [house.run]):
        findings = dl("doctor", *subject, "--json").json["findings"]
        assert not [finding for finding in findings if finding["state"] == "fault"]


def test_every_document_has_its_schema(house):
    lines = (["runs"], ["tasks"], ["datasets"], ["models"], ["doctor"], ["runs", house.run], ["doctor", house.run])
    for words in (*lines, ["predict", house.run, *house.inputs[:1]]):
        assert house.dl(*words, "--json").json["schema"].startswith("dl.")


def test_the_run_says_what_made_it_and_names_no_place_of_this_machine(house):
    info = json.loads((house.folder / house.run / "run.json").read_text(encoding="utf-8"))
    assert info["status"] == "finished"
    assert info["command"].startswith(f"dl train {house.original.trained[0]} ")
    assert {"dlcli", "python", "torch", "numpy"} <= set(info["versions"])
    assert info["seed"] == 0
    assert info["started"] <= info["finished"]
    assert info["best"]["epoch"] >= 1
    config = read_toml(house.folder / house.run / "config.toml")
    for text in (*strings(info), *strings(config)):
        assert not Path(text).is_absolute()
        assert str(house.folder) not in text


def test_the_run_alone_answers_exports_and_draws_on_another_machine(house, moved):
    expected, answered = house.records(house.run), moved.records(moved.run)
    for record, other in zip(expected, answered, strict=True):
        record["input"] = other["input"]
    house.original.compare(answered, expected)
    assert moved.dl("export", moved.run, "--format", "torchscript").line.startswith("moved run")
    assert moved.dl("visualize", "curves", moved.run).line.startswith("moved run")
    assert "no prepared data" in moved.dl("eval", moved.run, expect=3).stderr
    findings = moved.dl("doctor", moved.run, "--json").json["findings"]
    assert not [finding for finding in findings if finding["state"] == "fault"]


def test_infer_gives_the_outputs_that_the_task_names_as_tensors_batch_first(house):
    task = open_task(house)
    task.model.eval()
    for split in ("test", "train"):
        batch = next(iter(task.loader(split).batches()))
        with torch.inference_mode():
            outputs = task.infer(batch)
        assert tuple(outputs) == task.outputs
        assert all(isinstance(value, Tensor) for value in outputs.values())
        assert {len(value) for value in outputs.values()} == {house.original.count(batch)}


def test_an_item_alone_is_answered_as_in_its_batch(house):
    task = open_task(house)
    task.model.eval()
    batch = next(iter(task.loader("test").batches()))
    with torch.inference_mode():
        together = task.infer(batch)
        for index in range(3):
            one = {name: value[index : index + 1] if name in task.inputs else value for name, value in batch.items()}
            alone = house.original.item(task.infer(one), 0)
            expected = house.original.item(together, index)
            torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_any_batch_of_an_epoch_is_reached_without_those_before_it(house):
    loader = open_task(house).loader("train", training=True)
    whole = list(loader.batches(2))
    assert len(whole) == len(loader) >= 3
    for start in (1, len(loader) - 1, len(loader)):
        assert_equal(list(loader.batches(2, start=start)), whole[start:])


def test_two_epochs_show_the_items_in_another_order(house):
    task = open_task(house)
    loader = task.loader("train", training=True)
    first, second = (next(iter(loader.batches(epoch))) for epoch in (0, 1))
    shown = [name for name in task.inputs if name in first] or list(first)  # two domains are no input of the network
    with pytest.raises(AssertionError):
        assert_equal({name: first[name] for name in shown}, {name: second[name] for name in shown})


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_evaluation_shows_every_item_of_any_split_in_one_order(house, split):
    loader = open_task(house).loader(split)
    assert_equal(list(loader.batches(0)), list(loader.batches(1)))
    assert sum(house.original.count(batch) for batch in loader.batches()) == loader.num_items


def test_two_shards_of_a_split_are_measured_as_the_whole(house):
    task = open_task(house)
    whole = evaluate(task, task.loader("test"), CPU).compute()
    first, second = (evaluate(task, task.loader("test", shard=Shard(rank, 2)), CPU) for rank in (0, 1))
    first.merge(second)
    assert first.compute() == pytest.approx(whole, rel=1e-4)


def test_the_assets_alone_make_the_same_network(house):
    task, factory = open_task(house), load_object(house.spec.task)
    assets = json.loads(json.dumps(task.assets(), allow_nan=False))
    config_class = load_object(house.spec.config)
    config_file = house.folder / house.run / "config.toml"
    own, shared = split_values(read_toml(config_file), config_class, TrainConfig, origin="config")
    other = factory.from_assets(resolve(config_class, [own]), resolve(TrainConfig, [shared]), assets, None)
    shapes = [{name: value.shape for name, value in made.model.state_dict().items()} for made in (task, other)]
    assert shapes[0] == shapes[1]
    assert json.loads(json.dumps(other.assets())) == assets


def test_a_training_step_yields_finite_losses_over_the_items_of_its_batch(house):
    task = open_task(house)
    optimizers, weight = task.optimizers(), house.original.weight or house.original.count
    for batch in task.loader("train", training=True).batches():
        updates = list(task.training_step(batch))
        assert updates
        for update in updates:
            assert update.optimizer in optimizers
            assert update.count == weight(batch)
            for loss in update.losses.values():
                assert loss.ndim == 0
                assert torch.isfinite(loss)
                assert loss.requires_grad


def test_every_task_has_its_original_data(originals):
    assert set(originals) == set(all_tasks()), "a task adds its entry to tests/contract/originals.py"
