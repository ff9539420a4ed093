"""The floor is printed before a training; at its end a warning says that the network has stayed below it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dlcli.core.console import Console
from dlcli.engine.floors import Floor, HasFloor
from dlcli.engine.observers.floor_line import FloorLine
from dlcli.engine.task import Goal

ACCURACY = Goal("accuracy", larger_is_better=True)
FLOOR = Floor("mean of all", {"accuracy": 0.875, "loss": 2.0}, "40 of 90 rows", "--model simple")


def state(best, *, goal=ACCURACY, floor=FLOOR, failure=None):
    task = SimpleNamespace(goal=goal, quick_floor=lambda: floor)
    assert isinstance(task, HasFloor)
    return SimpleNamespace(task=task, best=best, failure=failure)


def lines(capsys, training):
    line = FloorLine(Console())
    line.on_train_start(training)
    first = capsys.readouterr().err
    line.on_train_end(training)
    return first, capsys.readouterr().err


@pytest.mark.parametrize(
    ("training", "warning"),
    [
        (state(0.9), ""),
        (state(0.875), ""),
        (state(0.8), "warning: accuracy 0.8000, below the floor's 0.8750 (mean of all): try --model simple\n"),
        (state(0.8, failure=KeyError()), ""),
        (state(None), ""),
    ],
)
def test_the_best_epoch_is_compared_with_the_floor(capsys, training, warning):
    first, last = lines(capsys, training)
    assert first == "floor: mean of all, accuracy 0.8750 on the validation part, fitted on 40 of 90 rows\n"
    assert last == warning


def test_of_a_loss_a_larger_one_is_below_the_floor(capsys):
    goal = Goal("loss", larger_is_better=False)
    assert lines(capsys, state(1.9, goal=goal))[1] == ""
    plain = Floor(FLOOR.name, FLOOR.metrics, FLOOR.fitted)
    assert lines(capsys, state(2.1, goal=goal, floor=plain))[1].endswith("floor's 2.0000 (mean of all)\n")


def test_without_a_floor_or_a_goal_nothing_is_said(capsys):
    assert lines(capsys, state(0.1, floor=None)) == ("", "")
    assert lines(capsys, state(0.1, goal=None)) == ("", "")
    assert lines(capsys, SimpleNamespace(task=SimpleNamespace(goal=None), best=1.0, failure=None)) == ("", "")
