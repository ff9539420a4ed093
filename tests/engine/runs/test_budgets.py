"""Whole runs with a --budget: what they note of it."""

from __future__ import annotations

import dataclasses

import pytest
from toys.gan import GanConfig

from dlcli.core.config import to_dict
from dlcli.core.console import Console
from dlcli.core.errors import UsageError
from dlcli.core.registry import TASKS, TaskSpec
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import StopTraining
from dlcli.engine.observers.budget_keeper import BudgetKeeper
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.rerun import check_comparable, rerun_request
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


@pytest.fixture
def shortened(monkeypatch):
    """Let budgets find, after a step, that the machine is so slow that the training must end with its seventh."""

    class Shortening(BudgetKeeper):
        def on_step_end(self, state):
            state.schedule.num_steps, state.num_epochs = 7, 2
            if state.step == 7:
                raise StopTraining("the budget ended the training", finishes_epoch=True)

    monkeypatch.setattr("dlcli.engine.tuning.budget.BudgetKeeper", Shortening)


def test_a_run_whose_length_its_budget_has_changed_is_not_compared(request_for, tmp_path, shortened):
    run = start_training(request_for("slow", dataclasses.replace(ASKED, budget="1h")), QUIET)
    info = run.info()
    assert (info["status"], info["scheduled_steps"]) == ("finished", 7)
    assert info["planned_steps"] == min(5 * run.config()["epochs"], run.config().get("max_steps", 10**12)) > 7
    with pytest.raises(UsageError, match=f"slow was planned for {info['planned_steps']} steps; .* changed that to 7"):
        check_comparable(run, rerun_request(run, tmp_path / "none", "", None))


@pytest.mark.parametrize("name", [None, "planned_steps", "scheduled_steps"])
def test_a_run_that_kept_its_length_is_compared_and_so_is_one_of_before(request_for, tmp_path, monkeypatch, name):
    monkeypatch.setattr(BudgetKeeper, "on_step_end", lambda self, state: None)  # the machine is as busy as it was
    run = start_training(request_for("steady", dataclasses.replace(ASKED, budget="0.2s")), QUIET)
    if name is not None:
        run.update_info(**{name: None})
    check_comparable(run, rerun_request(run, tmp_path / "none", "", None))
