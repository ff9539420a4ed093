"""The arithmetic of a benchmark, by a clock that only moves when it is told to."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.answering.timing import Cell, latency_of, ratios, speed_up, timed_calls, visits

MS = 1_000_000


class Clock:
    """A clock that calls move on."""

    def __init__(self) -> None:
        self.now = 5 * MS
        self.numbers: list[int] = []

    def __call__(self) -> int:
        return self.now

    def lasting(self, *milliseconds: int):
        """Return a call that takes so long in turn."""

        def call(number: int) -> None:
            self.now += milliseconds[len(self.numbers) % len(milliseconds)] * MS
            self.numbers.append(number)

        return call


def test_calls_follow_each_other_until_the_time_is_over_and_each_is_told_its_number() -> None:
    clock = Clock()
    assert timed_calls(clock.lasting(2, 3), 0.010, first=7, clock=clock) == [2 * MS, 3 * MS, 2 * MS, 3 * MS]
    assert clock.numbers == [7, 8, 9, 10]


def test_a_call_that_takes_longer_than_all_the_time_is_made_once() -> None:
    clock = Clock()
    assert timed_calls(clock.lasting(400), 0.001, clock=clock) == [400 * MS]


def test_without_a_clock_that_of_the_system_counts() -> None:
    assert all(value >= 0 for value in timed_calls(lambda number: None, 0.0))


def test_every_second_round_goes_backwards() -> None:
    assert visits("abc", 3) == [*"abc", *"cba", *"abc"]
    assert visits("abc", 0) == []


@given(st.lists(st.integers(), min_size=1, max_size=9, unique=True), st.integers(1, 4))
def test_a_machine_that_slows_down_evenly_treats_every_cell_alike(cells: list[int], pairs: int) -> None:
    order = visits(cells, 2 * pairs)
    assert Counter(order) == dict.fromkeys(cells, 2 * pairs)
    places = {cell: sum(place for place, other in enumerate(order) if other == cell) for cell in cells}
    assert len(set(places.values())) == 1


def test_median_and_percentile_are_over_all_calls_and_the_rate_over_all_of_their_time() -> None:
    found = latency_of([[1 * MS, 3 * MS], [2 * MS, 2 * MS, 12 * MS]], batch_size=8)
    assert (found.median_ms, found.calls) == (2.0, 5)
    assert found.p95_ms == pytest.approx(np.percentile([1, 2, 2, 3, 12], 95))
    assert found.items_per_second == pytest.approx(8 * 5 / 0.020)
    assert found.round_medians_ms == (2.0, 2.0)


def test_one_call_is_its_own_median_and_percentile() -> None:
    found = latency_of([[4 * MS]], batch_size=1)
    assert (found.median_ms, found.p95_ms, found.items_per_second) == (4.0, 4.0, pytest.approx(250.0))


def test_a_slow_round_of_the_machine_changes_no_ratio() -> None:
    slow_machine = (1, 5, 1)
    first = latency_of([[6 * MS * factor] for factor in slow_machine], 1)
    other = latency_of([[3 * MS * factor] for factor in slow_machine], 1)
    assert (speed_up(first, other), speed_up(other, first), speed_up(first, first)) == (2.0, 0.5, 1.0)


def test_ratios_are_to_the_first_model_at_the_same_threads_and_batch_size() -> None:
    def lasting(milliseconds: int):
        return latency_of([[milliseconds * MS]], 1)

    found = {
        Cell(0, 1, 1): lasting(8),
        Cell(0, 1, 8): lasting(40),
        Cell(1, 1, 1): lasting(2),
        Cell(1, 2, 1): lasting(1),
    }
    assert ratios(found) == {(0, 1, 1): 1.0, (0, 1, 8): 1.0, (1, 1, 1): 4.0, (1, 2, 1): None}
