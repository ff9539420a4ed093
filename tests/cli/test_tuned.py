"""What `dl tune` says at the end of a study, and what it draws."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from dlcli.cli.tuned import answer_study, draw_study
from dlcli.core.console import Console
from dlcli.core.errors import RunError
from dlcli.core.run_dir import RunDir
from dlcli.core.tune_dir import create_tune
from dlcli.engine.tuning.plan import Plan, default_values
from dlcli.engine.tuning.search import search
from dlcli.engine.tuning.study import Study
from dlcli.engine.tuning.trial_process import Figure

PLAN = Plan(
    task="classification",
    dataset="digits",
    data="data/digits",
    param=("lr=1e-4..1e-1:log",),
    options={"epochs": 5, "model": "lenet"},
    metric="accuracy",
    epochs=5,
)


@pytest.fixture
def studied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """A function that returns a study of which the trials have these figures, in order."""
    monkeypatch.chdir(tmp_path)

    def make(*values: float, **changes: Any) -> Study:
        plan = dataclasses.replace(PLAN, **changes)
        plan = dataclasses.replace(plan, default=default_values(plan))
        study, left = Study(create_tune("digits", plan.to_json()), plan), list(values)

        def train(request: Any, report: Any, stop: Any, *, is_loud: bool = False) -> Figure:
            run = request.folder / request.name
            run.mkdir()
            (run / "run.json").write_text("{}")
            return Figure(left.pop(0), 5, 5, 1.0)

        search(study, Console(is_quiet=True), num_trials=len(values) // plan.folds, train=train)
        return study

    return make


def test_the_best_is_told_beside_the_default_recipe_with_a_word_of_caution(studied: Any, capsys: Any) -> None:
    answer_study(studied(0.7, 0.8, 0.6), Console(), retrain=None)
    out, err = capsys.readouterr()
    assert out == "tunes/digits-1/trials/0001\n"
    assert "best: accuracy 0.8000, trial 1 of 3; the default recipe has 0.7000" in err
    assert "  learning-rate " in err
    assert "looks better on the validation part than it is" in err
    assert err.endswith("next: dl eval tunes/digits-1/trials/0001\n")


def test_a_default_recipe_that_nothing_beats_is_told_as_such(studied: Any, capsys: Any) -> None:
    answer_study(studied(0.7, 0.6), Console(), retrain=None)
    out, err = capsys.readouterr()
    assert out == "tunes/digits-1/trials/0000\n"
    assert "the default recipe: nothing was better" in err
    assert "looks better" not in err


def test_folds_have_standard_errors_and_lead_to_a_training_on_all_items(studied: Any, capsys: Any) -> None:
    answer_study(studied(0.6, 0.8, 0.7, 0.9, folds=2), Console(), retrain=None)
    _, err = capsys.readouterr()
    assert "accuracy 0.8000 ± 0.1000 (standard error), trial 1 of 2; the default recipe has 0.7000 ± 0.1000" in err
    assert err.endswith("next: dl train --from tunes/digits-1\n")


def test_the_best_options_are_trained_again_on_the_machine_of_the_line(
    studied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def start(request: Any, console: Console) -> RunDir:
        asked.append(request)
        return RunDir(Path("runs/digits-lenet-1"))

    monkeypatch.setattr("dlcli.engine.runs.training.start_training", start)
    study = studied(0.7, 0.8, options={**PLAN.options, "device": "cuda", "threads": 3})
    machine = {"device": "cpu", "threads": 1}
    answer_study(study, Console(is_quiet=True), retrain="same", machine=machine)
    answer_study(study, Console(is_quiet=True), retrain="all")
    assert [(each.train.device, each.train.threads) for each in asked] == [("cpu", 1), ("cuda", 3)]
    assert [each.train.learning_rate for each in asked] == [study.best().values["learning_rate"]] * 2


def test_json_has_every_trial(studied: Any, capsys: Any) -> None:
    answer_study(studied(0.7, 0.8, 0.6), Console(is_json=True, is_quiet=True), retrain=None)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["schema"], found["run"], err) == ("dl.tune/1", "tunes/digits-1/trials/0001", "")
    assert [trial["value"] for trial in found["trials"]] == [0.7, 0.8, 0.6]
    assert found["default"] == found["trials"][0]
    assert found["best"]["trial"] == 1


def test_a_study_without_a_finished_trial_says_how_to_go_on(studied: Any) -> None:
    with pytest.raises(RunError, match="no trial of this study has finished") as caught:
        answer_study(studied(), Console(), retrain=None)
    assert "dl tune --join tunes/digits-1" in str(caught.value.hint)


def test_pictures_are_in_the_folder_of_the_study_and_importance_needs_some_trials(studied: Any) -> None:
    few, many = studied(0.7, 0.8), studied(*(0.5 + number / 50 for number in range(9)))
    for study in (few, many):
        draw_study(study, Console())
    assert [path.name for path in few.tune.plots.iterdir()] == ["history.png"]
    assert {path.name for path in many.tune.plots.iterdir()} == {"history.png", "importance.png"}


def test_pictures_that_cannot_be_written_are_a_warning(studied: Any, capsys: Any) -> None:
    study = studied(0.7)
    study.tune.plots.write_text("a file")
    draw_study(study, Console())
    assert "warning" in capsys.readouterr().err
