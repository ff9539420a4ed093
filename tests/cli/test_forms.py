"""Prepared data of one form given to a task of another: the message says which form it is, and its fix works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.errors import DataError, ExitCode
from dlcli.core.registry import TASKS, get_task
from dlcli.data.card import Card, require_form

OWNERS = {
    "data/digits": "classification",
    "data/s": "sentiment",
    "data/r": "regression",
    "data/c": "table-classification",
}
"""Prepared folders and the task that each is for."""

WRONG = [
    (folder, task) for folder, owner in OWNERS.items() for task, spec in TASKS.items() if spec.form != TASKS[owner].form
]


@pytest.mark.parametrize(("folder", "task"), WRONG)
def test_another_form_is_named_with_the_task_that_reads_it(
    folder: str, task: str, every_task: Path, dl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(every_task)
    answer = dl("train", task, "--data", folder)
    assert answer.code == ExitCode.DATA
    assert f"{folder}: holds the form {TASKS[OWNERS[folder]].form!r}, not " in answer.err
    assert f"fix: `dl train {OWNERS[folder]} --data {folder}`" in answer.err


@pytest.mark.parametrize("folder", OWNERS)
def test_the_fix_works(folder: str, every_task: Path, dl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(every_task)
    wrong = next(task for of, task in WRONG if of == folder)
    fix, *_ = re.findall("`dl ([^`]*)`", dl("train", wrong, "--data", folder).err)
    quick = ("--epochs", "1", "--max-steps", "1", "--precision", "fp32", "--threads", "1", "--quiet")
    small = ("--model", "lenet") if folder == "data/digits" else ()
    assert dl(*shlex.split(fix), *quick, *small, "--name", f"fixed-{Path(folder).name}").code == 0


def test_pictures_of_another_form_name_the_task_too(
    every_task: Path, dl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(every_task)
    for picture, folder in (("grid", "data/s"), ("lengths", "data/c")):
        answer = dl("visualize", picture, f"./{folder}")
        assert (answer.code, OWNERS[folder] in answer.err) == (ExitCode.DATA, True), answer.err


def test_a_form_that_no_task_reads_says_so() -> None:
    with pytest.raises(DataError, match="holds the form 'sounds', not a table") as caught:
        require_form(Card("sounds", "birds", (), {}), Path("data/birds"), "table", "a table")
    assert str(caught.value.hint).startswith("no task reads this form")


def test_a_form_of_two_tasks_names_both_where_the_card_names_none() -> None:
    card = Card("table", "t", (), {}, details={"task": "juggling"})
    with pytest.raises(DataError) as caught:
        require_form(card, Path("my data"), "text", "labelled text")
    assert caught.value.hint == (
        "`dl train regression --data 'my data'` or `dl train table-classification --data 'my data'` reads it"
    )


def test_the_form_that_is_wanted_passes() -> None:
    require_form(Card("text", "t", (), {}), Path("t"), get_task("sentiment").form, "labelled text")
