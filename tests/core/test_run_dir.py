from __future__ import annotations

import json

import pytest

from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import create_run, list_runs, resolve_run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make(stem="digits-cnn", **info):
    known = {"status": "finished", "task": "classification", "dataset": "digits", "model": "cnn", "started": "1"}
    return create_run(stem, {**known, **info})


def test_runs_are_numbered_and_latest_points_at_the_newest():
    assert [make().name, make().name, make("other").name] == ["digits-cnn-1", "digits-cnn-2", "other-1"]
    assert resolve_run("latest").name == "other-1"


def test_a_run_is_found_by_path_name_dataset_task_and_model():
    run = make()
    for text in ("runs/digits-cnn-1", "digits-cnn-1", "digits", "classification", "cnn"):
        assert resolve_run(text).path.samefile(run.path)


def test_a_name_means_the_newest_finished_run():
    make(started="1")
    newer = make(started="2")
    make(started="3", status="running")
    assert resolve_run("cnn").name == newer.name


def test_a_checkpoint_in_a_run_means_the_run():
    run = make()
    run.best_checkpoint.parent.mkdir()
    run.best_checkpoint.touch()
    assert resolve_run(str(run.best_checkpoint)).path.samefile(run.path)


def test_an_unknown_run_is_answered_with_the_nearest():
    make()
    with pytest.raises(RunError) as caught:
        resolve_run("digits-cnm-1")
    assert caught.value.hint == "did you mean 'digits-cnn-1'?"


@pytest.mark.parametrize("name", ["a/b", "..", "", "latest"])
def test_a_name_cannot_leave_the_folder(name):
    with pytest.raises(UsageError):
        create_run("x", {}, name)


def test_a_taken_name_is_refused_and_the_run_kept():
    create_run("x", {"mark": 1}, "mine")
    with pytest.raises(UsageError, match="exists"):
        create_run("x", {"mark": 2}, "mine")
    assert resolve_run("mine").info()["mark"] == 1


def test_a_damaged_or_newer_run_is_a_clear_error_and_is_not_listed():
    run = make()
    run.info_file.write_text("{")
    with pytest.raises(RunError):
        run.info()
    assert list(list_runs()) == []
    run.info_file.write_text(json.dumps({"schema": 99}))
    with pytest.raises(RunError, match="newer"):
        run.info()
