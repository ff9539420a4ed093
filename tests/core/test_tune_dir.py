"""The folder of a study: how it is made and found, and that nothing in it is trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import list_runs, list_trials, resolve_run
from dlcli.core.tune_dir import MAX_BYTES, TuneDir, create_tune, find_tune, list_tunes, resolve_tune


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def with_run(tune: TuneDir, name: str = "0002") -> Path:
    run = tune.trials / name
    run.mkdir()
    (run / "run.json").write_text('{"schema": 1, "status": "finished", "dataset": "digits", "started": "2026"}')
    tune.update_info(best={"run": name})
    return run


def test_studies_are_numbered_and_named():
    paths = [create_tune("my data/x", {"a": 1}).path for _ in range(2)]
    assert paths == [Path("tunes/my_data_x-1"), Path("tunes/my_data_x-2")]
    assert create_tune("digits", {}, "eins").path == Path("tunes/eins")
    assert TuneDir(paths[0]).info() == {"schema": 1, "name": "my_data_x-1", "a": 1}
    assert {tune.name for tune, _ in list_tunes()} == {"my_data_x-1", "my_data_x-2", "eins"}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up", "\ud800"])
def test_a_name_stays_in_the_folder_of_studies(name):
    with pytest.raises(UsageError, match="not a folder name"):
        create_tune("digits", {}, name)


def test_a_name_in_use_is_refused_with_the_way_to_go_on():
    create_tune("digits", {}, "eins")
    with pytest.raises(UsageError, match="exists") as caught:
        create_tune("digits", {}, "eins")
    assert "dl tune --join tunes/eins" in str(caught.value.hint)


def test_a_study_is_found_by_its_name_and_its_path():
    tune = create_tune("digits", {})
    assert find_tune("digits-1") == find_tune("tunes/digits-1") == tune
    assert find_tune("digits-2") is find_tune("x" * 5000) is find_tune("a\0b") is None
    with pytest.raises(RunError) as caught:
        resolve_tune("digits-3")
    assert "did you mean 'digits-1'?" in str(caught.value.hint)


def test_a_study_stands_for_its_best_run():
    tune = create_tune("digits", {})
    with pytest.raises(RunError, match="no trial of this study has finished"):
        resolve_run("digits-1")
    run = with_run(tune)
    assert resolve_run("digits-1").path == resolve_run("tunes/digits-1").path == run
    assert resolve_run("tunes/digits-1").reference == "tunes/digits-1/trials/0002"


def test_a_trial_is_never_found_as_the_newest_run_of_a_dataset():
    with_run(create_tune("digits", {}))
    assert list(list_runs()) == []
    assert [run.name for run, _ in list_trials()] == ["0002"]
    with pytest.raises(RunError, match="no run 'digits'"):
        resolve_run("digits")


@pytest.mark.parametrize("name", ["../../secret", "/etc", "", "0001/../..", "..", 7, None, "0002\n", "abcd"])
def test_a_best_run_outside_the_study_is_not_followed(name):
    tune = create_tune("digits", {})
    Path("secret").mkdir()
    Path("secret/run.json").write_text("{}")
    tune.update_info(best={"run": name})
    with pytest.raises(RunError):
        tune.best_run()


def test_a_best_run_that_is_gone_is_told():
    tune = create_tune("digits", {})
    (with_run(tune) / "run.json").unlink()
    with pytest.raises(RunError, match="is gone"):
        tune.best_run()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": "1"}', '{"schema": 99}', "[" * 100_000])
def test_a_damaged_file_is_told_in_one_sentence(content):
    tune = create_tune("digits", {})
    tune.info_file.write_text(content)
    with pytest.raises(RunError):
        tune.info()
    assert list(list_tunes()) == []


def test_a_huge_file_is_not_read():
    tune = create_tune("digits", {})
    tune.info_file.write_text(json.dumps({"schema": 1, "more": "x" * MAX_BYTES}))
    with pytest.raises(RunError, match="damaged"):
        tune.info()


def test_entries_change_one_by_one():
    tune = create_tune("digits", {"trials": 3})
    tune.update_info(trials=5)
    tune.update_info(best={"run": "0001"})
    assert (tune.info()["trials"], tune.info()["best"]) == (5, {"run": "0001"})
