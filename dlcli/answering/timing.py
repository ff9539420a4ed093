"""The arithmetic of a benchmark: calls by a clock, the order of visits, and what is said of the times. Torch-free."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

WARM_UP_CALLS = 3
"""Calls before the first that counts: TorchScript still compiles in its second."""

Clock = Callable[[], int]
"""Returns nanoseconds that never go backwards."""


class Cell(NamedTuple):
    """What is measured: a contender, by its number, with so many threads at a batch size."""

    contender: int
    threads: int
    batch_size: int


CellT = TypeVar("CellT", bound=Hashable)


def timed_calls(
    call: Callable[[int], object], seconds: float, *, first: int = 0, clock: Clock | None = None
) -> list[int]:
    """Return the nanoseconds of calls that follow each other until `seconds` are over; there is at least one.

    Args:
        call: is given the number of the call, by which it chooses its inputs.
        seconds: for all calls together. No call begins after them.
        first: the number of the first call.
        clock: nanoseconds; by default those of the system's clock.
    """
    clock = clock or time.perf_counter_ns
    begin = now = clock()
    found: list[int] = []
    while not found or now - begin < seconds * 1e9:
        call(first + len(found))
        before, now = now, clock()
        found.append(now - before)
    return found


def visits(cells: Sequence[CellT], rounds: int) -> list[CellT]:
    """Return the order in which cells are visited: all of them in each round, every second round backwards.

    So a machine that grows slower or faster all the while treats every cell alike: over two rounds, the mean place of
    each is the middle.
    """
    return [cell for number in range(rounds) for cell in (cells if number % 2 == 0 else cells[::-1])]


@dataclass(frozen=True)
class Latency:
    """The times of one model at one batch size.

    Attributes:
        median_ms, p95_ms: over all calls.
        items_per_second: of all calls together.
        calls: how many there were.
        round_medians_ms: the median of each round.
    """

    median_ms: float
    p95_ms: float
    items_per_second: float
    calls: int
    round_medians_ms: tuple[float, ...]


def latency_of(rounds: Sequence[Sequence[int]], batch_size: int) -> Latency:
    """Return what the times say.

    Args:
        rounds: of each round the nanoseconds of its calls, at least one.
        batch_size: items of a call.
    """
    times = np.concatenate([np.asarray(each, np.float64) for each in rounds]) / 1e6
    return Latency(
        median_ms=float(np.median(times)),
        p95_ms=float(np.percentile(times, 95)),
        items_per_second=float(1e3 * batch_size * len(times) / times.sum()),
        calls=len(times),
        round_medians_ms=tuple(float(np.median(each)) / 1e6 for each in rounds),
    )


def speed_up(first: Latency, other: Latency) -> float:
    """Return how many times as fast as the first another is: the median over the rounds of the ratio of both.

    The two of a round were measured shortly after each other, so what slows the machine down for some rounds cancels.
    """
    pairs = zip(first.round_medians_ms, other.round_medians_ms, strict=True)
    return float(np.median([one / two for one, two in pairs]))


def ratios(found: Mapping[Cell, Latency]) -> dict[Cell, float | None]:
    """Return how many times as fast as contender 0 each cell is, at its threads and batch size.

    None where contender 0 was not measured.
    """
    firsts = {cell[1:]: value for cell, value in found.items() if cell.contender == 0}
    return {cell: speed_up(firsts[cell[1:]], value) if cell[1:] in firsts else None for cell, value in found.items()}
