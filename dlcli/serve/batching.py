"""Dynamic batching: inputs of many requests are answered together, in the order in which they came.

    requests --submit--> waiting (bounded) --up to max_batch, after max_wait_s at most--> one thread --> futures

While a batch is computed, others gather; so a busy model never waits for the clock.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dlcli.serve.faults import RefusedError, queue_full

JobT = TypeVar("JobT")


@dataclass
class _Waiting(Generic[JobT]):
    job: JobT
    future: asyncio.Future[Any]
    since: float


class Batcher(Generic[JobT]):
    """Answers jobs in batches, in a thread of its own.

    Args:
        run: answers a batch; returns a result for each job, in order. It may raise for all of them.
        max_batch: jobs of a batch at most.
        max_wait_s: how long the first job of a batch waits for others, in seconds.
        capacity: jobs that may wait.
        observe: is called with the number of jobs and the seconds of each batch.
        count_waiting: is called with how many more jobs wait than before; fewer are a negative number.
    """

    def __init__(
        self,
        run: Callable[[Sequence[JobT]], Sequence[Any]],
        *,
        max_batch: int,
        max_wait_s: float,
        capacity: int,
        observe: Callable[[int, float], None] | None = None,
        count_waiting: Callable[[int], None] | None = None,
    ) -> None:
        self._run = run
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._capacity = capacity
        self._observe = observe
        self._count_waiting = count_waiting
        self._num_counted = 0
        self._waiting: deque[_Waiting[JobT]] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dl-model")
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        self._seconds_a_job = 0.0

    def submit(self, jobs: Sequence[JobT]) -> list[asyncio.Future[Any]]:
        """Return a future for each job; all of them wait, or none does. A cancelled future is not computed.

        Raises:
            RefusedError: there is no room for them (503), there never will be (413), or the model has been closed.
        """
        if self._is_closed:
            raise RefusedError(
                503, "this version has just been replaced", hint="ask again", headers={"Retry-After": "1"}
            )
        if len(jobs) > self._capacity:
            raise RefusedError(
                413, f"{len(jobs):,} inputs in one request", hint=f"send at most {self._capacity:,} at once"
            )
        if len(self._waiting) + len(jobs) > self._capacity:
            self._forget_cancelled()
        if len(self._waiting) + len(jobs) > self._capacity:
            raise queue_full(math.ceil(self._seconds_a_job * len(self._waiting)))
        loop, now = asyncio.get_running_loop(), time.monotonic()
        added = [_Waiting(job, loop.create_future(), now) for job in jobs]
        self._waiting.extend(added)
        self._count()
        self._arrived.set()
        if self._task is None:
            self._task = loop.create_task(self._work())
        return [each.future for each in added]

    async def close(self) -> None:
        """Answer what waits, and end the thread; nothing more is taken."""
        self._is_closed = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown(wait=False)

    def _forget_cancelled(self) -> None:
        self._waiting = deque(each for each in self._waiting if not each.future.cancelled())
        self._count()

    def _count(self) -> None:
        """Report a change of the number of waiting jobs: of two versions that share a place, one may still run dry."""
        change, self._num_counted = len(self._waiting) - self._num_counted, len(self._waiting)
        if change and self._count_waiting is not None:
            self._count_waiting(change)

    async def _work(self) -> None:
        while True:
            if not self._waiting:
                if self._is_closed:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            batch = await self._next_batch()
            if batch:
                await self._answer(batch)

    async def _next_batch(self) -> list[_Waiting[JobT]]:
        """Return the jobs that are answered next, once there are enough or the first has waited long enough."""
        deadline = self._waiting[0].since + self._max_wait_s
        while len(self._waiting) < self._max_batch and not self._is_closed:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                break
        self._forget_cancelled()
        batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
        self._count()
        return batch

    async def _answer(self, batch: Sequence[_Waiting[JobT]]) -> None:
        loop, begin = asyncio.get_running_loop(), time.monotonic()
        try:
            results = await loop.run_in_executor(self._thread, self._run, [each.job for each in batch])
        except Exception as error:  # a fault of the model; the requests report it, and the next batch is answered
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(error)
            return
        seconds = time.monotonic() - begin
        self._seconds_a_job = 0.8 * self._seconds_a_job + 0.2 * seconds / len(batch)
        if self._observe is not None:
            self._observe(len(batch), seconds)
        for each, result in zip(batch, results, strict=True):
            if not each.future.done():
                each.future.set_result(result)
