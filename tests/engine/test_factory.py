"""Every registered task is made in the three ways that `TaskFactory` names, with its parameters."""

from __future__ import annotations

import inspect

import pytest

from dlcli.core.errors import UsageError
from dlcli.core.networks import networks_of
from dlcli.core.registry import TASKS, load_object
from dlcli.engine.factory import TaskFactory

WAYS = ("from_data", "from_assets", "from_network")


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("way", WAYS)
def test_a_task_takes_what_the_engine_passes(name: str, way: str) -> None:
    found, expected = (vars(each)[way] for each in (load_object(TASKS[name].task), TaskFactory))
    assert isinstance(found, classmethod)
    mine, theirs = (inspect.signature(each.__func__).parameters for each in (found, expected))
    assert list(mine) == list(theirs)
    assert [each.default for each in mine.values()] == [each.default for each in theirs.values()]


@pytest.mark.parametrize("name", TASKS)
def test_a_network_refuses_a_size_that_no_network_has(name: str) -> None:
    with pytest.raises(UsageError, match=r"--wheels: .* has no such size"):
        load_object(TASKS[name].task).from_network(next(iter(networks_of(TASKS[name]))), {"wheels": 4})
