"""What a study refuses before its first trial."""

from __future__ import annotations

import dataclasses

import pytest

from dlcli.core.errors import UsageError
from dlcli.engine.tuning.plan import Plan, require_steady_schedule

PLAN = Plan("classification", "digits", "data/digits", ("lr=1e-4..1e-1:log",), options={"model": "lenet"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"options": {"model": "lenet", "schedule": "plateau:2"}}, "--schedule plateau:2 needs the validation part"),
        ({"param": ("schedule=cosine,plateau",)}, "--param schedule: plateau needs the validation part"),
    ],
)
def test_a_schedule_that_follows_the_validation_is_refused_where_that_is_trained_on(changes, says):
    with pytest.raises(UsageError, match=f"--retrain all: {says}") as caught:
        require_steady_schedule(dataclasses.replace(PLAN, **changes))
    assert "--retrain same" in str(caught.value.hint)


def test_other_schedules_are_as_good_on_all_items():
    require_steady_schedule(PLAN)
    require_steady_schedule(dataclasses.replace(PLAN, param=("schedule=cosine,constant,step:3", "model=lenet,cnn")))
