"""What `dl export` exports: a run, or a network with weights that are given or random."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import task_of
from dlcli.answering.ready import open_ready
from dlcli.answering.run_data import data_if_there
from dlcli.cli.inference import resolve_inference
from dlcli.cli.options import Values
from dlcli.cli.ready import Ready
from dlcli.core.console import Console
from dlcli.core.errors import RunError, UsageError
from dlcli.core.networks import find_owner, get_owner, has_weights
from dlcli.core.registry import TaskSpec, load_object
from dlcli.core.run_dir import RunDir, resolve_run

if TYPE_CHECKING:
    from dlcli.engine.task import Task


@dataclass(frozen=True)
class Subject:
    """What is exported.

    Attributes:
        text: what was typed: a run, or the name of a network.
        run: None for a network.
        pretrained: the weights of a network, as `--pretrained` names them; None for a run, or random ones.
        spec: the task.
        inference: the task's inference options; None if it has none.
    """

    text: str
    run: RunDir | None
    pretrained: str | None
    spec: TaskSpec | None
    inference: Any

    @property
    def name(self) -> str:
        """The name of the run or of the network."""
        return self.text if self.run is None else self.run.name

    @property
    def folder(self) -> Path:
        """Where its files are written by default."""
        return Path() if self.run is None else self.run.exports

    def check_out(self, out: str | None) -> None:
        """Check that the output file does not replace what is exported.

        Raises:
            UsageError: it does.
        """
        if out is None:
            return
        if self.run is not None and self.run.holds(Path(out)):
            raise UsageError(f"--out {out}: a file of the run itself", hint="name another file")
        if self.pretrained is not None and Path(out).resolve() == Path(self.pretrained).expanduser().resolve():
            raise UsageError(f"--out {out}: the file of weights itself", hint="name another file")

    def open(self, data: str | None, seed: int, console: Console) -> tuple[Task, Mapping[str, Any]]:
        """Return the task with its weights, and what the file says of where they come from.

        Args:
            data: the prepared data to verify on; None for the run's.
            seed: of random weights, for the warning about them.
            console: for warnings.
        """
        if self.run is not None:
            return self._of_run(self.run, data)
        if self.pretrained is not None:
            place = data_if_there({}, data) if data is not None else None
            task, description = open_ready(
                self.text, self.pretrained, report=console.warn, data=place, inference=self.inference
            )
            return task, asdict(description)
        task, more = self._random()
        advice = "; add --pretrained default for its published ones" if has_weights(self.text) else ""
        reason = f"no finished run of {self.text!r}"
        console.warn(f"{reason}: exporting the network with random weights (seed {seed}){advice}")
        return task, more

    def _of_run(self, run: RunDir, data: str | None) -> tuple[Task, Mapping[str, Any]]:
        from dlcli.engine.runs.restore import load_task

        info = run.info()
        task, description = load_task(run, data=data_if_there(info, data), inference=self.inference)
        return task, {**asdict(description), "metrics": info.get("best") or {}}

    def _random(self) -> tuple[Task, Mapping[str, Any]]:
        from dlcli.engine.task import TakesInference

        spec = get_owner(self.text)
        task: Task = load_object(spec.task).from_network(self.text, {})
        if self.inference is not None and isinstance(task, TakesInference):
            task.set_inference(self.inference)
        return task, {"task": spec.name, "model": self.text}


def subject_of(values: Values, inference: Sequence[type]) -> Subject:
    """Return what the line wants exported; torch-free.

    Args:
        values: of the line.
        inference: the dataclasses of inference options that it may have.

    Raises:
        RunError: it is neither a run nor a network.
        UsageError: an inference option is wrong.
    """
    text, pretrained = values.arguments["run"], values.resolve(Ready).pretrained
    run = _run_of(text) if pretrained is None else None
    spec = task_of(text, pretrained) or find_owner(text)
    return Subject(text, run, pretrained, spec, resolve_inference(values, inference, spec))


def _run_of(text: str) -> RunDir | None:
    """Return the run that the word refers to; None if it is the name of a network.

    Raises:
        RunError: it is neither.
    """
    try:
        return resolve_run(text)
    except RunError:
        # os.path.exists answers no for a text too long for a path
        if "/" in text or os.path.exists(text) or find_owner(text) is None:  # noqa: PTH110
            raise
        return None
