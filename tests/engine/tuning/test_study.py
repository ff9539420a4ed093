"""A study over a made-up objective: what it tries, what it resumes, what it gives up. No training is started."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import signal

import pytest

pytest.importorskip("optuna")

from dlcli.core.console import Console
from dlcli.core.errors import DataError, DlError, ExitCode, RunError, StoppedError, UsageError
from dlcli.core.locks import hold
from dlcli.core.tune_dir import TuneDir, create_tune
from dlcli.data.card import Card
from dlcli.engine.tuning.plan import (
    Plan,
    check_choices,
    default_space,
    default_values,
    read_plan,
    request_of,
    require_cut_validation,
    retrain_request,
)
from dlcli.engine.tuning.search import MOST_FAILURES, search
from dlcli.engine.tuning.study import MOST_ATTEMPTS, Study
from dlcli.engine.tuning.trial_process import Figure, TrialError

PLAN = Plan(
    task="classification",
    dataset="digits",
    data="data/digits",
    param=("lr=1e-4..1e-1:log", "weight-decay=1e-4..1:log"),
    options={"epochs": 5, "model": "lenet"},
    metric="accuracy",
    epochs=5,
)
QUIET = Console(is_quiet=True)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new_study(plan=PLAN, **changes):
    plan = dataclasses.replace(plan, **changes)
    plan = dataclasses.replace(plan, default=default_values(plan))
    return Study(create_tune("digits", {**plan.to_json(), "trials": 6}), plan)


def reopened(study):
    return Study(study.tune, read_plan(study.tune))


def goodness(request):
    """Return a figure with its best at a learning rate of 0.02."""
    return 1 - abs(math.log10(request.train.learning_rate / 0.02)) / 10 - request.train.weight_decay / 100


def train(request, report, stop, *, is_loud=False):
    """Pretend to train: the figure rises to its end in five epochs."""
    request.folder.joinpath(request.name).mkdir(exist_ok=True)
    request.folder.joinpath(request.name, "run.json").write_text("{}")
    for epoch in range(1, 6):
        if report(epoch, goodness(request) * epoch / 5) and epoch < 5:
            return Figure(goodness(request) * epoch / 5, epoch, epoch, 1.0, is_pruned=True)
    return Figure(goodness(request), 5, 5, 1.0)


def seen(study):
    return [(trial.place, trial.status, dict(trial.values), trial.value) for trial in study.trials()]


def test_the_first_trial_is_the_default_recipe_and_has_its_options(place):
    study = new_study()
    assert search(study, QUIET, num_trials=1, train=train)
    [trial] = study.trials()
    recipe = request_of(PLAN, {})
    assert trial.is_default
    assert trial.values == {"learning_rate": recipe.train.learning_rate, "weight_decay": recipe.train.weight_decay}
    assert study.tune.info()["best"]["run"] == "0000"


def test_a_study_in_two_halves_tries_what_one_in_one_go_does(place):
    whole = new_study(pruner="none")
    assert search(whole, QUIET, num_trials=24, train=train)
    halves = new_study(pruner="none")
    for count in (5, 12, 24):  # the sampler learns from ten trials on
        assert search(reopened(halves), QUIET, num_trials=count, train=train)
    assert seen(reopened(halves)) == seen(whole)
    assert len({trial.values["learning_rate"] for trial in whole.trials()}) == 24


def test_another_seed_tries_others(place):
    first, second = new_study(), new_study(seed=1)
    for study in (first, second):
        search(study, QUIET, num_trials=3, train=train)
    assert [trial.values for trial in first.trials()[1:]] != [trial.values for trial in second.trials()[1:]]


def test_a_study_that_is_stopped_in_a_trial_goes_on_with_that_trial_and_ends_the_same(place):
    whole = new_study(pruner="none")
    search(whole, QUIET, num_trials=12, train=train)
    cut, count = new_study(pruner="none"), 0

    def stopping(request, report, stop, *, is_loud=False):
        nonlocal count
        count += 1
        if count == 4:
            signal.raise_signal(signal.SIGINT)
            report(1, goodness(request) / 5)
            raise StoppedError("stopped", exit_code=ExitCode.INTERRUPTED)
        return train(request, report, stop)

    with pytest.raises(StoppedError) as caught:
        search(cut, QUIET, num_trials=12, train=stopping)
    assert caught.value.exit_code == ExitCode.INTERRUPTED
    assert f"dl tune --join {cut.tune.reference}" in str(caught.value.hint)
    assert [trial.status for trial in cut.trials()] == ["finished"] * 3 + ["waiting"]
    runs = []

    def noting(request, report, stop, *, is_loud=False):
        runs.append(request.name)
        return train(request, report, stop)

    assert search(reopened(cut), QUIET, num_trials=12, train=noting)
    assert runs[0] == "0003"  # the run that was begun
    assert seen(reopened(cut)) == seen(whole)


def test_a_trial_whose_process_has_died_is_failed_and_taken_again(place):
    study = new_study()
    with study._locked():
        dead = study._next(6)  # and nobody holds its lock
    assert [trial.status for trial in study.trials()] == ["running"]
    other = reopened(study)
    with other.taking(6) as job:
        assert (job.place, job.run, job.values) == (dead.place, dead.run, dead.values)
        assert [each.state.name for each in other._trials()] == ["FAIL", "RUNNING"]
        other.finish(job, 0.5, epochs=1, seconds=1.0, standard_error=None, is_pruned=False)
    assert [trial.status for trial in other.trials()] == ["finished"]


def test_a_trial_whose_process_lives_is_left_alone(place):
    study = new_study()
    with study._locked():
        running = study._next(6)
    script = "import sys; from pathlib import Path; from dlcli.core.locks import hold\n"
    script += "with hold(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    import subprocess
    import sys

    lock = study.tune.trial_lock(running.run)
    with subprocess.Popen([sys.executable, "-c", script, lock], stdin=-1, stdout=-1) as holder:
        holder.stdout.readline()
        with reopened(study).taking(6) as job:
            assert job.place == 1
        holder.stdin.close()


def test_a_trial_that_ends_its_process_again_and_again_is_failed_at_last(place):
    study = new_study()
    for _ in range(MOST_ATTEMPTS):
        with study._locked():
            study._revive()
            study._next(6)
    with study._locked():
        study._revive()
    [trial] = study.trials()
    assert (trial.status, trial.error) == ("failed", f"its process was killed {MOST_ATTEMPTS} times")


def test_a_failed_trial_does_not_end_the_study(place):
    study = new_study()

    def failing(request, report, stop, *, is_loud=False):
        if request.name == "0002":
            raise TrialError(["error: its process was ended by SIGKILL"], ExitCode.FAULT)
        return train(request, report, stop)

    assert search(study, QUIET, num_trials=5, train=failing)
    assert [trial.status for trial in study.trials()].count("failed") == 1
    assert study.trials()[2].error == "its process was ended by SIGKILL"


def test_what_fails_the_default_recipe_for_a_reason_of_the_user_ends_the_study(place):
    def failing(request, report, stop, *, is_loud=False):
        lines = ["error: data/digits: no prepared data there", "  fix: run `dl prepare digits`"]
        raise TrialError(lines, ExitCode.DATA)

    with pytest.raises(DlError, match="no prepared data") as caught:
        search(new_study(), QUIET, num_trials=5, train=failing)
    assert (caught.value.exit_code, caught.value.hint) == (DataError.exit_code, "run `dl prepare digits`")


def test_a_default_recipe_that_could_not_be_trained_is_tried_again_when_the_cause_is_mended(place):
    study = new_study()

    def failing(request, report, stop, *, is_loud=False):
        raise TrialError(["error: CUDA out of memory"], ExitCode.DEVICE)

    with pytest.raises(TrialError):
        search(study, QUIET, num_trials=2, train=failing)
    assert [trial.status for trial in study.trials()] == ["waiting"]
    assert search(reopened(study), QUIET, num_trials=2, train=train)
    assert [(trial.place, trial.status) for trial in reopened(study).trials()] == [(0, "finished"), (1, "finished")]


def test_a_full_disk_ends_the_study_and_costs_no_trial(place):
    study, begun = new_study(pruner="none"), []

    def filling(request, report, stop, *, is_loud=False):
        if request.name == "0001":
            raise StoppedError("runs/x: the disk is full", exit_code=ExitCode.DATA)
        return train(request, report, stop)

    def noting(request, report, stop, *, is_loud=False):
        begun.append(request.name)
        return train(request, report, stop)

    with pytest.raises(StoppedError, match="the disk is full") as caught:
        search(study, QUIET, num_trials=3, train=filling)
    assert caught.value.exit_code == ExitCode.DATA
    assert f"free some space and go on with `dl tune --join {study.tune.reference}`" == caught.value.hint
    assert [trial.status for trial in study.trials()] == ["finished", "waiting"]
    assert search(reopened(study), QUIET, num_trials=3, train=noting)
    assert begun == ["0001", "0002"]


def test_a_study_in_which_everything_fails_ends(place):
    calls = []

    def failing(request, report, stop, *, is_loud=False):
        calls.append(request.name)
        raise TrialError(["error: diverged"], ExitCode.DIVERGED)

    with pytest.raises(RunError, match="in a row") as caught:
        search(new_study(), QUIET, num_trials=50, train=failing)
    assert len(calls) == MOST_FAILURES
    assert "diverged" in " ".join(caught.value.lines())


def test_a_goal_without_a_value_fails_its_trial(place):
    study = new_study()
    search(study, QUIET, num_trials=2, train=lambda request, *_, **__: Figure(None, 5, 0, 1.0))
    assert "undefined" in str(study.trials()[0].error)
    assert study.best() is None


def test_trials_that_are_worse_than_the_median_are_pruned_and_never_the_default_recipe(place):
    study = new_study(sampler="random")

    def worsening(request, report, stop, *, is_loud=False):
        value = 1.0 / (1 + int(request.name)) if request.name != "0000" else 0.01
        for epoch in range(1, 6):
            if report(epoch, value) and epoch < 5:
                return Figure(value, epoch, epoch, 1.0, is_pruned=True)
        return Figure(value, 5, 5, 1.0)

    assert search(study, QUIET, num_trials=10, train=worsening)
    by_place = {trial.place: trial for trial in study.trials()}
    assert by_place[0].status == "finished"
    assert [by_place[place].status for place in (1, 2, 3)] == ["finished"] * 3  # nothing to compare with yet
    assert by_place[9].status == "pruned"
    assert by_place[9].epochs == 2  # not by the first epoch
    assert study.best().place == 1


def test_without_a_pruner_nothing_is_pruned(place):
    study = new_study(pruner="none")
    search(study, QUIET, num_trials=8, train=train)
    assert {trial.status for trial in study.trials()} == {"finished"}


def test_hyperband_prunes_too(place):
    study = new_study(pruner="hyperband", sampler="random", epochs=9)

    def worsening(request, report, stop, *, is_loud=False):
        value = -float(request.name)
        for epoch in range(1, 10):
            if report(epoch, value) and epoch < 9:
                return Figure(value, epoch, epoch, 1.0, is_pruned=True)
        return Figure(value, 9, 9, 1.0)

    search(study, QUIET, num_trials=20, train=worsening)
    assert "pruned" in {trial.status for trial in study.trials()}


def test_a_default_recipe_outside_the_space_is_measured_and_not_learned_from(place):
    study = new_study(param=("lr=0.05..0.1",), pruner="none")
    search(study, QUIET, num_trials=12, train=train)
    first, *others = study.trials()
    assert (first.is_default, first.status, first.values) == (True, "finished", {})
    assert first.value == goodness(request_of(PLAN, {}))
    assert all(0.05 <= trial.values["learning_rate"] <= 0.1 for trial in others)
    assert study._trials()[0].state.name == "FAIL"  # for Optuna, which would see an empty space


def test_a_small_space_is_tried_in_full_and_nothing_twice(place):
    study = new_study(param=("batch-size=32,64,128", "schedule=cosine,constant"))
    assert search(study, QUIET, num_trials=50, train=train)
    tried = [tuple(trial.values.values()) for trial in study.trials() if trial.values]
    assert len(tried) == len(set(tried)) == 6


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [("0..0.5:step=0.1", 0.3, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), ("0..0.9:step=0.3", 0.3, [0.0, 0.3, 0.6, 0.9])],
)
def test_a_small_space_of_steps_is_tried_in_full_and_the_default_recipe_once(place, text, default, expected):
    options = {**PLAN.options, "weight_decay": default}
    study = new_study(options=options, param=(f"weight-decay={text}",), pruner="none")
    assert search(study, QUIET, num_trials=len(expected), train=train)
    tried = [trial.values["weight_decay"] for trial in study.trials()]
    assert tried[0] == default
    assert sorted(tried) == expected


def test_a_smaller_goal_can_be_the_better_one(place):
    study = new_study(metric="rmse", larger_is_better=False)
    search(study, QUIET, num_trials=6, train=train)
    assert study.best().value == min(trial.value for trial in study.trials() if trial.status == "finished")


def test_of_equal_trials_the_first_is_the_best_so_the_default_recipe_wins_ties(place):
    study = new_study()
    search(study, QUIET, num_trials=5, train=lambda request, *_, **__: Figure(0.5, 5, 5, 1.0))
    assert study.best().is_default


def test_folds_give_a_mean_and_its_standard_error(place):
    study = new_study(folds=4)
    figures = {f"0000-{fold}": value for fold, value in enumerate((0.7, 0.9, 0.8, 1.0), 1)}
    folds = []

    def train_fold(request, report, stop, *, is_loud=False):
        folds.append((request.name, request.train.val_fold))
        assert report(1, 0.0) is False  # the epochs of one fold are compared with nothing
        return Figure(figures.get(request.name, 0.1), 5, 5, 1.0)

    search(study, QUIET, num_trials=1, train=train_fold)
    assert folds == [(f"0000-{fold}", f"{fold}/4") for fold in (1, 2, 3, 4)]
    [trial] = study.trials()
    assert trial.value == pytest.approx(0.85)
    assert trial.standard_error == pytest.approx(0.1290994 / 2)
    assert trial.run == "0000-1"


def test_a_hopeless_trial_is_pruned_after_a_fold(place):
    study = new_study(folds=4, sampler="random")
    folds = {}

    def train_fold(request, report, stop, *, is_loud=False):
        number = int(request.name[:4])
        folds[number] = folds.get(number, 0) + 1
        return Figure(1 / (1 + number), 5, 5, 1.0)

    search(study, QUIET, num_trials=8, train=train_fold)
    assert [folds[number] for number in (0, 1, 2, 3)] == [4] * 4
    assert folds[7] == 2
    assert study.trials()[7].status == "pruned"


def test_a_study_stops_when_its_time_is_up_and_keeps_the_trial_that_runs(place):
    study, now = new_study(), 0.0

    def slow(request, report, stop, *, is_loud=False):
        nonlocal now
        now += 40.0
        if stop() is not None:
            raise StoppedError("stopped", exit_code=ExitCode.TERMINATED)
        return train(request, report, stop)

    assert search(study, QUIET, num_trials=9, budget_s=100, train=slow, clock=lambda: now) is False
    assert [trial.status for trial in study.trials()] == ["finished", "finished", "waiting"]
    assert search(reopened(study), QUIET, num_trials=4, train=train)
    assert {trial.status for trial in reopened(study).trials()} <= {"finished", "pruned"}


def test_every_trial_has_the_seed_of_the_study(place):
    seeds = set()

    def noting(request, report, stop, *, is_loud=False):
        seeds.add(request.train.seed)
        return train(request, report, stop)

    search(new_study(options={**PLAN.options, "seed": 7}, seed=7), QUIET, num_trials=4, train=noting)
    assert seeds == {7}


def test_the_machine_of_a_process_is_not_that_of_the_study(place):
    study, seen_threads = new_study(options={**PLAN.options, "threads": 8}), set()

    def noting(request, report, stop, *, is_loud=False):
        seen_threads.add(request.train.threads)
        return train(request, report, stop)

    search(study, QUIET, num_trials=2, machine={"threads": 1}, train=noting)
    assert seen_threads == {1}


def test_half_a_line_at_the_end_of_the_journal_is_dropped(place):
    study = new_study()
    search(study, QUIET, num_trials=3, train=train)
    before = seen(study)
    with study.tune.journal.open("a") as stream:
        stream.write('{"op_code":4,"worker')
    assert seen(reopened(study)) == before
    assert study.tune.journal.read_text().endswith("\n")


@pytest.mark.parametrize("line", ["rubbish", "{}", '{"op_code": 99}', '{"op_code": 4, "study_id": 0}'])
def test_a_damaged_journal_is_told_in_one_sentence(place, line):
    study = new_study()
    search(study, QUIET, num_trials=2, train=train)
    lines = study.tune.journal.read_text().splitlines()
    study.tune.journal.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    with pytest.raises(RunError, match="damaged"):
        reopened(study)


def test_the_journal_is_lines_of_json(place):
    study = new_study()
    search(study, QUIET, num_trials=2, train=train)
    assert all(isinstance(json.loads(line), dict) for line in study.tune.journal.read_text().splitlines())


def test_the_importance_of_options_adds_up_and_finds_the_one_that_matters(place):
    study = new_study(pruner="none", sampler="random")
    search(study, QUIET, num_trials=30, train=train)
    found = study.importances()
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["learning_rate"] > 0.9


def test_a_few_trials_have_no_importances(place):
    study = new_study()
    search(study, QUIET, num_trials=3, train=train)
    assert study.importances() == {}


def test_a_plan_is_read_back_as_it_was_written(place):
    study = new_study(options={"epochs": 3, "seed": 2}, seed=2)
    assert read_plan(study.tune) == study.plan
    assert read_plan(study.tune).same_study() == study.plan.same_study()


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "no-such-task"},
        {"task": 3},
        {"param": "lr=1..2"},
        {"param": ["lr=2..1"]},
        {"options": {"no_such_option": 1}},
        {"options": []},
        {"folds": 0},
        {"folds": True},
        {"sampler": "os.system"},
        {"schema": 99},
    ],
)
def test_a_damaged_plan_is_told_in_one_sentence(place, changes):
    study = new_study()
    study.tune.update_info(**changes)
    with pytest.raises(RunError):
        read_plan(study.tune)


def test_the_default_space_is_around_the_recipe_without_what_the_user_has_fixed():
    options = {"learning_rate": 0.003, "weight_decay": 0.01, "dropout": 0.1}
    assert default_space(options, ()) == ["lr=0.0003..0.03:log", "weight-decay=1e-5..0.3:log", "dropout=0..0.5"]
    assert default_space({"learning_rate": (0.1, 0.2)}, {"weight_decay"}) == ["lr=0.0001..0.01:log"]


def test_a_trial_is_locked_while_it_is_worked_on(place):
    study = new_study()
    with study.taking(3) as job:
        assert study.tune.trial_lock(job.run).exists()
    assert not study.tune.trial_lock(job.run).exists()
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(study.tune.trial_lock(job.run)))


def test_a_study_knows_its_folder(place):
    study = new_study()
    assert study.tune == TuneDir(study.tune.path)
    assert study.tune.path.parts == ("tunes", "digits-1")


def test_the_best_options_are_trained_again_as_they_were_or_on_all_items():
    plan = dataclasses.replace(PLAN, options={"epochs": 9, "model": "lenet", "patience": 2})
    values = {"learning_rate": 0.02}
    assert retrain_request(plan, values) == request_of(plan, values)
    train = retrain_request(plan, values, all_items_for=4).train
    assert (train.learning_rate, train.epochs, train.val_fraction, train.patience) == (0.02, 4, 0.0, None)
    assert retrain_request(plan, values, all_items_for=99).train.epochs == 9


@pytest.mark.parametrize("counts", [{"train": {"a": 9}}, {"train": {"a": 9}, "valid": {"a": 2}}])
def test_a_validation_split_of_the_datas_own_is_never_trained_on(place, counts):
    place.joinpath("data/digits").mkdir(parents=True)
    card = Card(name="digits", form="images", classes=("a",), counts=counts)
    place.joinpath("data/digits/dataset.json").write_text(json.dumps(card.to_json()))
    if "valid" in counts:
        with pytest.raises(UsageError, match="validation split of its own"):
            require_cut_validation(PLAN)
    else:
        require_cut_validation(PLAN)


def test_every_network_is_opened_once_and_in_a_fold_where_folds_judge():
    plan = dataclasses.replace(PLAN, options={"epochs": 1}, param=("model=lenet,cnn", "schedule=cosine,constant"))
    assert [(where, request.model) for where, request in check_choices(plan)][1:] == [
        ("--param model: lenet", "lenet"),
        ("--param model: cnn", "cnn"),
    ]
    in_folds = check_choices(dataclasses.replace(plan, folds=3))
    assert [request.train.val_fold for _, request in in_folds] == ["1/3"] * 3
