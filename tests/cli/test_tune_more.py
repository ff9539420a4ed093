"""`dl tune`: the options from which a study starts. No trial is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from dlcli.cli.tune import _together
from dlcli.core.errors import UsageError
from dlcli.core.run_dir import RunDir
from dlcli.core.tune_dir import TuneDir
from dlcli.engine.tuning.trial_process import Judge
from dlcli.tasks.classification.config import ClassificationConfig


def test_a_schedule_that_no_retraining_on_all_items_can_have_is_refused_before_the_first_trial(
    bench: Any, dl: Any
) -> None:
    bench.digits()
    answer = dl("tune", "digits", "--param", "schedule=cosine,plateau", "--model", "lenet", "--retrain", "all")
    assert (answer.code, answer.out) == (2, "")
    assert "--retrain all: --param schedule: plateau needs the validation part" in answer.err
    assert not list(Path("tunes").glob("*/trials/*"))


def test_a_later_option_of_a_study_replaces_an_earlier_one_that_it_excludes() -> None:
    parts = [{"average-epochs": 3, "lr": (0.1, 0.2), "model": "lenet"}, {"ema": 0.9, "model": "cnn"}]
    assert _together(parts, ClassificationConfig) == {"learning_rate": [0.1, 0.2], "ema": 0.9, "model": "cnn"}


def test_a_study_around_a_run_takes_over_no_length_that_a_budget_chose(
    bench: Any, dl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, studies = RunDir(bench.run()), []
    run.update_info(budgeted={"max_steps": None})
    with run.config_file.open("a") as file:
        file.write("max_steps = 2\n")

    def create(stem: str, info: dict[str, Any], name: str | None) -> TuneDir:
        studies.append(info["options"])
        raise UsageError("enough")

    judge = Judge("accuracy", larger_is_better=True)
    monkeypatch.setattr("dlcli.engine.tuning.trial_process.find_judge", lambda requests, stop: (judge, 5))
    monkeypatch.setattr("dlcli.cli.tune.create_tune", create)
    for words in (("--epochs", "3"), ("--param", "epochs=2..3"), ("--seed", "3")):
        dl("tune", "--from", run.name, *words)
    assert [options.get("max_steps") for options in studies] == [None, None, 2]
