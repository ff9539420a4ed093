"""The directions of a translation between two domains; torch-free."""

from __future__ import annotations

from collections.abc import Mapping

A_TO_B, B_TO_A = "AtoB", "BtoA"

DIRECTIONS = (A_TO_B, B_TO_A)

DOMAIN_OF: Mapping[str, str] = {A_TO_B: "B", B_TO_A: "A"}
"""Direction -> the domain into which it translates."""
