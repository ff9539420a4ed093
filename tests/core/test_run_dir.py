from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import RUNS, RunDir, create_run, list_runs, newest_run_of, remove_run, resolve_run


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


def test_every_path_of_a_run_lies_in_its_folder_under_a_name_of_its_own():
    run = make()
    files = [run.info_file, run.config_file, run.card_file, run.metrics_file, run.log_file]
    files += [run.best_checkpoint, run.last_checkpoint, run.previous_checkpoint, run.exports]
    assert len(set(files)) == len(files)
    assert all(path.is_relative_to(run.path) for path in files)
    assert [path for path in files if path.exists()] == [run.info_file]


def test_a_run_in_the_folder_where_one_stands_has_the_folders_name(monkeypatch):
    run = make()
    monkeypatch.chdir(run.path)
    assert RunDir(Path()).name == run.name
    assert resolve_run(".").name == run.name


def test_a_folder_of_a_run_is_made_where_it_is_not_there():
    run = make()
    assert run.folder("plots") == run.folder("plots") == run.path / "plots"
    assert (run.path / "plots").is_dir()


def test_changed_entries_stand_beside_the_others():
    run = make(seed=3)
    before = run.info()
    run.update_info(status="failed", best={"epoch": 2, "名字": None})
    assert run.info() == {**before, "status": "failed", "best": {"epoch": 2, "名字": None}}
    assert "名字" in run.info_file.read_text(encoding="utf-8")


@pytest.mark.parametrize("change", [{}, {"model": None}, {"model": 3}])
def test_an_entry_that_is_no_text_is_missing(change):
    run = create_run("x", change)
    with pytest.raises(RunError, match="'model'") as caught:
        run.entry("model")
    assert str(run.info_file) in caught.value.message
    run.update_info(model="cnn")
    assert run.entry("model") == "cnn"


@pytest.mark.parametrize(("kind", "expected"), [(None, False), ("folds", True)])
def test_the_parent_of_a_cross_validation_is_no_model(kind, expected):
    assert make(kind=kind).holds_folds is expected


@pytest.mark.parametrize("content", [None, b"epochs = ", b"[train]\nepochs = 1\n", b"\xff"])
def test_a_missing_or_damaged_configuration_is_a_fault_of_the_run(content):
    run = make()
    if content is not None:
        run.config_file.write_bytes(content)
    with pytest.raises(RunError, match=r"config\.toml"):
        run.config()
    run.config_file.write_text('epochs = 3\nname = "猫"\n', encoding="utf-8")
    assert run.config() == {"epochs": 3, "name": "猫"}


def test_assets_are_the_json_files_of_their_names():
    run = make()
    (run.path / "labels.json").write_text('["猫", "dog"]', encoding="utf-8")
    (run.path / "sizes.json").write_text("[1, 2]")
    assert run.assets(["labels", "sizes"]) == {"labels": ["猫", "dog"], "sizes": [1, 2]}
    with pytest.raises(RunError, match=r"vocab\.json"):
        run.assets({"labels": None, "vocab": None})


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'"a\x80"'])
def test_a_damaged_asset_is_named(content):
    run = make()
    (run.path / "labels.json").write_bytes(content)
    with pytest.raises(RunError, match=r"labels\.json"):
        run.assets(["labels"])


@pytest.mark.parametrize("value", ["[]", "3", "{}", '{"schema": "1"}', '{"schema": null}'])
def test_what_names_no_schema_is_no_run(value):
    run = make()
    run.info_file.write_text(value)
    with pytest.raises(RunError, match=r"run\.json"):
        run.info()


@pytest.mark.parametrize(
    ("stem", "name"), [("数据 集-cnn", "数据_集-cnn-1"), ("a/b\\c", "a_b_c-1"), ("v1.0+x", "v1.0+x-1"), ("..", "..-1")]
)
def test_a_stem_becomes_one_name_inside_the_folder_of_runs(stem, name):
    run = create_run(stem, {})
    assert run.path == RUNS / name
    assert run.path.resolve().parent == RUNS.resolve()


def test_numbers_go_on_after_the_highest_of_the_stem_alone():
    for name in ("cnn-2", "cnn-7", "cnn-3", "cnn-x-30", "cnn-9b", "cnn", "other-50"):
        (RUNS / name).mkdir(parents=True)
    assert create_run("cnn", {}).name == "cnn-8"


def test_a_name_that_another_process_took_meanwhile_is_passed_over(monkeypatch):
    (RUNS / "cnn-1").mkdir(parents=True)
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(()))  # as it was before the other one made it
    assert create_run("cnn", {}).name == "cnn-2"


def test_a_run_that_cannot_be_begun_leaves_no_folder_and_the_latest_as_it_was():
    first = make()
    with pytest.raises(TypeError):
        create_run("digits-cnn", {"bad": object()})
    assert [path.name for path in RUNS.iterdir() if path.is_dir()] == [first.name]
    assert resolve_run("latest").name == first.name


def test_a_run_that_is_part_of_another_is_never_the_latest():
    parent = make(kind="folds")
    part = create_run("x", {"mark": 1}, "fold-1", parent.folder("folds"))
    assert part.path == parent.path / "folds" / "fold-1"
    assert resolve_run("latest").name == parent.name
    assert [run.name for run, _ in list_runs()] == [parent.name]
    with pytest.raises(UsageError, match="fold-1"):
        create_run("x", {}, "fold-1", parent.path / "folds")
    assert part.info()["mark"] == 1


def test_removing_the_latest_makes_the_one_before_it_the_latest():
    older, newer = make(started="1"), make(started="2")
    remove_run(newer)
    assert not newer.path.exists()
    assert resolve_run("latest").name == older.name
    remove_run(older)
    assert not (RUNS / "latest").exists()
    with pytest.raises(RunError):
        resolve_run("latest")


def test_the_latest_that_was_deleted_by_hand_is_named():
    run = make()
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match=run.name) as caught:
        resolve_run("latest")
    assert "dl runs" in caught.value.hint


def test_latest_stays_inside_the_folder_of_runs(tmp_path):
    make()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "run.json").write_text('{"schema": 1}')
    (RUNS / "latest").write_text("../elsewhere\n")
    with pytest.raises(RunError):
        resolve_run("latest")


def test_runs_are_listed_oldest_first_and_by_name_where_they_started_together():
    for stem, started in (("b", "2026-01-02"), ("c", "2026-01-01"), ("a", "2026-01-02")):
        make(stem, started=started)
    create_run("unstarted", {})
    (RUNS / "no-run").mkdir()
    assert [run.name for run, _ in list_runs()] == ["unstarted-1", "c-1", "a-1", "b-1"]
    assert all(info == run.info() for run, info in list_runs())


@pytest.mark.parametrize("change", [{"status": "running"}, {"status": "failed"}, {"kind": "folds"}])
def test_a_name_never_means_an_unfinished_run_or_the_parent_of_folds(change):
    make(**change)
    assert newest_run_of("cnn") is None
    finished = make(started="0")
    assert newest_run_of("cnn").name == finished.name


def test_a_name_of_a_run_comes_before_that_of_a_task():
    named = create_run("x", {"status": "finished"}, "cnn")
    make()
    assert resolve_run("cnn").name == named.name


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "", "."])
def test_what_no_folder_can_be_called_is_no_run(text):
    with pytest.raises(RunError) as caught:
        resolve_run(text)
    assert len(caught.value.message) < 300


def test_a_folder_that_is_no_run_is_said_to_be_one(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(RunError, match=r"run\.json"):
        resolve_run("data")
