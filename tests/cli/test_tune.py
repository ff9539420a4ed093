"""`dl tune` as people use it: whole processes, real trainings, a terminal that is closed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from dlcli.core.config import fields_of
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.core.tune_dir import TuneDir, create_tune
from dlcli.engine.request import stored_options
from dlcli.engine.tuning.plan import read_plan
from dlcli.engine.tuning.study import Study

QUICK = ["--model", "lenet", "--batch-size", "256", "--precision", "fp32", "--threads", "1", "--device", "cpu"]
SPACE = ("--param", "lr=1e-3..1e-1:log")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["nothing"], "no task, dataset or folder 'nothing'"),
        (["digits", "--param", "lrr=1..2"], "did you mean 'lr'?"),
        (["digits", "--param", "lr=1..0.1"], "is reversed"),
        (["digits", "--param", "lr=0..1:log"], "starts above 0"),
        (["digits", "--param", "epochs=0..5"], "must be at least 1"),
        (["digits", "--lr", "0.1", "--param", "lr=1..2"], "leave one of the two out"),
        (["digits", "--fold", "2", "--folds", "3"], "use --folds K"),
        (["digits", "--val-fold", "2/3"], "use --folds K"),
        (["digits", "--lr", "0.1", "--weight-decay", "0"], "nothing is left to tune"),
        (["digits", "--trials", "0"], "must be at least 1"),
        (["digits", "--budget", "soon"], "not a length of time"),
        (["--join", "nowhere"], "there are none in ./tunes yet"),
        ([], "which target?"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(line: list[str], told: str, bench: Any, dl: Any) -> None:
    answer = dl("tune", *line)
    assert answer.code in (2, 4)
    assert told in answer.err
    assert len(answer.err.splitlines()) <= 6
    assert not Path("tunes").exists()


def test_optuna_is_advised_where_it_is_missing(bench: Any, dl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    answer = dl("tune", "digits", *SPACE)
    assert (answer.code, answer.out) == (2, "")
    assert "fix: in dl's source folder: pip install '.[tune]'" in answer.err


def test_the_help_page_shows_the_options_of_tuning_and_help_all_those_of_training(bench: Any, dl: Any) -> None:
    short, full = dl("tune", "digits", "-h").out, dl("tune", "digits", "--help-all").out
    assert "--param NAME=VALUES" in short
    assert "--label-smoothing" not in short
    shared = {info.flag for info in fields_of(TrainConfig)}
    assert all(f"--{flag}" in full for flag in shared)


def test_a_run_from_a_trial_of_several_folds_is_in_no_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tune = create_tune("digits", {})
    run = tune.trials / "0001-1"
    run.mkdir()
    (run / "run.json").write_text('{"schema": 1}')
    (run / "config.toml").write_text('val_fold = "1/3"\nlearning_rate = 0.5\n')
    tune.update_info(best={"run": "0001-1"})
    [layer] = stored_options(resolve_run("digits-1"), None)
    assert layer.values == {"learning_rate": 0.5}


Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str], bench: Any) -> Iterator[Process]:
    """A function that starts `dl WORDS` in the bench's folder; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["dl", *words],
            env=environment,
            cwd=bench.home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def study_in(home: Path, name: str = "digits-1") -> Study:
    tune = TuneDir(home / "tunes" / name)
    return Study(tune, read_plan(tune))


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come to pass"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A folder with a finished study of four trials, `tunes/digits-1`, and what the command printed."""
    home = tmp_path_factory.mktemp("tuned")
    words = ["dl", "tune", "digits", "--epochs", "2", *QUICK, *SPACE, "--trials", "4"]
    done = subprocess.run(words, env=environment, cwd=home, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    (home / "out").write_text(done.stdout)
    (home / "err").write_text(done.stderr)
    return home


@pytest.fixture
def in_tuned(tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, the current one."""
    home = tmp_path / "copy"
    shutil.copytree(tuned, home)
    monkeypatch.chdir(home)
    return home


@pytest.mark.slow
def test_stdout_is_the_path_of_the_best_run_and_stderr_compares_it_with_the_default(in_tuned: Path) -> None:
    out, err = Path("out").read_text(), Path("err").read_text()
    study = study_in(in_tuned)
    best = study.best()
    assert best is not None
    assert out == f"tunes/digits-1/trials/{best.run}\n"
    assert "Traceback" not in err
    assert "trial 0  default recipe" in err
    assert "the default recipe" in err.splitlines()[-4] or "the default recipe" in err
    assert best.value == max(trial.value or 0 for trial in study.trials())


@pytest.mark.slow
def test_a_trial_is_the_run_that_dl_train_makes_of_its_options(in_tuned: Path, dl: Any) -> None:
    trial = study_in(in_tuned).trials()[2]
    rate = repr(trial.values["learning_rate"])
    assert dl("train", "digits", "--epochs", "2", *QUICK, "--lr", rate, "--name", "alone").code == 0
    alone, of_study = (RunDir(path) for path in (Path("runs/alone"), Path("tunes/digits-1/trials") / trial.run))
    kept = ("epoch", "loss", "val_loss", "accuracy")
    records = [
        [{name: line[name] for name in kept} for line in read_metrics(run.metrics_file)] for run in (alone, of_study)
    ]
    assert records[0] == records[1]
    assert alone.config() == of_study.config()
    assert of_study.info()["origins"]["learning_rate"] == "tune"


@pytest.mark.slow
def test_a_study_stands_for_its_best_run(in_tuned: Path, dl: Any) -> None:
    best = resolve_run("digits-1").path
    assert best == resolve_run("tunes/digits-1").path
    assert str(best) == Path("out").read_text().strip()
    assert json.loads(dl("eval", "tunes/digits-1", "--json").out)["run"] == str(best)
    answer = dl("train", "--from", "digits-1", "--epochs", "1", "--name", "further")
    assert answer.code == 0, answer.err
    config, before = RunDir(Path("runs/further")).config(), RunDir(best).config()
    assert config["learning_rate"] == before["learning_rate"]
    assert config["epochs"] == 1


@pytest.mark.slow
def test_trials_are_no_runs_unless_they_are_asked_for(in_tuned: Path, dl: Any) -> None:
    assert json.loads(dl("runs", "--json").out)["runs"] == []
    assert len(json.loads(dl("runs", "--all", "--json").out)["runs"]) == 4
    assert "tunes/digits-1/trials/0003" in dl("runs", "--all").out


@pytest.mark.slow
def test_the_same_line_again_answers_from_the_finished_study(in_tuned: Path, dl: Any) -> None:
    before = (in_tuned / "tunes/digits-1/journal.jsonl").read_text()
    answer = dl("tune", "digits", "--epochs", "2", *QUICK, *SPACE, "--trials", "4")
    assert (answer.code, answer.out) == (0, Path("out").read_text())
    assert "going on with tunes/digits-1" in answer.err
    assert (in_tuned / "tunes/digits-1/journal.jsonl").read_text() == before
    assert [path.name for path in Path("tunes").iterdir()] == ["digits-1"]


@pytest.mark.slow
def test_joining_with_more_trials_goes_on_and_retrain_makes_a_run(in_tuned: Path, dl: Any) -> None:
    answer = dl("tune", "--join", "digits-1", "--trials", "5", "--retrain", "--workers", "1", "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["schema"] == "dl.tune/1"
    assert len(document["trials"]) == 5
    assert Path(document["run"]).parent == Path("runs")
    config = RunDir(Path(document["run"])).config()
    assert config["learning_rate"] == document["best"]["values"]["learning_rate"]
    assert config["workers"] == 1, "the machine is that of this line"
    assert study_in(in_tuned).tune.info()["trials"] == 5
    refused = dl("tune", "--join", "digits-1", "--epochs", "9")
    assert (refused.code, refused.out) == (2, "")
    assert Path("tunes/digits-1/plots/history.png").exists()


@pytest.mark.slow
def test_a_network_that_does_not_exist_and_a_task_without_a_goal_are_refused(bench: Any, dl: Any) -> None:
    answer = dl("tune", "digits", *QUICK[2:], "--param", "model=lenet,lenett", "--epochs", "1")
    assert answer.code == 2
    assert "no network 'lenett'" in answer.err
    answer = dl("tune", "generation", "--data", "data/digits", "--epochs", "1")
    assert answer.code == 2
    assert "cannot be tuned: it has no metric" in answer.err
    answer = dl("tune", "digits", *QUICK, *SPACE, "--val-fraction", "0")
    assert answer.code == 2
    assert "no validation part" in answer.err
    answer = dl("tune", "digits", *QUICK, *SPACE, "--name", "../up")
    assert answer.code == 2
    assert not list(Path("tunes").glob("*")) if Path("tunes").exists() else True


@pytest.mark.slow
def test_folds_never_touch_the_test_part(bench: Any, dl: Any) -> None:
    answer = dl("tune", "digits", "--epochs", "1", *QUICK, *SPACE, "--trials", "1", "--folds", "3", "--json")
    assert answer.code == 0, answer.err
    [trial] = json.loads(answer.out)["trials"]
    assert trial["standard_error"] > 0
    runs = [RunDir(Path(f"tunes/digits-1/trials/0000-{fold}")) for fold in (1, 2, 3)]
    assert [run.config()["val_fold"] for run in runs] == ["1/3", "2/3", "3/3"]
    values = [read_metrics(run.metrics_file)[-1]["accuracy"] for run in runs]
    assert trial["value"] == pytest.approx(sum(values) / 3)
    assert "next: dl train --from tunes/digits-1" in answer.err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_four_processes_share_a_study_and_one_that_is_killed_loses_nothing(bench: Any, start: Process) -> None:
    line = ("tune", "digits", "--epochs", "3", *QUICK, *SPACE, "--trials", "9", "--pruner", "none", "--name", "shared")
    first = start(*line)
    tune = TuneDir(bench.home / "tunes" / "shared")
    wait_for(lambda: tune.journal.exists() and tune.journal.read_text().count('"value"') > 0)
    workers = [first, *(start("tune", "--join", "tunes/shared", "--threads", "1") for _ in range(3))]
    victim = workers[1]

    def locks() -> dict[int, str]:
        found = {}
        for path in tune.trials.glob("*.lock"):
            number, _, _ = path.read_text().partition(" ")
            if number.isdecimal():
                found[int(number)] = path.stem
        return found

    wait_for(lambda: victim.pid in locks())
    lost = locks()[victim.pid]
    os.kill(victim.pid, signal.SIGKILL)
    for worker in (first, *workers[2:]):
        _, err = worker.communicate(timeout=600)
        assert worker.returncode == 0, err
    last = start("tune", "--join", "tunes/shared", "--threads", "1")  # in case all others had ended before
    out, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    study = study_in(bench.home, "shared")
    trials = study.trials()
    assert [trial.place for trial in trials] == list(range(9))
    assert {trial.status for trial in trials} == {"finished"}
    of_lost = [each.state.name for each in study._trials() if each.user_attrs.get("run") == lost]
    assert of_lost == ["FAIL", "COMPLETE"]
    assert len({trial.values["learning_rate"] for trial in trials}) == 9
    best = study.best()
    assert best is not None
    assert out == f"tunes/shared/trials/{best.run}\n"
    assert all(RunDir(tune.trials / trial.run).info()["status"] == "finished" for trial in trials)


@pytest.mark.slow
def test_ctrl_c_leaves_a_study_that_the_same_line_goes_on_with(bench: Any, start: Process) -> None:
    line = ("tune", "digits", "--epochs", "400", *QUICK, "--param", "lr=1e-3,2e-3", "--trials", "2", "--pruner", "none")
    process = start(*line)
    metrics = bench.home / "tunes/digits-1/trials/0000/metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") > 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "dl tune --join tunes/digits-1" in err
    assert len([line for line in err.splitlines() if line.startswith(("error", "  fix"))]) <= 6
    assert "Traceback" not in err
    run = RunDir(metrics.parent)
    assert run.info()["status"] == "interrupted"
    study = study_in(bench.home)
    assert [trial.status for trial in study.trials()] == ["waiting"]
    process = start(*line, "--budget", "1s")
    out, err = process.communicate(timeout=200)
    assert "going on with tunes/digits-1" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_fails_and_the_study_goes_on(bench: Any, start: Process) -> None:
    line = ("tune", "digits", "--epochs", "12", *QUICK, *SPACE, "--trials", "2", "--pruner", "none")
    process = start(*line)
    lock = bench.home / "tunes/digits-1/trials/0001/lock"
    metrics = lock.with_name("metrics.jsonl")
    wait_for(lambda: metrics.exists() and metrics.stat().st_size > 0)
    os.kill(int(lock.read_text().split()[0]), signal.SIGKILL)  # as the system does when memory runs out
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "failed: its process was ended by SIGKILL, perhaps for lack of memory" in err
    assert out == "tunes/digits-1/trials/0000\n"
