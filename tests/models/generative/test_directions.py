"""The directions between two domains are each other's way back."""

from __future__ import annotations

from dlcli.models.generative.directions import A_TO_B, B_TO_A, DIRECTIONS, DOMAIN_OF


def test_a_direction_is_named_from_where_to_where() -> None:
    assert {direction: direction.rpartition("to")[2] for direction in DIRECTIONS} == dict(DOMAIN_OF)
    assert "to".join(reversed(A_TO_B.split("to"))) == B_TO_A
