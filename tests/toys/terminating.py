"""Trainings that a signal stops at a certain step."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest


@contextlib.contextmanager
def terminated_at(task_class: Any, step: int) -> Iterator[None]:
    """Send this process a SIGTERM within the training step of that number, counted from 1 in the block."""
    count, original = 0, task_class.training_step

    def training_step(self: Any, batch: Any) -> Any:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from original(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_class, "training_step", training_step)
        yield
