"""Numbers that float32 cannot tell apart are centred, and those that no centring saves are refused."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.tables.precision import offset_of, refuse_extremes

RANDOM = np.random.default_rng(0)
NEAR = RANDOM.normal(0, 1e4, 400).round()


@pytest.mark.parametrize("start", [1.7e12, -1.7e12, 1e9])
def test_far_values_keep_their_differences(start):
    offset = offset_of(NEAR + start)
    np.testing.assert_array_equal((NEAR + start - offset).astype(np.float32), NEAR - (offset - start))
    assert len(np.unique((NEAR + start).astype(np.float32))) < len(np.unique(NEAR))
    refuse_extremes(NEAR + start, "t", "x")


@pytest.mark.parametrize(
    "values", [NEAR, NEAR + 1e6, RANDOM.uniform(1990, 2024, 50), np.full(9, 1.7e12), np.zeros(4), np.empty(0), [5.0]]
)
def test_values_that_float32_tells_apart_stay_as_they_are(values):
    assert offset_of(np.asarray(values)) == 0.0


def test_rounding_of_a_constant_is_no_spread():
    assert offset_of(0.1 * 3e9 * (1 + np.array([0, 1, 0, 2, 1]) * 1e-16)) == 0.0


def test_a_few_zeros_among_times_do_not_spoil_the_others():
    values = np.where(np.arange(400) % 50 == 0, 0.0, NEAR + 1.7e12)
    offset = offset_of(values)
    assert len(np.unique((values - offset).astype(np.float32))) == len(np.unique(values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2, 1e300], "too large"),
        ([1e-40, 2e-40, 3e-40], "too little"),
        ([*(1e20 + np.arange(41) * 1e5), *np.arange(21) * 1e30], "values, but only"),
    ],
)
def test_what_float32_cannot_hold_is_refused_with_advice(values, said):
    with pytest.raises(DataError, match=said) as caught:
        refuse_extremes(np.array([*values, np.nan]), "t", "x.csv")
    assert "'t'" in caught.value.message and caught.value.hint


def test_constants_and_gaps_alone_are_no_extremes():
    refuse_extremes(np.full(5, 1e300), "t", "x")
    refuse_extremes(np.full(5, np.nan), "t", "x")
