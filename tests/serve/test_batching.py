"""Batches: what is answered together, in which order, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from serve.conftest import Halving, open_halving

from dlcli.serve.batching import Batcher
from dlcli.serve.faults import RefusedError
from dlcli.serve.models import Limits


class Model:
    """Adds one to each job; it may be held back, and fails for a batch that holds -1."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.goes = threading.Event()
        self.goes.set()
        self.has_begun = threading.Event()

    def __call__(self, jobs: Sequence[int]) -> list[int]:
        self.batches.append(list(jobs))
        self.has_begun.set()
        assert self.goes.wait(30)
        if -1 in jobs:
            raise ValueError("no")
        return [job + 1 for job in jobs]


def batcher(
    model: Model, *, max_batch: int = 4, max_wait_s: float = 0.0, capacity: int = 8, **more: Any
) -> Batcher[int]:
    return Batcher(model, max_batch=max_batch, max_wait_s=max_wait_s, capacity=capacity, **more)


async def begun(model: Model) -> None:
    """Wait until a batch is being computed."""
    await asyncio.to_thread(model.has_begun.wait, 30)


def test_every_job_gets_its_own_answer_whatever_is_answered_together():
    async def run() -> None:
        model = Model()
        batches = batcher(model, max_batch=3, capacity=100)
        futures = [future for first in range(0, 60, 2) for future in batches.submit([first, first + 1])]
        assert await asyncio.gather(*futures) == list(range(1, 61))
        assert [job for batch in model.batches for job in batch] == list(range(60))
        assert max(map(len, model.batches)) == 3
        await batches.close()

    asyncio.run(run())


def test_what_arrives_while_a_batch_is_computed_is_answered_together():
    async def run() -> None:
        model = Model()
        model.goes.clear()
        batches = batcher(model)
        first = batches.submit([0])
        await begun(model)
        others = [future for job in (1, 2, 3) for future in batches.submit([job])]
        model.goes.set()
        assert await asyncio.gather(*first, *others) == [1, 2, 3, 4]
        assert model.batches == [[0], [1, 2, 3]]
        await batches.close()

    asyncio.run(run())


def test_a_full_batch_does_not_wait_for_the_clock_and_a_smaller_one_does():
    async def run() -> None:
        model = Model()
        batches = batcher(model, max_batch=2, max_wait_s=3600.0)
        assert await asyncio.gather(*batches.submit([1, 2])) == [2, 3]
        [waiting] = batches.submit([3])
        await asyncio.sleep(0.05)
        assert not waiting.done()
        [other] = batches.submit([4])
        assert await asyncio.gather(waiting, other) == [4, 5]
        await batches.close()

    asyncio.run(run())


def test_more_than_may_wait_is_refused_whole_and_says_when_to_come_again():
    async def run() -> None:
        model = Model()
        model.goes.clear()
        waiting: list[int] = []
        batches = batcher(model, max_batch=1, capacity=2, count_waiting=waiting.append)
        taken = batches.submit([0])
        await begun(model)
        taken += batches.submit([1, 2])
        with pytest.raises(RefusedError) as refused:
            batches.submit([3])
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) >= 1
        with pytest.raises(RefusedError) as too_many:
            batches.submit([4, 5, 6])
        assert too_many.value.status == 413
        assert sum(waiting) == 2
        model.goes.set()
        assert await asyncio.gather(*taken) == [1, 2, 3]
        await batches.close()

    asyncio.run(run())


def test_what_nobody_waits_for_any_more_is_not_computed_and_gives_its_place_away():
    async def run() -> None:
        model = Model()
        model.goes.clear()
        batches = batcher(model, max_batch=1, capacity=1)
        first = batches.submit([0])
        await begun(model)
        [given_up] = batches.submit([1])
        given_up.cancel()
        others = batches.submit([2])
        model.goes.set()
        assert await asyncio.gather(*first, *others) == [1, 3]
        assert model.batches == [[0], [2]]
        await batches.close()

    asyncio.run(run())


def test_the_number_that_wait_follows_what_comes_is_taken_and_is_given_up():
    async def run() -> None:
        model = Model()
        model.goes.clear()
        changes: list[int] = []
        batches = batcher(model, max_batch=2, count_waiting=changes.append)
        taken = batches.submit([0])
        await begun(model)
        assert sum(changes) == 0
        given_up, *others = batches.submit([1, 2, 3, 4])
        assert sum(changes) == 4
        given_up.cancel()
        model.goes.set()
        assert await asyncio.gather(*taken, *others) == [1, 3, 4, 5]
        await batches.close()
        assert sum(changes) == 0

    asyncio.run(run())


def test_a_failed_batch_says_so_to_each_and_the_next_one_is_answered():
    async def run() -> None:
        seen: list[int] = []
        model = Model()
        batches = batcher(model, observe=lambda number, seconds: seen.append(number))
        results = await asyncio.gather(*batches.submit([-1, 5]), return_exceptions=True)
        assert [type(result) for result in results] == [ValueError, ValueError]
        assert await asyncio.gather(*batches.submit([6])) == [7]
        assert seen == [1]
        await batches.close()

    asyncio.run(run())


def test_closing_answers_what_was_taken_and_takes_nothing_more():
    async def run() -> None:
        model = Model()
        batches = batcher(model, max_batch=2, max_wait_s=3600.0)
        futures = batches.submit([1, 2, 3])
        await batches.close()
        assert [future.result() for future in futures] == [2, 3, 4]
        with pytest.raises(RefusedError) as refused:
            batches.submit([4])
        assert refused.value.status == 503

    asyncio.run(run())


def test_one_that_was_never_asked_closes_too():
    asyncio.run(batcher(Model()).close())


class Held(Halving):
    """A model that computes nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun, self.goes = threading.Event(), threading.Event()

    def run(self, arrays):
        self.has_begun.set()
        assert self.goes.wait(30)
        return super().run(arrays)


def test_what_waits_is_counted_by_whoever_holds_it_and_not_by_whoever_is_asked(serving):
    model = Held()
    bench = serving("toy", opens=lambda _: open_halving(model), limits=Limits(max_batch=1))

    def waiting() -> float:
        families = text_string_to_metric_families(bench.state.metrics.page().decode())  # as another worker reads it
        [sample] = [each for family in families for each in family.samples if each.name == "dl_waiting_inputs"]
        return sample.value

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(bench.client.post, "/predict", json={"inputs": [1, 2, 3]})
        assert model.has_begun.wait(30)
        assert waiting() == 2
        model.goes.set()
        assert asked.result().status_code == 200
    assert waiting() == 0
