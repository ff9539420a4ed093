from __future__ import annotations

import dataclasses

import pytest

from dlcli.core.errors import UsageError
from dlcli.core.train_config import SCHEDULES, TrainConfig
from dlcli.engine.runs.judging import refuse_unjudged
from dlcli.engine.task import Goal

GOAL = Goal("score", larger_is_better=True)
BASE = TrainConfig()


@pytest.mark.parametrize("changes", [{"patience": 5}, {"schedule": "plateau"}])
@pytest.mark.parametrize(("goal", "is_validated"), [(None, True), (GOAL, False), (None, False)])
def test_what_compares_epochs_needs_a_goal_and_a_validation_part(changes, goal, is_validated):
    train = dataclasses.replace(BASE, **changes)
    refuse_unjudged(GOAL, train, is_validated=True)
    with pytest.raises(UsageError) as caught:
        refuse_unjudged(goal, train, is_validated=is_validated)
    [(name, value)] = changes.items()
    assert caught.value.message.startswith(f"--{name} {value}: ")
    assert caught.value.hint
    assert ("--val-fraction" in caught.value.hint) is (goal is not None)


@pytest.mark.parametrize(
    ("changes", "auto", "flag"),
    [({"folds": "5"}, (), "--folds"), ({"splits": "x"}, (), "--splits"), ({}, ("learning_rate",), "--lr auto")],
)
def test_what_compares_figures_needs_a_goal_alone(changes, auto, flag):
    train = dataclasses.replace(BASE, **changes)
    refuse_unjudged(GOAL, train, auto, is_validated=False)
    with pytest.raises(UsageError, match=f"^{flag}: this task has no metric"):
        refuse_unjudged(None, train, auto)


def test_the_other_schedules_and_a_found_batch_size_need_nothing():
    for schedule in set(SCHEDULES) - {"plateau"}:
        refuse_unjudged(None, dataclasses.replace(BASE, schedule=schedule), ("batch_size",), is_validated=False)
