"""Whole runs with a --budget: what they note of it."""

from __future__ import annotations

import dataclasses

import pytest
from toys.gan import GanConfig

from dlcli.core.config import to_dict
from dlcli.core.console import Console
from dlcli.core.registry import TASKS, TaskSpec
from dlcli.core.train_config import TrainConfig
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.rerun import rerun_request
from dlcli.engine.runs.training import start_training

QUIET = Console(is_quiet=True)
ASKED = TrainConfig(epochs=987_654, budget="1s", batch_size=8, precision="fp32", threads=1, device="cpu")


@pytest.fixture
def request_for(tmp_path, monkeypatch):
    """Return the request to train the toy as a registered task, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    where = {"config": "toys.gan:GanConfig", "task": "toys.gan:PoolGan"}
    spec = TaskSpec("gan", "pictures from noise", "noise", "none", recipe="", codec="", networks="", **where)
    monkeypatch.setitem(TASKS, "gan", spec)

    def make(name, train):
        return TrainRequest(spec, "none", tmp_path / "none", "gan", GanConfig(), train, "", name)

    return make


def test_a_run_notes_the_options_in_whose_place_its_budget_chose_others(request_for, tmp_path):
    run = start_training(request_for("short", ASKED), QUIET)
    kept = run.info()["budgeted"]
    assert run.config()["epochs"] < kept["epochs"] == 987_654
    asked = {name: value for name, value in {**run.config(), **kept}.items() if value is not None}
    assert asked == to_dict(dataclasses.replace(ASKED, budget=None), GanConfig())
    assert rerun_request(run, tmp_path / "none", "", None).budgeted == kept
