"""Candidates of two programs that round differently: their order among near ties, and what ties at the list's end."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.export.verify import compare
from dlcli.tasks.translation.exporting import candidates_aligned

EXACT = {"scores": 5e-4, "ids": 0.0}
ROUNDED = {"scores": 5e-2, "ids": 0.0}


def candidates(*rows: tuple[int, float]) -> dict[str, np.ndarray]:
    """The best tokens of one hypothesis and their log-probabilities."""
    ids, scores = zip(*rows, strict=True)
    return {"ids": np.array([[ids]]), "scores": np.array([[scores]], np.float32)}


REFERENCE = candidates((7, -0.1), (3, -2.0), (5, -2.01), (9, -4.0))


def difference(answer: dict[str, np.ndarray], bounds: dict[str, float]) -> float:
    return compare(REFERENCE, candidates_aligned(REFERENCE, answer, bounds)).value


def test_near_ties_take_the_order_of_the_reference() -> None:
    answer = candidates((7, -0.1), (5, -2.0), (3, -2.01), (9, -4.0))
    assert compare(REFERENCE, answer).value > 0.1
    assert difference(answer, EXACT) < 0.01


@pytest.mark.parametrize(
    ("last", "bounds", "is_equal"), [(-4.0, EXACT, True), (-3.9, EXACT, False), (-3.97, ROUNDED, True)]
)
def test_another_token_may_end_the_list_only_with_the_score_of_the_last(last, bounds, is_equal) -> None:
    answer = candidates((7, -0.1), (3, -2.0), (5, -2.01), (8, last))
    assert (difference(answer, bounds) <= bounds["scores"]) is is_equal


def test_another_token_before_the_end_stays_a_difference() -> None:
    assert difference(candidates((7, -0.1), (3, -2.0), (6, -2.01), (9, -4.0)), ROUNDED) > 0.1


def test_the_order_of_banned_tokens_has_no_meaning() -> None:
    reference = candidates((7, -0.1), (3, -np.inf), (5, -np.inf))
    answer = candidates((7, -0.1), (5, -np.inf), (4, -np.inf))
    assert compare(reference, candidates_aligned(reference, answer, EXACT)).value == 0.0
