"""Beginning a training, or going on with one: a single run, or the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.core.console import Console
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import is_cross_validation
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.cross_validation import cross_validate, resume_cross_validation
from dlcli.engine.runs.training import resume_training, start_training
from dlcli.engine.targets import Target, ensure_prepared


def begin_training(request: TrainRequest, target: Target, console: Console) -> RunDir:
    """Train what is requested, and return the finished run; data that needs no source is prepared if it is missing.

    Raises:
        DlError: see `start_training` and `cross_validate`.
    """
    begin = cross_validate if is_cross_validation(request.train) else start_training
    return begin(request, console, ensure_data=lambda: ensure_prepared(target, console.say))


def go_on_training(run: RunDir, data: Path | None, console: Console, machine: Mapping[str, Any]) -> RunDir:
    """Resume a run, or the folds under it, where it stopped, and return it finished.

    Args:
        run: the run.
        data: the prepared data; None for the run's.
        console: where lines are printed.
        machine: options that replace those of the run; see `machine_options`.

    Raises:
        DlError: see `resume_training` and `resume_cross_validation`.
    """
    go_on = resume_cross_validation if run.holds_folds else resume_training
    return go_on(run, data, console, machine)
