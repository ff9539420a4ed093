"""Weights as a folder with their description: what it holds, what is built from it, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dlcli.answering.opening import open_model, task_of
from dlcli.core.description import Description
from dlcli.core.errors import ExportError, ParityError, RunError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import RunPredictor
from dlcli.engine.runs.restore import load_task_from_file
from dlcli.engine.runs.weights import export_weights
from dlcli.engine.task import network_of
from dlcli.export.model_file import is_graph_folder, is_weights_folder
from dlcli.export.peek import task_name_of
from dlcli.models.images.pretrained import count_classes, load_pretrained
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.task import ClassificationTask

CPU = Device(torch.device("cpu"))
ASSETS = {
    "labels": ["猫", "dog"],
    "preprocess": {"channels": 3, "size": [8, 8], "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
}
CONFIG = {"model": "lenet", "image_size": 8}
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)


def logits(task):
    return RunPredictor(task, CPU).run({"images": IMAGES})["logits"]


@pytest.fixture
def task():
    """A classifier that tells images apart."""
    torch.manual_seed(0)
    made = ClassificationTask.from_assets(ClassificationConfig(**CONFIG), TrainConfig(), ASSETS, None)
    with torch.no_grad():
        for parameter in network_of(made).parameters():
            parameter.mul_(3)
    made.model.eval()
    return made


def metadata(**changes):
    description = Description("classification", CONFIG, ASSETS, "lenet", "toy", "first")
    return {**asdict(description), "versions": {"dlcli": "0"}, **changes}


def written(task, path: Path, *, half: bool = False, **changes):
    lines: list[str] = []
    result = export_weights(task, task.export_plan(), metadata(**changes), path, half=half, report=lines.append)
    return result, lines


@pytest.fixture
def folder(task, tmp_path):
    return written(task, tmp_path / "模 型")[0].path


def test_a_task_built_from_the_folder_has_the_same_weights_and_answers_exactly(task, folder):
    other, description = load_task_from_file(folder)
    assert np.array_equal(logits(other), logits(task))
    assert description == Description("classification", CONFIG, ASSETS, "lenet", "toy", "first")
    state = load_file(folder / "model.safetensors")
    assert state.keys() == network_of(task).state_dict().keys()


def test_the_folder_has_two_files_as_the_hub_expects_and_all_of_the_description(task, tmp_path):
    result, lines = written(task, tmp_path / "out")
    assert sorted(path.name for path in result.path.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((result.path / "config.json").read_text(encoding="utf-8"))
    assert config["library_name"] == "dlcli"
    assert (config["task"], config["model"], config["config"], config["assets"]) == (
        "classification",
        "lenet",
        CONFIG,
        ASSETS,
    )
    assert result.bytes == sum(path.stat().st_size for path in result.path.iterdir())
    assert (result.format, result.max_difference, lines) == ("safetensors", 0.0, [])
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


def test_it_is_found_and_opened_as_a_run_is(folder):
    assert is_weights_folder(folder)
    assert not is_graph_folder(folder)
    assert task_name_of(folder) == "classification"
    assert task_of(str(folder)).name == "classification"
    opened = open_model(str(folder), device="cpu", threads=1, report=pytest.fail)
    assert opened.predictor.run({"images": IMAGES})["logits"].shape == (3, 2)


def test_half_halves_the_weights_alone_and_the_loaded_network_computes_in_fp32(task, tmp_path):
    result, _ = written(task, tmp_path / "half", half=True)
    state = load_file(result.path / "model.safetensors")
    learned = {name for name, _ in network_of(task).named_parameters()}
    assert {state[name].dtype for name in learned} == {torch.float16}
    kept = network_of(task).state_dict()
    assert all(torch.equal(state[name], kept[name]) for name in state.keys() - learned)
    other, _ = load_task_from_file(result.path)
    assert {parameter.dtype for parameter in network_of(other).parameters()} == {torch.float32}
    assert 0 < result.max_difference < 2e-2
    np.testing.assert_allclose(logits(other), logits(task), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("value", [1e6, math.inf, math.nan])
def test_half_refuses_a_weight_beyond_fp16_and_leaves_nothing(task, tmp_path, value):
    with torch.no_grad():
        next(network_of(task).parameters()).view(-1)[0] = value
    with pytest.raises(ParityError, match="fp16 ends at 65504"):
        written(task, tmp_path / "out", half=True)
    assert list(tmp_path.iterdir()) == []


def test_tensors_that_share_memory_are_written_and_read_back(tmp_path):
    from dlcli.models.safetensors_files import read_safetensors, write_safetensors

    weight = torch.arange(6.0).reshape(2, 3)
    tied = {"a": weight, "b": weight, "turned": weight.T, "number": torch.tensor(3), "none": torch.zeros(0, 2)}
    write_safetensors(tmp_path / "x.safetensors", tied)
    found = read_safetensors(tmp_path / "x.safetensors")
    assert found.keys() == tied.keys()
    assert all(torch.equal(found[name], tied[name]) for name in tied)


def test_a_network_that_its_description_does_not_give_is_refused_and_leaves_nothing(task, tmp_path):
    with pytest.raises(ExportError, match="cannot be built from its description"):
        written(task, tmp_path / "out", assets={**ASSETS, "labels": ["a", "b", "c"]})
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_answers_otherwise_is_refused_and_an_older_folder_stays(task, folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    plan = task.export_plan()
    with torch.no_grad():
        next(network_of(task).parameters()).mul_(2)
    other = ClassificationTask.from_assets(ClassificationConfig(**CONFIG), TrainConfig(), ASSETS, None)
    with pytest.raises(ParityError, match="different outputs"):
        export_weights(other, plan, metadata(), folder, report=lambda line: None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_with_other_content_is_not_replaced(task, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("work", encoding="utf-8")
    with pytest.raises(ExportError, match="other content"):
        written(task, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "work"


def test_a_model_of_another_program_is_not_replaced(task, tmp_path):
    for name, text in {"config.json": '{"model_type": "bert"}', "model.safetensors": "w", "vocab.txt": "[PAD]"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ExportError, match=r"other content: config\.json, model\.safetensors, vocab\.txt"):
        written(task, tmp_path)
    assert (tmp_path / "vocab.txt").read_text(encoding="utf-8") == "[PAD]"


def test_what_its_owner_added_stays_when_the_folder_is_written_again(task, folder):
    (folder / "LICENSE").write_text("MIT", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    written(task, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def edited(folder: Path, change) -> Path:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    change(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


BROKEN = {
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "damaged"),
    "no UTF-8": (lambda folder: (folder / "config.json").write_bytes(b"\xff"), "not UTF-8"),
    "another program's": (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "no labels"),
    "no assets": (lambda folder: edited(folder, lambda config: config.pop("assets")), "no 'assets'"),
    "no task": (lambda folder: edited(folder, lambda config: config.update(task="juggling")), "juggling"),
    "an unknown option": (lambda folder: edited(folder, lambda config: config["config"].update(nose=1)), "nose"),
    "a newer schema": (lambda folder: edited(folder, lambda config: config.update(schema=99)), "newer dl"),
    "other labels": (lambda folder: edited(folder, lambda config: config["assets"].update(labels=["a"])), "fit"),
    "other weights": (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100), "SHA-256 differs"),
    "a listed file elsewhere": (
        lambda folder: edited(folder, lambda config: config["weights"].update(sha256=None)),
        "SHA-256 differs",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_reported(folder, name):
    change, says = BROKEN[name]
    change(folder)
    with pytest.raises(RunError) as caught:
        load_task_from_file(folder)
    assert says in caught.value.message
    assert str(folder) in caught.value.message or name == "no task"


def test_damaged_weights_with_the_right_digest_are_reported(folder):
    from dlcli.core.files import file_sha256

    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    edited(folder, lambda config: config["weights"].update(sha256=file_sha256(weights)))
    with pytest.raises(RunError, match="damaged"):
        load_task_from_file(folder)


@pytest.mark.parametrize("place", ["", "model.safetensors"])
def test_a_training_may_start_from_the_folder_or_its_file(task, folder, place):
    fresh = ClassificationTask.from_assets(ClassificationConfig(**CONFIG), TrainConfig(), ASSETS, None)
    inner = network_of(fresh)
    network = inner.network if hasattr(inner, "network") else inner
    load_pretrained(network, "lenet", str(folder / place), 8)
    assert np.array_equal(logits(fresh), logits(task))


def test_in_place_of_a_network_without_classes_the_folder_says_to_name_it_itself(task, folder, tmp_path):
    from dlcli.core.errors import UsageError

    inner = network_of(task)
    network = inner.network if hasattr(inner, "network") else inner
    with pytest.raises(UsageError, match="also holds their classes"):
        count_classes(network, "lenet", str(folder))
    alone = shutil.copy(folder / "model.safetensors", tmp_path / "alone.safetensors")
    assert count_classes(network, "lenet", str(alone)) == 2
