"""The run directory: its layout, and how a run is created and found."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.config import read_toml
from dlcli.core.errors import RunError, UsageError, did_you_mean
from dlcli.core.files import is_file, parse_json, replace_json, write_json, write_text
from dlcli.core.info_dir import check_schema, new_folder, readable
from dlcli.core.locks import HeldError, hold
from dlcli.core.tune_dir import TUNES, find_tune

RUN_SCHEMA = 1
RUNS = Path("runs")
"""Where runs are stored, relative to the working directory."""

MAX_NAME = 200
"""The longest argument, in characters, that may be a folder's name; a longer one is a text."""

FOLDS = "folds"
"""The kind of a run that contains the runs of a cross-validation, and the name of their folder."""

EXPORTS_FILE = "exports.json"
"""In a run's `exports/`: file name -> what `dl export --json` answered when it wrote the file."""

FINISHED, RUNNING, INTERRUPTED, FAILED, DIVERGED = "finished", "running", "interrupted", "failed", "diverged"


class NoRunError(RunError):
    """A word refers to nothing that could be a run."""


@dataclass(frozen=True)
class RunDir:
    """A run's folder; every path in a run is defined here and nowhere else."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def reference(self) -> str:
        """The run as a word of a command line: its name if it is one of `runs`, else its path; quoted if needed."""
        is_named = _is_run(RUNS / self.name) and (RUNS / self.name).resolve() == self.path.resolve()
        return shlex.quote(self.name if is_named else str(self.path))

    @property
    def lock_file(self) -> Path:
        """`lock`: held by the process that trains the run."""
        return self.path / "lock"

    @property
    def info_file(self) -> Path:
        """`run.json`: schema, status, command, versions, device, seed, times, best metric."""
        return self.path / "run.json"

    @property
    def config_file(self) -> Path:
        """`config.toml`: every resolved option."""
        return self.path / "config.toml"

    @property
    def card_file(self) -> Path:
        """`data.json`: the dataset's card."""
        return self.path / "data.json"

    @property
    def metrics_file(self) -> Path:
        """`metrics.jsonl`: one line per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def log_file(self) -> Path:
        """`log.txt`: the run's output."""
        return self.path / "log.txt"

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint with the best monitored metric."""
        return self.path / "checkpoints" / "best.pt"

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def answering_checkpoint(self) -> Path:
        """The checkpoint whose weights answer: the best, or the newest if no epoch was ever the best."""
        return self.best_checkpoint if self.best_checkpoint.exists() else self.last_checkpoint

    @property
    def previous_checkpoint(self) -> Path:
        """The second newest checkpoint, in case the newest is damaged."""
        return self.path / "checkpoints" / "previous.pt"

    @property
    def exports(self) -> Path:
        """The folder for exported models; created by the export."""
        return self.path / "exports"

    def holds(self, path: Path) -> bool:
        """Return whether a file is part of the run, rather than made from it: no picture, export or prediction."""
        inner, outer = path.resolve(), self.path.resolve()
        if not inner.is_relative_to(outer) or not inner.exists():
            return False
        return inner.relative_to(outer).parts[:1] not in [(name,) for name in ("plots", "exports", "predictions")]

    def folder(self, kind: str) -> Path:
        """Return one of the folders tensorboard, plots, samples, eval, profile, creating it if needed."""
        path = self.path / kind
        path.mkdir(exist_ok=True)
        return path

    def samples(self, suffix: str) -> list[tuple[int, Path]]:
        """Return the epoch and path of each file in `samples/` with this suffix ("png", "txt" or "*"), by epoch."""
        found = [
            (re.fullmatch(r"epoch-(\d+)", path.stem), path) for path in self.path.glob(f"samples/epoch-*.{suffix}")
        ]
        return sorted((int(match[1]), path) for match, path in found if match is not None)

    def info(self) -> dict[str, Any]:
        """Return `run.json`.

        Raises:
            RunError: the file is missing, damaged, or of a newer schema.
        """
        fault = RunError(f"{self.info_file}: not a run", hint="`dl runs` lists the runs")
        return check_schema(self.read_json(self.info_file.name), self.info_file, RUN_SCHEMA, fault)

    @property
    def holds_folds(self) -> bool:
        """Whether this is the parent of a cross-validation's runs, which has no model itself."""
        return self.info().get("kind") == FOLDS

    def entry(self, name: str) -> str:
        """Return a string that the `run.json` of every run has.

        Raises:
            RunError: it is missing.
        """
        value = self.info().get(name)
        if not isinstance(value, str):
            raise RunError(f"{self.info_file}: {name!r} is missing", hint="the run is damaged: train it again")
        return value

    def config(self) -> dict[str, Any]:
        """Return `config.toml`.

        Raises:
            RunError: the file is missing or damaged.
        """
        try:
            return read_toml(self.config_file)
        except UsageError as error:
            raise RunError(error.message, hint="the run is damaged: train it again") from None

    def update_info(self, **changes: Any) -> None:
        """Update entries of `run.json`."""
        replace_json(self.info_file, {**self.info(), **changes})

    def read_json(self, file_name: str) -> Any:
        """Return the parsed value of a JSON file in the run.

        Raises:
            RunError: the file is missing or damaged.
        """
        path = self.path / file_name
        try:
            return parse_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path}: no {file_name}, so not a run", hint="`dl runs` lists the runs") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be read: {error}") from None

    def assets(self, names: Mapping[str, Any] | list[str]) -> dict[str, Any]:
        """Return the parsed values of the named assets (`labels` is the file `labels.json`)."""
        return {name: self.read_json(f"{name}.json") for name in names}


