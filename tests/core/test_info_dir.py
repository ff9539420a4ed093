"""What the folders of runs and of studies share: nothing half made, nothing outside, an order that is stable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.errors import RunError, UsageError
from dlcli.core.files import MAX_NESTING, parse_json
from dlcli.core.info_dir import check_schema, new_folder, readable
from dlcli.core.installing import UPGRADE
from dlcli.core.run_dir import RunDir, create_run
from dlcli.core.tune_dir import TuneDir, create_tune


def taken(path: Path) -> UsageError:
    return UsageError(f"{path} is taken", hint=f"use {path.name}-2")


@dataclass(frozen=True)
class Folder:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def info(self) -> dict[str, Any]:
        fault = RunError(f"{self.path}: nothing")
        text = (self.path / "info.json").read_text()
        return check_schema(json.loads(text), self.path, 3, fault)


def make(place: Path, name: str, **info: Any) -> Folder:
    (place / name).mkdir()
    (place / name / "info.json").write_text(json.dumps(info))
    return Folder(place / name)


def test_a_folder_is_there_before_the_block_and_stays_after_it(tmp_path: Path) -> None:
    with new_folder(tmp_path / "place", "a b/c", None, taken) as path:
        assert path == tmp_path / "place" / "a_b_c-1" and path.is_dir()
        (path / "content").touch()
    assert (path / "content").exists()


@pytest.mark.parametrize("name", [None, "mine"])
@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), UsageError("no")])
def test_what_fails_leaves_no_folder(name: str | None, error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), new_folder(tmp_path, "x", name, taken) as path:
        (path / "deep" / "er").mkdir(parents=True)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_the_callers_error_and_its_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work").touch()
    with pytest.raises(UsageError, match="is taken") as caught, new_folder(tmp_path, "x", "mine", taken):
        raise AssertionError("the block has run")
    assert str(caught.value.hint) == "use mine-2"
    assert (tmp_path / "mine" / "work").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up", "/root", "\ud800", "latest"])
def test_what_is_no_name_or_means_something_else_is_refused(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="not a folder name"),
        new_folder(tmp_path / "place", "x", name, taken, reserved=("latest",)),
    ):
        raise AssertionError("the block has run")
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_reserved_only_where_it_means_something(tmp_path: Path) -> None:
    with new_folder(tmp_path, "x", "latest", taken) as path:
        assert path.name == "latest"


@pytest.mark.parametrize("value", [None, [], "3", {}, {"schema": None}, {"schema": "1"}, {"schema": 1.0}])
def test_content_without_a_schema_is_the_callers_error(value: Any, tmp_path: Path) -> None:
    fault = RunError("none")
    with pytest.raises(RunError) as caught:
        check_schema(value, tmp_path, 1, fault)
    assert caught.value is fault


@pytest.mark.parametrize(("schema", "is_read"), [(1, True), (2, True), (3, False), (99, False)])
def test_older_schemas_are_read_and_newer_ones_refused(schema: int, is_read: bool, tmp_path: Path) -> None:
    value = {"schema": schema, "more": 1}
    if is_read:
        assert check_schema(value, tmp_path, 2, RunError("none")) is value
        return
    with pytest.raises(RunError, match="written by a newer dl") as caught:
        check_schema(value, tmp_path, 2, RunError("none"))
    assert caught.value.hint == UPGRADE


def test_damaged_folders_hide_no_others_and_equal_starts_are_ordered_by_name(tmp_path: Path) -> None:
    late, b, a = (make(tmp_path, name, schema=1, started=start) for name, start in (("l", "9"), ("b", "1"), ("a", "1")))
    none = make(tmp_path, "n", schema=1)
    broken, newer = make(tmp_path, "x"), make(tmp_path, "y", schema=4)
    number = make(tmp_path, "z", schema=1, started=5)
    found = readable([late, broken, b, newer, a, none, number])
    assert [folder.name for folder, _ in found] == ["n", "a", "b", "z", "l"]
    assert all(info == folder.info() for folder, info in found)


@pytest.mark.parametrize("create", [create_run, create_tune])
def test_a_run_and_a_study_that_cannot_be_begun_leave_nothing(
    create: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (None, "mine"):
        with pytest.raises(TypeError):
            create("digits", {"bad": object()}, name)
    assert [list(place.iterdir()) for place in tmp_path.iterdir()] == [[]]
    assert create("digits", {}, "mine").info()["name"] == "mine"  # the name is free


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000),
        *("[" * depth + "]" * depth for depth in (MAX_NESTING + 1, 500, 900)),
        '{"a":' * 400 + "1" + "}" * 400,
        '[{"a": 1}, ' + "[" * MAX_NESTING + "]" * MAX_NESTING + ", 2]",
    ],
)
def test_what_is_nested_too_deeply_is_no_json_to_any_reader(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(text)
    for folder, file in ((RunDir(tmp_path), "run.json"), (TuneDir(tmp_path), "tune.json")):
        (tmp_path / file).write_text(text)
        with pytest.raises(RunError):
            folder.info()
    assert list(readable([RunDir(tmp_path)])) == []


@pytest.mark.parametrize("make", [str, str.encode])
def test_as_much_nesting_as_is_allowed_is_read_and_brackets_in_texts_are_none(make: Any) -> None:
    deepest = "[" * MAX_NESTING + "]" * MAX_NESTING
    assert parse_json(make(deepest)) == json.loads(deepest)
    for value in (["["] * 1000, [[number] for number in range(1000)], {"{" * 1000: [{}] * 1000}):
        assert parse_json(make(json.dumps(value))) == value


def test_json_of_bytes_and_of_text_is_equal() -> None:
    text = '{"猫": [1, 2.5, null, true, "\\u2028"]}'
    assert parse_json(text) == parse_json(text.encode()) == {"猫": [1, 2.5, None, True, "\u2028"]}
    for broken in (b"\xff", "", "{", "1" * 5000):
        with pytest.raises(ValueError):
            parse_json(broken)
