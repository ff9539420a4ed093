"""Folds in time: what is tested is later than all that was trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from dlcli.core.errors import DataError
from dlcli.core.train_config import FoldPlan
from dlcli.data.folds_in_time import expanding_window


@given(st.integers(2, 6), st.integers(8, 40), st.integers(0, 9))
def test_items_of_distinct_times_are_cut_as_by_scikit_learn(count, num_items, seed):
    times = np.random.default_rng(seed).permutation(num_items)
    order = np.argsort(times)
    for fold, (train, test) in enumerate(TimeSeriesSplit(count).split(times), 1):
        rest, tested = expanding_window(times, FoldPlan(count, in_time=True), fold)
        assert rest.tolist() == order[train].tolist() and tested.tolist() == order[test].tolist()


@given(st.lists(st.integers(0, 9), min_size=12, max_size=40), st.integers(1, 2))
def test_items_of_one_time_are_never_separated(times, fold):
    given_times = np.array([*times, *range(10)])
    try:
        rest, tested = expanding_window(given_times, FoldPlan(2, in_time=True), fold)
    except DataError:
        return
    assert given_times[rest].max() < given_times[tested].min()


def test_too_few_times_are_refused():
    plan = FoldPlan(3, in_time=True, column="day")
    with pytest.raises(DataError, match="time:3: too many folds: the column 'day' has 2 times"):
        expanding_window(np.array([1, 1, 1, 2, 2, 2]), plan, 1)
