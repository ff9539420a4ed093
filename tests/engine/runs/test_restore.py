"""From a run or a checkpoint file back to a task, and what is said where it is damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dlcli.core.console import Console
from dlcli.core.errors import DataError, RunError
from dlcli.core.registry import TASKS
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import RunPredictor
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.engine.runs.restore import describe_run, load_task, load_task_from_file
from dlcli.engine.runs.training import start_training
from dlcli.tasks.classification.config import ClassificationConfig

CPU = Device(torch.device("cpu"))
CONFIG = ClassificationConfig(model="lenet", image_size=8)
TRAIN = TrainConfig(epochs=2, batch_size=8, precision="fp32", threads=1)
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two epochs, and the data it was trained on."""
    folder = tmp_path_factory.mktemp("trained")
    random = np.random.default_rng(0)
    for name in ("dark", "light"):
        place = folder / "data" / "train" / name
        place.mkdir(parents=True)
        for number in range(8):
            image = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            (place / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        request = TrainRequest(
            TASKS["classification"], "toy", Path("data"), "lenet", CONFIG, TRAIN, "dl train toy", "first"
        )
        run = start_training(request, Console(is_quiet=True))
    return RunDir(folder / run.path), folder / "data"


@pytest.fixture
def run(trained, tmp_path):
    """The run in a place of its own, to be damaged."""
    return RunDir(shutil.copytree(trained[0].path, tmp_path / "runs" / "first"))


def logits(task):
    return RunPredictor(task, CPU).run({"images": IMAGES})["logits"]


def test_a_run_is_described_by_its_files(run):
    description = describe_run(run)
    assert (description.task, description.model, description.dataset) == ("classification", "lenet", "toy")
    assert description.assets["labels"] == ["dark", "light"]
    assert description.configs("run") == (CONFIG, TRAIN)
    assert description.run == "first"


def test_the_best_weights_are_loaded_ready_to_answer(run):
    task, _ = load_task(run)
    saved = read_checkpoint(run.best_checkpoint)["model"]
    assert all(torch.equal(value, saved[name]) for name, value in task.model.state_dict().items())
    assert not task.model.training


def test_where_no_epoch_was_finished_the_newest_weights_are_loaded(run):
    run.best_checkpoint.unlink()
    saved = read_checkpoint(run.last_checkpoint)["model"]
    assert all(torch.equal(value, saved[name]) for name, value in load_task(run)[0].model.state_dict().items())


def test_a_checkpoint_alone_answers_as_its_run(run, tmp_path):
    alone = Path(shutil.move(run.best_checkpoint, tmp_path / "model.pt"))
    expected = load_task_from_file(alone)
    shutil.move(shutil.copy(alone, tmp_path / "again.pt"), run.best_checkpoint)
    whole = load_task(run)
    assert np.array_equal(logits(expected[0]), logits(whole[0]))
    assert expected[1].assets == whole[1].assets


def test_data_is_opened_only_where_it_is_named(trained):
    run, data = trained
    with pytest.raises(DataError, match="no data is at hand"):
        load_task(run)[0].loader("train")
    assert load_task(run, data=data)[0].loader("train").num_items > 0


@pytest.mark.parametrize("name", ["task", "model", "dataset", "assets"])
def test_an_entry_that_is_missing_is_named(run, name):
    info = run.info()
    del info[name]
    run.info_file.write_text(json.dumps(info), encoding="utf-8")
    with pytest.raises(RunError, match=name):
        describe_run(run)


@pytest.mark.parametrize("name", ["run.json", "config.toml", "labels.json", "preprocess.json", "checkpoints/best.pt"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[1, 2", b"3"])
def test_a_damaged_file_is_a_fault_of_the_run_that_names_it(run, name, content):
    (run.path / name).write_bytes(content)
    with pytest.raises(RunError) as caught:
        load_task(run)
    assert Path(name).stem in str(caught.value) or "damaged" in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "config.toml", "labels.json", "preprocess.json"])
def test_a_missing_file_is_a_fault_of_the_run(run, name):
    (run.path / name).unlink()
    with pytest.raises(RunError, match=name):
        load_task(run)


@pytest.mark.parametrize(
    ("old", "new"),
    [('model = "lenet"', 'model = "lenett"'), ("batch_size = 8", "batch_size = 0"), ("seed = 0", "sead = 0")],
)
def test_an_option_that_cannot_be_is_a_fault_of_the_runs_file(run, old, new):
    text = run.config_file.read_text(encoding="utf-8")
    assert old in text
    run.config_file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RunError, match=r"config\.toml"):
        load_task(run)


def test_weights_of_another_shape_do_not_fit(run):
    (run.path / "labels.json").write_text('["one", "two", "three"]', encoding="utf-8")
    with pytest.raises(RunError, match="does not fit the network"):
        load_task(run)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    torch.save({"model": {}}, tmp_path / "other.pt")
    with pytest.raises(RunError, match="not a checkpoint of dl"):
        load_task_from_file(tmp_path / "other.pt")


def test_a_run_of_a_task_that_is_gone_says_so(run):
    run.update_info(task="telepathy")
    with pytest.raises(RunError, match="telepathy"):
        load_task(run)
