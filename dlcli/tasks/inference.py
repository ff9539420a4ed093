"""Inference options that several tasks share; torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlcli.core.config import option


def top_k_option() -> Any:
    """Return the field of how many classes an answer names; it matters where answers are given."""
    return option(1, "classes that an answer names, best first", short="k", minimum=1, commands=("predict",))


@dataclass(frozen=True)
class ClassInference:
    """How a task that puts items into classes answers."""

    top_k: int = top_k_option()
