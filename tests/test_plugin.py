"""A package from outside adds a task and a dataset: it goes through every command, and a broken one harms nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import dlcli

pytestmark = pytest.mark.slow

PLUGIN = Path(__file__).parent / "plugin"

BROKEN = """\
[dlcli.tasks]
gone = dl_gone:TASK
wrong-kind = dl_toy:DATASET
classification = dl_toy:TASK

[dlcli.datasets]
dies = dl_dies:DATASET

[dlcli.forms]
images = dl_toy:TASK
"""
"""A package that is not there, specs of the wrong kind, a task that there is already, and code that fails."""

SESSION = """\
import contextlib, io, json, sys
from dlcli.cli.app import run
answers = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["dl", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = int(run(words))
    answers.append({"code": code, "stdout": out.getvalue(), "stderr": err.getvalue()})
json.dump(answers, sys.stdout)
"""
"""Command lines in one process: importing torch costs two seconds."""


def install_by_hand(site: Path) -> None:
    """Do what pip does with a package without code to build: copy it and write its dist-info."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(PLUGIN / "dl_toy", site / "dl_toy")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    write_dist_info(site, project["name"], "\n".join(groups))


def write_dist_info(site: Path, name: str, entry_points: str) -> None:
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")


def environment(*sites: Path) -> dict[str, str]:
    paths = [*map(str, sites), str(Path(dlcli.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


def session(folder: Path, site: Path, *lines: str) -> list[dict[str, Any]]:
    """Return what each line answered, typed in `folder` with the packages of `site` installed."""
    words = json.dumps([line.split() for line in lines])
    done = subprocess.run(
        [sys.executable, "-c", SESSION], input=words, capture_output=True, text=True, cwd=folder, env=environment(site)
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def good(answer: dict[str, Any]) -> str:
    assert answer["code"] == 0, answer["stderr"]
    return str(answer["stdout"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin, and another that is broken in several ways."""
    site = tmp_path_factory.mktemp("site")
    install_by_hand(site)
    write_dist_info(site, "dl-broken", BROKEN)
    (site / "dl_dies.py").write_text("raise RuntimeError('dies on import')\n", encoding="utf-8")
    return site


RUN = "runs/toy-data-toy-mlp-1"
FILE = f"{RUN}/exports/toy-data-toy-mlp-1.onnx"
LINES = {
    "prepare": "prepare toy-data",
    "train": "train toy --precision fp32 --threads 1 --model toy-mlp --width 8",
    "prepare again": "prepare toy-data --json",
    "eval": "eval toy --json --fail-under rmse=0.2",
    "predict": "predict toy 0.5,0.25 0.5,-0.5 --json",
    "predict table": "predict toy 0.5,0.25",
    "predict csv": "predict toy 0.5,0.25 --csv",
    "predict some": "predict toy 1,2 one,two --jsonl",
    "predict none": "predict toy one,two",
    "export": "export toy --format onnx",
    "predict file": f"predict {FILE} 0.5,0.25 0.5,-0.5 --json",
    "train observed": "train toy --epochs 2 --precision fp32 --threads 1 --name seen --callback toy-steps,toy-broken",
    "train unknown": "train toy --callback toy-step",
    "curves": "visualize curves toy",
    "doctor": "doctor",
    "doctor run": f"doctor {RUN}",
    "doctor data": "doctor data/toy-data --json",
    "train folder": "train data/toy-data --epochs 1 --precision fp32 --threads 1 --name of-a-folder",
    "grid": "visualize grid data/toy-data",
    "tasks": "tasks",
    "datasets": "datasets --json",
    "models": "models",
    "model": "models toy-mlp",
    "help": "train toy -h",
}


@pytest.fixture(scope="module")
def work(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """A folder in which the toy went through every command, and what each line answered."""
    folder = tmp_path_factory.mktemp("work")
    return folder, dict(zip(LINES, session(folder, site, *LINES.values()), strict=True))


def test_a_task_from_outside_goes_through_every_command(work):
    _, answers = work
    assert good(answers["prepare"]) == "data/toy-data\n"
    assert good(answers["train"]) == f"{RUN}\n"
    assert json.loads(good(answers["prepare again"]))["is_new"] is False
    assert json.loads(good(answers["eval"]))["metrics"]["rmse"] < 0.2
    values = [record["value"] for record in json.loads(good(answers["predict"]))["records"]]
    assert values == pytest.approx([2.0, 3.5], abs=0.5), "3a - 2b + 1"
    assert good(answers["predict table"]).split() == ["input", "value", "0.5,0.25", f"{values[0]:.4f}"]
    assert good(answers["predict csv"]).splitlines() == ["input,value,error", f'"0.5,0.25",{values[0]},']
    assert good(answers["export"]) == f"{FILE}\n"
    others = [record["value"] for record in json.loads(good(answers["predict file"]))["records"]]
    assert others == pytest.approx(values, abs=1e-4)
    for name in ("curves", "doctor run"):
        good(answers[name])


def test_the_form_of_a_plugin_is_examined_and_trained_by_its_task(work):
    _, answers = work
    findings = json.loads(good(answers["doctor data"]))["findings"]
    assert [(found["what"], found["state"], found["found"].split(",")[0]) for found in findings] == [
        ("train", "ok", "200 rows"),
        ("test", "ok", "50 rows"),
        ("training", "ok", "180 items"),
    ]
    assert good(answers["train folder"]) == "runs/of-a-folder\n"
    assert "numbers" in answers["grid"]["stderr"]
    assert answers["grid"]["code"] == 3


def test_a_bad_input_among_good_ones_is_told_and_the_others_are_answered(work):
    _, answers = work
    assert answers["predict some"]["code"] == 8
    lines = answers["predict some"]["stdout"].splitlines()
    assert ["error" in json.loads(line) for line in lines] == [False, True]
    assert answers["predict none"]["code"] == 3


def test_the_lists_name_what_is_added_and_say_what_is_broken(work):
    _, answers = work
    assert "third number" in good(answers["tasks"])
    assert "toy-data" in [dataset["name"] for dataset in json.loads(good(answers["datasets"]))["datasets"]]
    assert "toy-mlp" in good(answers["models"])
    assert "65 parameters" in good(answers["model"])
    assert "--width" in good(answers["help"])
    assert len(json.loads(good(answers["datasets"]))["broken_plugins"]) == 5
    for name, reason in (
        ("gone", "ModuleNotFoundError"),
        ("wrong-kind", "not a TaskSpec"),
        ("classification", "is taken"),
        ("dies", "dies on import"),
        ("images", "not a FormSpec"),
    ):
        assert any(name in line and reason in line for line in answers["tasks"]["stderr"].splitlines())
        assert f"plugin {name}" in good(answers["doctor"])


def test_a_callback_from_outside_observes_a_training_that_names_it_and_a_broken_one_harms_nothing(work):
    folder, answers = work
    assert good(answers["train observed"]) == "runs/seen\n"
    lines = [line for line in answers["train observed"]["stderr"].splitlines() if "toy-broken" in line]
    assert lines == ["warning: callback toy-broken: broken at step 1; the training goes on without"]
    counted = json.loads((folder / "runs/seen/toy-steps.json").read_text(encoding="utf-8"))
    assert counted["steps"] == counted["step"] > 0
    assert len(counted["losses"]) == 2
    assert not (folder / RUN / "toy-steps.json").exists(), "what is not named is not run"
    assert answers["train unknown"]["code"] == 2
    assert "no callback 'toy-step'" in answers["train unknown"]["stderr"]
    assert "toy-steps" in answers["train unknown"]["stderr"]


def test_without_the_plugin_its_run_names_the_task_that_is_missing(work, tmp_path):
    folder, _ = work
    [answer] = session(folder, tmp_path, "eval toy-data-toy-mlp-1")
    assert answer["code"] == 4
    assert "no task 'toy'" in answer["stderr"]


@pytest.mark.slow
def test_pip_installs_the_plugin(tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(PLUGIN, source)  # a build writes beside its source
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    tasks, train = session(tmp_path, site, "tasks --json", "train toy --epochs 1")
    assert "toy" in [task["name"] for task in json.loads(good(tasks))["tasks"]]
    assert good(train) == "runs/toy-data-toy-linear-1\n"
