"""The models that are open, each with its queue; another version takes a name over without a gap."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from dlcli.answering.answers import answer
from dlcli.core.errors import RunError, first_line
from dlcli.core.files import finite
from dlcli.serve.batching import Batcher
from dlcli.serve.faults import RefusedError
from dlcli.serve.metrics import Metrics
from dlcli.serve.plan import Entry, Plan

if TYPE_CHECKING:
    from dlcli.answering.opening import Opened
    from dlcli.data.codec import Answer, Source, Values

Open = Callable[[str], "Opened"]
"""Opens the model of a run or file."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One input to answer.

    Attributes:
        source: the input.
        draws: whether the record also has the input with the answer drawn on it.
    """

    source: Source
    draws: bool = False


@dataclass(frozen=True)
class Limits:
    """How a model's inputs are batched; see `Batcher`."""

    max_batch: int = 32
    max_wait_s: float = 0.0
    queue: int = 256


class Served:
    """One version of a model, open.

    Args:
        entry: what it is called.
        opened: the model.
        limits: how its inputs are batched.
        metrics: where its batches are counted.
        report: is called with a line on a fault of the model.

    Raises:
        RunError: its task takes no inputs from a program.
    """

    def __init__(
        self, entry: Entry, opened: Opened, limits: Limits, metrics: Metrics, report: Callable[[str], None]
    ) -> None:
        self.entry = entry
        self.opened = opened
        self.values = values_of(opened)
        self._report = report
        sizes = metrics.batch_size.labels(entry.name, entry.version)
        seconds = metrics.batch_seconds.labels(entry.name, entry.version)

        def observe(number: int, elapsed_s: float) -> None:
            sizes.observe(number)
            seconds.observe(elapsed_s)

        self.batcher: Batcher[Job] = Batcher(
            self._answer,
            max_batch=limits.max_batch,
            max_wait_s=limits.max_wait_s,
            capacity=limits.queue,
            observe=observe,
            count_waiting=metrics.waiting.labels(entry.name, entry.version).inc,
        )

    def _answer(self, jobs: Sequence[Job]) -> list[Record]:
        """Return the records of a batch; where answering them together fails, each is answered alone."""
        try:
            return self._answer_together(jobs)
        except Exception as error:
            if len(jobs) > 1:
                return [record for job in jobs for record in self._answer([job])]
            # The message of an exception may repeat the input, which is not logged.
            self._report(f"{self.entry.key}: an input was not answered: {type(error).__name__}")
            return [{"input": jobs[0].source.name, "error": f"the model failed: {type(error).__name__}"}]

    def _answer_together(self, jobs: Sequence[Job]) -> list[Record]:
        answered = answer(self.opened, [job.source for job in jobs])
        return [self._record(job, given) for job, (_, given) in zip(jobs, answered, strict=True)]

    def _record(self, job: Job, given: Answer) -> Record:
        """Return a record as `dl predict` writes it, with what is a picture in base64."""
        record = {"input": job.source.name, **finite(given.record)}
        if given.picture is not None:
            record["picture"] = _png(given.picture)
        if job.draws and "error" not in given.record:
            record["drawing"] = _png(self.opened.codec.draw(job.source, given))
        return record


def _png(picture: Any) -> str:
    from dlcli.visualize.canvas import encode_png

    return base64.b64encode(encode_png(picture)).decode()


def values_of(opened: Opened) -> Values:
    """Return how a model takes inputs from a program.

    Raises:
        RunError: it does not.
    """
    from dlcli.data.codec import TakesValues

    if not isinstance(opened.codec, TakesValues):
        raise RunError(f"{opened.name}: its task takes no inputs over HTTP", hint="its codec needs `values`")
    return opened.codec.values


