"""Inference options that several tasks share; torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlcli.core.config import option


def top_k_option() -> Any:
    """Return the field of `--top-k`, the number of classes in an answer; an option of `dl predict` only."""
    return option(1, "classes in each answer, best first", short="k", minimum=1, maximum=100_000, commands=("predict",))


@dataclass(frozen=True)
class ClassInference:
    """Inference options of a classification task."""

    top_k: int = top_k_option()
