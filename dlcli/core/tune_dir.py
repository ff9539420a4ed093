"""The folder of a study of `dl tune`: its layout, and how it is created and found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import RunError, UsageError, did_you_mean
from dlcli.core.files import is_file, parse_json, write_json
from dlcli.core.info_dir import check_schema, new_folder, readable

TUNE_SCHEMA = 1

TUNES = Path("tunes")
"""Where studies are stored, relative to the working directory."""

TUNE_FILE = "tune.json"

MAX_BYTES = 1 << 20
"""A `tune.json` of a study is a few kilobytes; a larger one is not read."""


@dataclass(frozen=True)
class TuneDir:
    """A study's folder; every path in it is defined here and nowhere else."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def reference(self) -> str:
        """The folder as a word of a command line, quoted if needed."""
        return shlex.quote(str(self.path))

    @property
    def info_file(self) -> Path:
        """`tune.json`: what is tuned, how, and the best trial so far."""
        return self.path / TUNE_FILE

    @property
    def journal(self) -> Path:
        """`journal.jsonl`: every trial, as Optuna writes it; all processes of the study append to it."""
        return self.path / "journal.jsonl"

    @property
    def lock_file(self) -> Path:
        """`lock`: held for the moment in which a process takes a trial."""
        return self.path / "lock"

    @property
    def trials(self) -> Path:
        """`trials/`: a run for each trial."""
        return self.path / "trials"

    @property
    def plots(self) -> Path:
        """`plots/`: the history of the study and the importance of its options."""
        return self.path / "plots"

    def trial_lock(self, run: str) -> Path:
        """Return the file that is held by the process that works on the trial with this run."""
        return self.trials / f"{run}.lock"

    def info(self) -> dict[str, Any]:
        """Return `tune.json`.

        Raises:
            RunError: the file is missing, damaged, or of a newer schema.
        """
        try:
            with self.info_file.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
            value = parse_json(content) if len(content) <= MAX_BYTES else None
        except OSError as error:
            raise RunError(f"{self.info_file}: {error.strerror}", hint="`dl tune TARGET` starts a study") from None
        except ValueError:
            value = None
        fault = RunError(f"{self.info_file}: damaged", hint="start a new study with `dl tune TARGET`")
        return check_schema(value, self.info_file, TUNE_SCHEMA, fault)

    def update_info(self, **changes: Any) -> None:
        """Change entries of `tune.json`; only who holds the study's lock may."""
        write_json(self.info_file, {**self.info(), **changes})

    def best_run(self) -> Path:
        """Return the folder of the best trial's run.

        Raises:
            RunError: no trial has finished, or the run is gone.
        """
        best = self.info().get("best")
        name = best.get("run") if isinstance(best, dict) else None
        if not isinstance(name, str) or not re.fullmatch(r"[0-9]{4,9}(-[0-9]{1,4})?", name):
            hint = f"`dl tune --join {self.reference}` goes on with it"
            raise RunError(f"{self.path}: no trial of this study has finished", hint=hint)
        run = self.trials / name
        if not (run / "run.json").is_file():
            raise RunError(f"{run}: the best run of {self.path} is gone", hint=f"`dl tune --join {self.reference}`")
        return run


def create_tune(stem: str, info: Mapping[str, Any], name: str | None = None) -> TuneDir:
    """Create a study's folder, `tunes/<stem>-<n>` or `tunes/<name>`, with its `tune.json`.

    Raises:
        UsageError: the name is in use or is not a folder name.
    """

    def is_taken(path: Path) -> UsageError:
        hint = f"`dl tune --join {shlex.quote(str(path))}`, or choose another name"
        return UsageError(f"the study {path} exists", hint=hint)

    with new_folder(TUNES, stem, name, is_taken) as path:
        tune = TuneDir(path)
        tune.trials.mkdir()
        write_json(tune.info_file, {"schema": TUNE_SCHEMA, "name": path.name, **info})
    return tune


def list_tunes() -> Iterator[tuple[TuneDir, dict[str, Any]]]:
    """Yield every readable study with its `tune.json`, oldest first."""
    yield from readable(TuneDir(path.parent) for path in TUNES.glob(f"*/{TUNE_FILE}"))


def find_tune(text: str) -> TuneDir | None:
    """Return the study that a word refers to, a path or a name under `tunes/`; None if it is none."""
    found = (path for path in (Path(text), TUNES / text) if is_file(path / TUNE_FILE))
    return next(map(TuneDir, found), None)


def resolve_tune(text: str) -> TuneDir:
    """Return the study that an argument refers to.

    Raises:
        RunError: there is no such study.
    """
    tune = find_tune(text)
    if tune is None:
        known = [each.name for each, _ in list_tunes()]
        hint = did_you_mean(text, known) if known else "there are none in ./tunes yet: `dl tune TARGET` starts one"
        raise RunError(f"no study {text[:200]!r}", hint=hint)
    return tune
