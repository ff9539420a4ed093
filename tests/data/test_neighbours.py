"""The search in blocks against a comparison of every pair."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data import neighbours
from dlcli.data.neighbours import COSINE, EUCLIDEAN, METRICS, nearest_rows


def of_every_pair(vectors, queries, metric):
    """Return (Q, N) float64 values of all pairs, a smaller one nearer: minus the cosine, or the distance."""
    vectors, queries = vectors.astype(np.float64), queries.astype(np.float64)
    if metric == EUCLIDEAN:
        return np.sqrt(((queries[:, None] - vectors) ** 2).sum(2))
    lengths = np.sqrt((queries**2).sum(1))[:, None] * np.sqrt((vectors**2).sum(1))
    return -np.divide(queries @ vectors.T, lengths, out=np.zeros(lengths.shape), where=lengths > 0)


def check(found, vectors, queries, k, metric, exclude=None):
    """Check an answer against all pairs: the nearest, in order, of equal rows that of the lower number first."""
    values = of_every_pair(vectors, queries, metric)
    if exclude is not None:
        values[np.arange(len(queries)), exclude] = np.inf
    width = min(k, len(vectors) - (exclude is not None))
    assert found.rows.shape == found.values.shape == (len(queries), width)
    own = np.take_along_axis(values, found.rows, 1)
    np.testing.assert_allclose(own, np.sort(values, 1)[:, :width], atol=1e-9)
    np.testing.assert_allclose(found.values, own * (-1 if metric == COSINE else 1), atol=1e-9)
    for number, rows in enumerate(found.rows.tolist()):
        assert len(set(rows)) == width
        for place, row in enumerate(rows):
            twins = np.flatnonzero((vectors[:row] == vectors[row]).all(1)).tolist()
            assert {twin for twin in twins if exclude is None or twin != exclude[number]} <= set(rows[:place])


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that a search crosses their borders."""
    monkeypatch.setattr(neighbours, "MOST_ROWS", 7)
    monkeypatch.setattr(neighbours, "FEWEST_ROWS", 7)
    monkeypatch.setattr(neighbours, "QUERY_BLOCK", 3)
    monkeypatch.setattr(neighbours, "_FEW", 0)


CELLS = st.integers(-2, 2)
"""Few values, so that rows repeat, are zero, or are multiples of each other by a power of two."""


@given(
    vectors=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=30),
    queries=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=5),
    k=st.integers(1, 40),
    metric=st.sampled_from(METRICS),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 5), st.integers(0, 3)),
)
@settings(max_examples=120)
def test_it_is_the_answer_of_every_pair_also_among_equal_and_zero_rows(vectors, queries, k, metric, sizes):
    table, asked = np.array(vectors, np.float32), np.array(queries, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("MOST_ROWS", "QUERY_BLOCK", "_FEW"), sizes, strict=True):
            patch.setattr(neighbours, name, value)
        patch.setattr(neighbours, "FEWEST_ROWS", 1)
        found = nearest_rows(table, asked, k, metric=metric)
    check(found, table, asked, k, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_neighbours_closer_than_float32_can_tell_are_told_apart(small_blocks, metric, far):
    random = np.random.default_rng(0)
    centre = random.standard_normal(64) + far
    steps = random.permutation(40) * 1e-6
    direction = np.eye(64)[0] * np.abs(centre).max()
    vectors = centre + steps[:, None] * direction
    found = nearest_rows(vectors, centre[None], 5, metric=metric)
    assert found.rows[0].tolist() == np.argsort(steps)[:5].tolist()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_very_large_and_very_small_numbers_neither_overflow_nor_vanish(small_blocks, metric, scale):
    random = np.random.default_rng(0)
    vectors, queries = random.standard_normal((25, 6)), random.standard_normal((4, 6))
    plain, scaled = (nearest_rows(vectors * by, queries * by, 9, metric=metric) for by in (1.0, scale))
    assert np.array_equal(plain.rows, scaled.rows)
    np.testing.assert_allclose(scaled.values, plain.values * (1 if metric == COSINE else scale), rtol=1e-9)


def test_sizes_of_blocks_change_no_bit_of_the_answer(monkeypatch):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((700, 33)).astype(np.float32)
    vectors[350:] = vectors[:350]  # each row twice
    answers = []
    for most in (700, 64, 13):
        monkeypatch.setattr(neighbours, "MOST_ROWS", most)
        monkeypatch.setattr(neighbours, "FEWEST_ROWS", 1)
        answers.append(nearest_rows(vectors, vectors[:90], 6))
    for other in answers[1:]:
        assert np.array_equal(answers[0].rows, other.rows) and np.array_equal(answers[0].values, other.values)
    assert np.array_equal(answers[0].rows[:, :2], np.arange(90)[:, None] + [0, 350])


@pytest.mark.parametrize("metric", METRICS)
def test_a_row_can_be_left_out_for_each_query(small_blocks, metric):
    random = np.random.default_rng(1)
    vectors = random.integers(-3, 4, (20, 2)).astype(np.float32)
    exclude = np.arange(20)
    found = nearest_rows(vectors, vectors, 99, metric=metric, exclude=exclude)
    check(found, vectors, vectors, 99, metric, exclude)


def test_there_may_be_no_row_and_no_query():
    assert nearest_rows(np.zeros((0, 3)), np.zeros((2, 3)), 4).rows.shape == (2, 0)
    assert nearest_rows(np.ones((5, 3)), np.zeros((0, 3)), 4).rows.shape == (0, 4)
    assert nearest_rows(np.ones((1, 3)), np.ones((1, 3)), 4, exclude=np.array([0])).rows.shape == (1, 0)


@pytest.mark.parametrize(
    ("vectors", "queries", "more"),
    [
        (np.zeros((3, 2)), np.zeros((1, 3)), {}),
        (np.zeros(3), np.zeros((1, 3)), {}),
        (np.zeros((3, 2)), np.zeros((1, 2)), {"k": 0}),
        (np.zeros((3, 2)), np.zeros((1, 2)), {"metric": "manhattan"}),
        (np.zeros((3, 2)), np.zeros((1, 2)), {"exclude": np.array([3])}),
        (np.zeros((3, 2)), np.zeros((1, 2)), {"exclude": np.array([0, 1])}),
        (np.array([[1.0, np.nan]]), np.zeros((1, 2)), {}),
        (np.zeros((3, 2)), np.array([[np.inf, 0.0]]), {}),
    ],
)
def test_what_does_not_fit_is_refused(vectors, queries, more):
    with pytest.raises(ValueError, match=r"vectors|nearest|exclude|finite"):
        nearest_rows(vectors, queries, **{"k": 1, **more})


def test_memory_is_that_of_a_few_blocks():
    random = np.random.default_rng(0)
    vectors, queries = random.random((6000, 1024), np.float32), random.random((300, 1024), np.float32)
    tracemalloc.start()
    try:
        nearest_rows(vectors, queries, 3, metric=EUCLIDEAN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6  # 60 MB were measured; all products in float64 with their differences would be 15 GB
