"""Runs in MLflow's layout, as plain files."""

from __future__ import annotations

import json

import pytest
import yaml

from dlcli.core.errors import UsageError
from dlcli.core.run_dir import RunDir
from dlcli.report.mlflow_files import write_mlflow


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "猫 first"
    folder.mkdir()
    info = {"schema": 1, "status": "finished", "task": "classification", "started": "2026-01-02T03:04:05+00:00"}
    info |= {"finished": "2026-01-02T03:05:05+00:00", "parameters": 12, "command": "dl train digits"}
    (folder / "run.json").write_text(json.dumps(info))
    (folder / "config.toml").write_text('epochs = 2\n"../up" = "x"\n')
    records = [{"epoch": e, "loss": 1 / e, "seconds": 2.0, "note": "no number"} for e in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    run = RunDir(folder)
    (run.folder("eval") / "test.json").write_text('{"metrics": {"accuracy": 0.5, "undefined": null}}')
    return [(run, info)]


def files(place):
    return {
        str(path.relative_to(place)): path.read_text(encoding="utf-8") for path in place.rglob("*") if path.is_file()
    }


def test_a_run_has_its_parameters_metrics_by_epoch_and_state(runs, tmp_path):
    assert write_mlflow(runs, tmp_path / "mlruns") == 1
    [experiment] = (tmp_path / "mlruns").iterdir()
    meta = yaml.safe_load((experiment / "meta.yaml").read_text())
    assert (meta["name"], meta["experiment_id"], meta["lifecycle_stage"]) == ("dl", experiment.name, "active")
    [place] = [path for path in experiment.iterdir() if path.is_dir()]
    found = files(place)
    run = yaml.safe_load(found["meta.yaml"])
    assert (run["run_id"], run["run_name"], run["status"]) == (place.name, "猫 first", 3)
    assert run["end_time"] - run["start_time"] == 60_000
    start = run["start_time"]
    assert found["metrics/loss"] == f"{start + 2000} 1.0 1\n{start + 4000} 0.5 2\n"
    assert found["metrics/test_accuracy"] == f"{start + 4000} 0.5 2\n"
    assert found["params/epochs"] == "2"
    assert found["tags/mlflow.runName"] == "猫 first"
    assert not any("undefined" in name or "note" in name for name in found)
    assert "params/_up" in found  # a name stays within its folder


def test_writing_again_replaces_the_run_and_leaves_other_experiments(runs, tmp_path):
    other = tmp_path / "mlruns" / "0"
    other.mkdir(parents=True)
    (other / "meta.yaml").write_text("name: Default\n")
    for _ in range(2):
        write_mlflow(runs, tmp_path / "mlruns")
    assert len(list((tmp_path / "mlruns").glob("*/*/meta.yaml"))) == 1
    assert (other / "meta.yaml").exists()


def test_a_folder_of_other_things_is_refused(runs, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("")
    with pytest.raises(UsageError, match="no folder of MLflow"):
        write_mlflow(runs, tmp_path / "mine")
