"""The prepared data of a run: where it was, or where the user says it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.core.description import Description
from dlcli.core.errors import DataError
from dlcli.core.files import is_folder
from dlcli.core.registry import find_dataset, how_to_prepare
from dlcli.core.run_dir import RunDir


def data_of_run(info: Mapping[str, Any], asked: str | None) -> Path:
    """Return the prepared data to evaluate a run on: the folder that the user named, else the run's own.

    Raises:
        DataError: it does not exist.
    """
    name = str(info.get("dataset"))
    places = [Path(asked)] if asked else [Path(str(info.get("data", ""))), Path("data") / name]
    for place in places:
        if is_folder(place):
            return place
    again = how_to_prepare(name, "DATASET")
    raise DataError(
        f"{places[0]}: no prepared data there",
        hint=f"name a prepared folder with --data{f', or {again}' if find_dataset(name) else ''}",
    )


def run_around(path: Path) -> RunDir | None:
    """Return the run whose `checkpoints/` or `exports/` hold a file; None if it lies elsewhere."""
    run = RunDir(path.absolute().parent.parent)
    return run if run.info_file.is_file() and path.parent.name in ("checkpoints", "exports") else None


def data_of_file(path: Path, description: Description, asked: str | None) -> Path:
    """Return the prepared data to evaluate a file on: what the user named, that of the run around it, or `data/NAME`.

    Raises:
        DataError: it does not exist.
    """
    run = run_around(path)
    info = run.info() if run is not None else {}
    name = description.dataset
    if info.get("dataset") != name:
        # The name comes from a file that is not trusted: it may name a folder below data/ only.
        place = Path("data") / name if name == Path(name).name and name not in ("", "..") else Path("data")
        info = {"dataset": name, "data": str(place)}
    return data_of_run(info, asked)


def data_if_there(info: Mapping[str, Any], asked: str | None) -> Path | None:
    """Return the prepared data for a run, or None if it does not exist (as on another machine).

    Raises:
        DataError: the folder that the user named does not exist.
    """
    if asked is not None and not is_folder(Path(asked)):
        raise DataError(f"{asked}: no prepared data there")
    place = Path(asked or str(info.get("data", "")))
    return place if is_folder(place) else None
