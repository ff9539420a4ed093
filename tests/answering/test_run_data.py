"""Where the data of a run or a file is: what the user says, else what the run says, and never where a file leads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcli.answering.run_data import data_if_there, data_of_file, data_of_run, run_around
from dlcli.core.errors import DataError
from dlcli.core.run_dir import RunDir, create_run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data/digits", "data/other", "mine", "secret"):
        Path(name).mkdir(parents=True)


class _Described:
    """What is asked of a description here."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset


def described(dataset: str) -> Any:
    return _Described(dataset)


def run_of(**info: Any) -> RunDir:
    run = create_run("x", info)
    run.exports.mkdir()
    (run.exports / "model.onnx").touch()
    return run


def test_what_the_user_names_comes_before_what_the_run_says() -> None:
    info = {"dataset": "digits", "data": "data/digits"}
    assert data_of_run(info, "mine") == data_if_there(info, "mine") == Path("mine")
    assert data_of_run(info, None) == data_if_there(info, None) == Path("data/digits")


def test_a_folder_that_moved_is_looked_for_under_its_name() -> None:
    info = {"dataset": "digits", "data": "/elsewhere/digits"}
    assert data_of_run(info, None) == Path("data/digits")
    assert data_if_there(info, None) is None


@pytest.mark.parametrize("info", [{}, {"data": ""}, {"data": None}, {"data": 3}, {"data": ["mine"]}])
def test_a_run_that_says_nothing_does_not_mean_this_folder(info: dict[str, Any]) -> None:
    assert data_if_there(info, None) is None
    with pytest.raises(DataError, match="no prepared data"):
        data_of_run(info, None)
    assert data_of_run({**info, "dataset": "other"}, None) == Path("data/other")


@pytest.mark.parametrize(
    "name", ["../secret", "..", ".", "", "/", "a/../../secret", "digits/../../secret", "\0", "x" * 5000]
)
def test_a_name_leads_nowhere_but_below_the_data(name: str) -> None:
    with pytest.raises(DataError, match="no prepared data"):
        data_of_run({"dataset": name}, None)
    with pytest.raises(DataError, match="no prepared data"):
        data_of_file(Path("model.onnx"), described(name), None)


@pytest.mark.parametrize("asked", ["missing", "a\0b", "x" * 5000])
def test_a_folder_that_is_not_there_is_named_with_the_way_to_make_it(asked: str) -> None:
    for name, way in (("digits", "`dl prepare digits`"), ("weibo", "`dl prepare weibo SOURCE`"), ("my-own", "--data")):
        with pytest.raises(DataError, match="no prepared data") as caught:
            data_of_run({"dataset": name}, asked)
        assert way in str(caught.value.hint)
        assert ("dl prepare" in str(caught.value.hint)) == (name != "my-own")
    with pytest.raises(DataError, match="no prepared data"):
        data_if_there({"data": "data/digits"}, asked)


@pytest.mark.parametrize("folder", ["checkpoints", "exports"])
def test_a_file_in_a_run_is_of_that_run_and_one_elsewhere_of_none(folder: str) -> None:
    run = run_of(dataset="digits")
    found = run_around(run.path / folder / "best.pt")
    assert found is not None and found.path.samefile(run.path)
    for place in ("plots/best.pt", "best.pt", "exports/deeper/best.pt"):
        assert run_around(run.path / place) is None
    assert run_around(Path("mine/exports/model.onnx")) is None


def test_a_file_of_a_run_has_its_data_and_a_copy_that_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(dataset="digits", data="mine")
    path = run.exports / "model.onnx"
    assert data_of_file(path, described("digits"), None) == Path("mine")
    assert data_of_file(Path("model.onnx"), described("digits"), None) == Path("data/digits")
    assert data_of_file(path, described("digits"), "secret") == Path("secret")
    monkeypatch.chdir(run.exports)
    assert run_around(Path("model.onnx")) is not None


def test_a_file_of_another_dataset_that_was_put_into_a_run_does_not_have_its_data() -> None:
    run = run_of(dataset="digits", data="mine")
    assert data_of_file(run.exports / "model.onnx", described("other"), None) == Path("data/other")
