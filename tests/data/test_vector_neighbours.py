"""Vectors that are nearly equal, and vectors far from all others."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.vector_neighbours import find_outliers, similar_vectors

RANDOM = np.random.default_rng(0)


def test_a_vector_in_nearly_the_same_direction_is_found_whatever_its_length():
    vectors = RANDOM.normal(size=(80, 16))
    found = similar_vectors(np.concatenate([vectors, 3 * vectors[7:8] + 1e-3]))
    assert (found.first.tolist(), found.second.tolist()) == ([7], [80])
    assert found.similarity[0] == pytest.approx(1, abs=1e-5)


def test_among_vectors_that_are_all_near_a_pair_has_to_be_nearer():
    near = RANDOM.normal(size=16) * 5 + RANDOM.normal(size=(80, 16)) * 0.5
    found = similar_vectors(np.concatenate([near, near[3:4]]))
    assert found.least > 0.99
    assert (3, 80) in list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(found.first) < 20


def test_outliers_are_those_far_from_the_rest_the_farthest_first():
    vectors = RANDOM.normal(size=(200, 4))
    vectors[[20, 90]] = [[40, 0, 0, 0], [0, 30, 0, 0]]
    found = find_outliers(vectors)
    assert found.rows[:2].tolist() == [20, 90]
    distances = np.sort(np.linalg.norm(vectors - vectors[20], axis=1))[1:11]
    assert found.distances[0] == pytest.approx(distances.mean())
    assert len(found.rows) < 8
    assert (found.distances > found.fence).all()


@pytest.mark.parametrize("count", [0, 1])
def test_a_vector_alone_is_near_nothing_and_far_from_nothing(count):
    vectors = np.ones((count, 3))
    assert len(similar_vectors(vectors).first) == len(find_outliers(vectors).rows) == 0