class Shelf:
    """The models of a plan, by key.

    Args:
        open_target: opens a model; called in a thread once the server runs.
        limits: how inputs are batched.
        metrics: where everything is counted.
        report: is called with a line on what went wrong.
        seed: of the draws by which requests without an identifier are shared out.
        base: returns the plan that a change starts from; None for the present one. Other workers may have changed it.
    """

    def __init__(
        self,
        open_target: Open,
        limits: Limits,
        metrics: Metrics,
        report: Callable[[str], None],
        seed: int = 0,
        base: Callable[[], Plan] | None = None,
    ) -> None:
        self.plan = Plan((), "")
        self._base = base
        self._open = open_target
        self._limits = limits
        self._metrics = metrics
        self._report = report
        self._random = random.Random(seed)
        self._served: dict[str, Served] = {}
        self._changing = asyncio.Lock()

    def load(self, plan: Plan) -> None:
        """Open all models of a plan, before the server runs.

        Raises:
            DlError: one cannot be opened.
        """
        self._served = {entry.key: self._opened(entry) for entry in plan.entries}
        self.plan = plan

    def _opened(self, entry: Entry) -> Served:
        return Served(entry, self._open(entry.target), self._limits, self._metrics, self._report)

    async def change(self, make_plan: Callable[[Plan], Plan], *, reload: bool = False) -> list[str]:
        """Serve another plan; what is new is open before the old goes, which answers what it has taken.

        Args:
            make_plan: returns the wanted plan from the one that holds.
            reload: open also what is already open again, from files that may have changed.

        Returns:
            A line for each version that could not be opened again; the old one goes on in its place.

        Raises:
            DlError: a version that is new cannot be opened; nothing has changed then.
        """
        async with self._changing:
            plan = make_plan(self._base() if self._base is not None else self.plan)
            served, faults = dict[str, Served](), list[str]()
            for entry in plan.entries:
                old = self._served.get(entry.key)
                if old is not None and old.entry == entry and not reload:
                    served[entry.key] = old
                    continue
                try:
                    served[entry.key] = await asyncio.to_thread(self._opened, entry)
                    self._metrics.reloads.labels("ok").inc()
                except Exception as error:
                    self._metrics.reloads.labels("error").inc()
                    if old is None or old.entry != entry:
                        await _close([each for key, each in served.items() if self._served.get(key) is not each])
                        raise
                    served[entry.key] = old
                    faults.append(f"{entry.key}: the old one stays: {first_line(error)}")
            gone = [old for key, old in self._served.items() if served.get(key) is not old]
            self._served, self.plan = served, plan
            await _close(gone)
        for fault in faults:
            self._report(fault)
        return faults

    async def close(self) -> None:
        """Answer what waits, and end the threads."""
        await _close(list(self._served.values()))

    def find(self, name: str, version: str | None) -> Served:
        """Return a version of a model, by default the newest.

        Raises:
            RefusedError: there is none (404).
        """
        if version is None:
            newest = self.plan.newest(name)
            version = newest.version if newest is not None else None
        served = self._served.get(f"{name}@{version}")
        if served is None:
            raise RefusedError(404, "no such model or version", hint="GET /metadata lists them")
        return served

    def choose(self, request_id: str | None) -> Served:
        """Return the version that a request without a name gets.

        Args:
            request_id: the client's identifier: equal ones get one version; None for a random share.
        """
        if not self.plan.shares:
            return self._served[self.plan.default]
        place = _place_of(request_id) if request_id is not None else self._random.random()
        for key, share in self.plan.shares.items():
            place -= share
            if place < 0:
                return self._served[key]
        return self._served[key]

    def submit(self, served: Served, jobs: Sequence[Job]) -> list[asyncio.Future[Record]]:
        """Return a future of the record of each job, of the version that now has the place of `served`.

        Raises:
            RefusedError: there is no room, or the version has gone.
        """
        current = self._served.get(served.entry.key)
        if current is None or current.values.kind != served.values.kind:
            raise RefusedError(503, "this version has just been taken away", headers={"Retry-After": "1"})
        return current.batcher.submit(jobs)

    def all(self) -> Mapping[str, Served]:
        """Return every version that is served, by key."""
        return self._served


def _place_of(request_id: str) -> float:
    """Return a place in [0, 1) for an identifier: the same on every machine."""
    return int.from_bytes(blake2b(request_id.encode("utf-8", "replace"), digest_size=6).digest(), "big") / 2**48


async def _close(models: Sequence[Served]) -> None:
    await asyncio.gather(*(each.batcher.close() for each in models))
