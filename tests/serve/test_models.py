"""The shelf: what is chosen, what is swapped, what is refused."""

from __future__ import annotations

import asyncio

import pytest
from serve.conftest import Halving, open_halving

from dlcli.answering.opening import Opened
from dlcli.core.errors import RunError
from dlcli.data.codec import Source
from dlcli.serve.faults import RefusedError
from dlcli.serve.metrics import Metrics
from dlcli.serve.models import Job, Limits, Shelf, values_of
from dlcli.serve.plan import Entry, plan_of


class Plain:
    """A codec of another package, which knows nothing of programs."""

    fields = ()
    listed = None


def shelf_of(*words: str, shares: str | None = None, base=None) -> Shelf:
    shelf = Shelf(lambda target: open_halving(Halving()), Limits(), Metrics(), lambda line: None, 0, base)
    shelf.load(plan_of(words, None, shares))
    return shelf


def test_a_task_that_takes_nothing_from_a_program_is_refused_by_name():
    with pytest.raises(RunError, match="plain: its task takes no inputs"):
        values_of(Opened("plain", Plain(), Halving()))


def test_a_version_that_is_not_there_is_a_404_and_the_newest_is_the_default_of_a_name():
    shelf = shelf_of("a=x", "a@new=y")
    assert shelf.find("a", None).entry.version == "new"
    assert shelf.find("a", "1").entry.target == "x"
    for name, version in (("b", None), ("a", "3"), ("a", "")):
        with pytest.raises(RefusedError) as refused:
            shelf.find(name, version)
        assert refused.value.status == 404


def test_draws_are_repeated_by_the_seed():
    words = ("a=x", "a@2=y")
    draws = [[shelf_of(*words, shares="a@1=1,a@2=1").choose(None).entry.version for _ in range(1)] for _ in range(5)]
    assert len({tuple(each) for each in draws}) == 1


def test_inputs_go_to_the_version_that_has_the_place_by_now():
    async def run() -> None:
        shelf = shelf_of("a=x", "b=y")
        before = shelf.find("a", None)
        await shelf.change(lambda plan: plan, reload=True)
        assert shelf.find("a", None) is not before
        [record] = await asyncio.gather(*shelf.submit(before, [Job(Source("4", "4"))]))
        assert record == {"input": "4", "half": 2.0}
        gone = shelf.find("b", None)
        await shelf.change(lambda plan: plan.without("b@1"))
        with pytest.raises(RefusedError) as refused:
            shelf.submit(gone, [Job(Source("4", "4"))])
        assert refused.value.status == 503
        await shelf.close()

    asyncio.run(run())


def test_a_change_starts_from_the_plan_that_other_workers_agreed_on():
    async def run() -> None:
        wanted = plan_of(["a=x", "b=y"], None, None)
        shelf = shelf_of("a=x", base=lambda: wanted)
        await shelf.change(lambda plan: plan.with_entry(Entry("c", "1", "z")))
        assert list(shelf.all()) == ["a@1", "b@1", "c@1"]
        await shelf.close()

    asyncio.run(run())


def test_what_is_unchanged_is_not_opened_again():
    async def run() -> None:
        shelf = shelf_of("a=x")
        before = shelf.find("a", None)
        await shelf.change(lambda plan: plan.with_entry(Entry("b", "1", "y")))
        assert shelf.find("a", None) is before
        await shelf.change(lambda plan: plan.with_entry(Entry("a", "1", "other")))
        assert shelf.find("a", None) is not before
        await shelf.close()

    asyncio.run(run())
