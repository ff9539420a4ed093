"""Every picture of a run of every task: drawn, or refused with the reason; never a fault of dl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.pictures import all_pictures
from dlcli.core.errors import ExitCode
from dlcli.core.registry import TASKS
from dlcli.visualize.image_files import IMAGE

INPUTS = {"classification": "cat.png", "sentiment": "how fine", "regression": "q.csv", "table-classification": "q.csv"}

DRAWN = {
    "classification": {
        *("features", "field", "gradients", "kernels", "cam", "grid", "curves", "steps", "confusion"),
        *("embeddings", "neighbours"),
    },
    "sentiment": {"attention", "embeddings", "neighbours", "gradients", "lengths", "curves", "confusion"},
    "regression": {"curves", "gradients", "embeddings", "neighbours", "importance", "dependence"},
    "table-classification": {
        *("curves", "confusion", "gradients", "embeddings", "neighbours", "importance", "dependence"),
    },
}
"""Which pictures there are of a task's runs; the others are refused. Those of annotated images are drawn in
`tests/contract`, where their tasks are trained."""

TAKES_INPUT = ("features", "cam", "attention", "neighbours")

WITH_TABLE = ("field", "gradients", "neighbours", "importance", "dependence")
"""Pictures with a table that is printed beside them."""


@dataclass(frozen=True)
class Line:
    """A command line after `dl visualize PICTURE RUN`, for the pictures that have its options."""

    pictures: tuple[str, ...]
    words: tuple[str, ...]


OPTIONS = [
    Line(("features", "field", "kernels", "cam"), ("--layer", "list")),
    Line(("features", "field", "kernels"), ("--layer", "nothing")),
    Line(("grid",), ("--augmented",)),
    Line(("embeddings",), ("--near", "nothing")),
    Line(("attention",), ("--gradient",)),
    Line(("cam",), ("--class", "nothing")),
]


def test_the_pictures_and_tasks_here_are_those_there_are() -> None:
    assert set(DRAWN) == set(INPUTS) <= set(TASKS)
    found = all_pictures([TASKS[task] for task in DRAWN])
    assert set().union(*DRAWN.values()) == {name for name in found if found[name].picture.subject != IMAGE}


@pytest.mark.parametrize("task", DRAWN)
def test_a_picture_is_drawn_or_refused(
    task: str, every_task: Path, tmp_path: Path, dl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(every_task)
    for name in all_pictures():
        inputs = (INPUTS[task],) if name in TAKES_INPUT else ()
        answer = dl("visualize", name, task, *inputs, "--out", str(tmp_path))
        if name in DRAWN[task]:
            assert answer.code == 0, (name, answer.err)
            assert not answer.err or name in WITH_TABLE, (name, answer.err)
        else:
            assert answer.code in (ExitCode.USAGE, ExitCode.DATA, ExitCode.RUN), (name, answer.err)
            assert len(answer.err.splitlines()) <= 6


@pytest.mark.parametrize("task", DRAWN)
@pytest.mark.parametrize("line", OPTIONS, ids=lambda line: " ".join(line.words))
def test_an_option_of_a_picture_that_is_not_of_this_task_is_refused(
    task: str, line: Line, every_task: Path, tmp_path: Path, dl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(every_task)
    for name in line.pictures:
        inputs = (INPUTS[task],) if name in TAKES_INPUT else ()
        answer = dl("visualize", name, task, *inputs, *line.words, "--out", str(tmp_path))
        is_good = name in DRAWN[task] and "nothing" not in line.words
        assert answer.code == (0 if is_good else ExitCode.USAGE), (name, answer.err)


@pytest.mark.parametrize(("name", "owner"), [("cam", "classification"), ("attention", "sentiment")])
@pytest.mark.parametrize("task", ["regression", "table-classification"])
def test_a_picture_of_another_task_says_which_it_belongs_to(
    name: str, owner: str, task: str, every_task: Path, dl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(every_task)
    answer = dl("visualize", name, task, "q.csv")
    assert answer.code == ExitCode.USAGE
    assert f"{name} is a picture of {owner}, but " in answer.err
    assert f" is of {task}\n" in answer.err
