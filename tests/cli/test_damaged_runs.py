"""A run that somebody else made: no content of its files is a fault of the tool, hides other runs, or takes pages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.app import run as run_line
from dlcli.core.errors import ExitCode
from dlcli.core.run_dir import RunDir

STORED = Path(__file__).parent.parent / "stored" / "0.1.0" / "classification"
MAX_LINES = 6

CONTENTS = {
    "nested": "[" * 100_000,
    "nested objects": '{"a":' * 50_000,
    "nested, but JSON": "[" * 900 + "]" * 900,
    "a list": "[]",
    "a number": "3",
    "null": "null",
    "nothing": "",
    "no text": b"\xff\xfe\0",
    "5,000 digits": "1" * 5000,
}


def lines_for(content: str | bytes, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return all commands for the first content, and for each other one the next of them: each takes a while."""
    number = list(CONTENTS.values()).index(content)
    return lines if number == 0 else (lines[number % len(lines)],)


HUGE = 10**400
"""A whole number of JSON that no float holds."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two equal runs that are evaluated, and their data."""
    home = tmp_path_factory.mktemp("sound")
    here = Path.cwd()
    os.chdir(home)
    try:
        shutil.copytree(STORED / "run", "runs/one")
        shutil.copytree(STORED / "data", "data/icons")
        RunDir(Path("runs/one")).update_info(data="data/icons", dataset="icons")
        assert run_line(["eval", "one", "--quiet", "--threads", "1"]) == 0
        shutil.copytree("runs/one", "runs/two")
        yield home
    finally:
        os.chdir(here)


@pytest.fixture
def run(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a copy of the first run, beside the second and the data."""
    shutil.copytree(sound / "runs", tmp_path / "runs")
    (tmp_path / "data").symlink_to(sound / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "one"


def check_answer(answer: Any) -> None:
    assert answer.code in set(ExitCode) - {ExitCode.FAULT}, answer.err
    assert "internal error" not in answer.err
    assert answer.code == 0 or len(answer.err.splitlines()) <= MAX_LINES, answer.err


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(content, id=name, marks=[] if name in ("nested", "a number") else pytest.mark.slow)
        for name, content in CONTENTS.items()
    ],
)
@pytest.mark.parametrize(
    ("file", "lines"),
    {
        "run.json": ("runs", "doctor one", "report one", "compare one two", "train --resume one", "predict one x.png"),
        "data.json": ("report one", "compare one two", "train --resume one"),
        "metrics.jsonl": ("report one", "visualize curves one", "train --resume one"),
        "labels.json": ("eval one", "report one"),
        "eval/test.json": ("runs --sort test_accuracy", "report one", "compare one two", "visualize confusion one"),
        "eval/test-shown.json": ("report one", "compare one two"),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_content_of_another_kind_is_answered_briefly(
    file: str, lines: tuple[str, ...], content: str | bytes, run: Path, dl: Callable[..., Any]
) -> None:
    (run / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    for line in lines_for(content, lines):
        check_answer(dl(*line.split()))


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_damaged_run_does_not_hide_the_others(content: str | bytes, run: Path, dl: Callable[..., Any]) -> None:
    (run / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = dl("runs", "--json")
    assert answer.code == 0
    assert [each["path"] for each in json.loads(answer.out)["runs"]] == ["runs/two"]


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_damaged_card_is_an_error_of_the_data(
    content: str | bytes, run: Path, sound: Path, dl: Callable[..., Any]
) -> None:
    Path("data").unlink()
    shutil.copytree(sound / "data", "data")
    Path("data/icons/dataset.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    lines = ("eval one", "train ./data/icons", "doctor ./data/icons", "visualize grid ./data/icons")
    for line in lines_for(content, lines):
        answer = dl(*line.split())
        check_answer(answer)
        assert answer.code == ExitCode.DATA and "dataset.json" in answer.err, (line, answer.err)


def test_an_entry_that_is_nested_beyond_printing_makes_no_run(run: Path, dl: Callable[..., Any]) -> None:
    """Python reads JSON of nine hundred levels and cannot write it."""
    text = (run / "run.json").read_text(encoding="utf-8")
    (run / "run.json").write_text(text.replace("{", '{"more": ' + "[" * 900 + "]" * 900 + ",", 1), encoding="utf-8")
    answer = dl("runs", "--json")
    assert answer.code == 0
    assert [each["path"] for each in json.loads(answer.out)["runs"]] == ["runs/two"]
    for line in ("report one", "compare one two", "eval one"):
        check_answer(dl(*line.split()))


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document))


def test_a_number_that_no_float_holds_is_no_figure(run: Path, dl: Callable[..., Any]) -> None:
    edited(run / "eval" / "test.json", lambda report: report["metrics"].update(accuracy=HUGE, more=HUGE))
    edited(run / "run.json", lambda info: info.update(seconds=HUGE, best={"epoch": HUGE, "accuracy": HUGE}))
    for line in ("runs", "runs --sort seconds", "runs --sort test_accuracy", "report one", "compare one two"):
        check_answer(dl(*line.split()))
    answer = dl("runs", "--json")
    assert answer.code == 0 and json.loads(answer.out)


def test_a_confusion_matrix_that_no_integer_holds_is_damaged(run: Path, dl: Callable[..., Any]) -> None:
    edited(run / "eval" / "test.json", lambda report: report["confusion"][0].__setitem__(0, HUGE))
    answer = dl("visualize", "confusion", "one")
    assert answer.code == ExitCode.RUN and "damaged" in answer.err and "dl eval one --split test" in answer.err


def test_epochs_that_no_float_holds_are_damaged_lines(run: Path, dl: Callable[..., Any]) -> None:
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    lines = [{**first, "epoch": HUGE}, {**first, "loss": HUGE, "val_loss": HUGE}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    answer = dl("visualize", "curves", "one")
    assert answer.code == ExitCode.RUN and "line 1" in answer.err
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [first, lines[1]]))
    check_answer(dl("visualize", "curves", "one"))
    check_answer(dl("report", "one"))