def create_run(stem: str, info: Mapping[str, Any], name: str | None = None, folder: Path | None = None) -> RunDir:
    """Create a run folder, `runs/<stem>-<n>` or `runs/<name>`, with its `run.json`, and point `runs/latest` at it.

    A run in another `folder` is part of a larger run, and never the latest.

    Raises:
        UsageError: the name is in use or is not a folder name.
    """

    def is_taken(path: Path) -> UsageError:
        return UsageError(f"the run {path} exists", hint=_instead_of(RunDir(path)))

    with new_folder(folder or RUNS, stem, name, is_taken, reserved=("latest",)) as path:
        run = RunDir(path)
        write_json(run.info_file, {"schema": RUN_SCHEMA, "name": path.name, **info})
        if folder is None:
            write_text(RUNS / "latest", path.name + "\n")
    return run


def _instead_of(run: RunDir) -> str:
    """Return the hint for a run whose name is in use."""
    try:
        is_finished = run.info().get("status") == FINISHED
    except RunError:  # half a run
        return "choose another name"
    return f"`dl {'rerun' if is_finished else 'train --resume'} {run.reference}`, or choose another name"


@contextlib.contextmanager
def owned(run: RunDir) -> Iterator[None]:
    """Train the run in the block, as the only process that does.

    Raises:
        RunError: another process trains it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(run.lock_file))
        except HeldError as error:
            stop = f", or stop it with `kill {error.pid}`" if error.pid is not None else ""
            raise RunError(
                f"{run.path} is being trained by {error.holder}", hint=f"wait until that has ended{stop}"
            ) from None
        yield


def remove_run(run: RunDir) -> None:
    """Delete an abandoned run; `runs/latest` then names the newest remaining one."""
    shutil.rmtree(run.path, ignore_errors=True)
    others = [other.name for other, _ in list_runs()]
    if others:
        write_text(RUNS / "latest", others[-1] + "\n")
    else:
        (RUNS / "latest").unlink(missing_ok=True)


def list_runs() -> Iterator[tuple[RunDir, dict[str, Any]]]:
    """Yield every readable run with its `run.json`, oldest first."""
    yield from readable(RunDir(path.parent) for path in RUNS.glob("*/run.json"))


def list_trials() -> Iterator[tuple[RunDir, dict[str, Any]]]:
    """Yield the readable runs of the trials of all studies of `dl tune`, oldest first."""
    yield from readable(RunDir(path.parent) for path in TUNES.glob("*/trials/*/run.json"))


def resolve_run(text: str) -> RunDir:
    """Return the run that an argument refers to.

    `text` is a path, a name under `runs/`, `latest`, a checkpoint in a run, a study of `dl tune` (its best run), or the
    name of a dataset, task or model (its newest finished run).

    Raises:
        RunError: there is no such run; a NoRunError if the word refers to nothing at all.
    """
    path = Path(text)
    if _is_run(path):
        return RunDir(path)
    if path.suffix == ".pt" and path.parent.name == "checkpoints" and _is_run(path.parent.parent):
        return RunDir(path.parent.parent)
    if text == "latest":
        return _latest()
    if _is_run(RUNS / text):
        return RunDir(RUNS / text)
    tune = find_tune(text)
    if tune is not None:
        return RunDir(tune.best_run())
    run = newest_run_of(text)
    if run is not None:
        return run
    if len(text) < MAX_NAME and path.is_dir():
        raise RunError(f"{text}: a folder, but not a run (no run.json)", hint="`dl runs` lists the runs")
    known = [run.name for run, _ in list_runs()]
    hint = did_you_mean(text, known) if known else "there are no runs in ./runs yet: train one with `dl train TARGET`"
    raise NoRunError(f"no run {text[:MAX_NAME]!r}", hint=hint)


def _is_run(path: Path) -> bool:
    return is_file(path / "run.json")


def newest_run_of(name: str) -> RunDir | None:
    """Return the newest finished run of a dataset, task or model, or None."""
    matching = [
        run
        for run, info in list_runs()
        if info.get("status") == FINISHED
        and info.get("kind") != FOLDS
        and name in (info.get("dataset"), info.get("task"), info.get("model"))
    ]
    return matching[-1] if matching else None


def _latest() -> RunDir:
    try:
        name = (RUNS / "latest").read_text(encoding="utf-8").strip()
    except OSError:
        raise RunError("there is no latest run in ./runs", hint="train one with `dl train TARGET`") from None
    run = RunDir(RUNS / Path(name).name)
    if not run.info_file.is_file():
        raise RunError(f"the latest run, {run.path}, is gone", hint="`dl runs` lists the runs")
    return run
