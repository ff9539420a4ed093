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
from dlcli.engine.targets import DATA


def data_of_run(info: Mapping[str, Any], asked: str | None) -> Path:
    """Return the prepared data to evaluate a run on: the folder that the user named, else the run's own.

    Args:
        info: of the run: its `data`, else its `dataset`, which may name a folder below `data/` only.
        asked: what the user named.

    Raises:
        DataError: it does not exist.
    """
    name = str(info.get("dataset"))
    places = [Path(asked)] if asked else [*_stored_place(info), *_place_below(DATA, name)]
    for place in places:
        if is_folder(place):
            return place
    again = how_to_prepare(name, "DATASET")
    raise DataError(
        f"{places[0] if places else DATA}: no prepared data there",
        hint=f"name a prepared folder with --data{f', or {again}' if find_dataset(name) else ''}",
    )


def _stored_place(info: Mapping[str, Any]) -> list[Path]:
    """Return the folder that a run says it was trained on; none if it says nothing, which would mean this folder."""
    place = info.get("data")
    return [Path(place)] if isinstance(place, str) and place else []


def _place_below(folder: Path, name: str) -> list[Path]:
    """Return the folder of a name that comes from a file which is not trusted; none if it leads elsewhere."""
    return [folder / name] if name == Path(name).name and name not in ("", "..") else []


def run_around(path: Path) -> RunDir | None:
    """Return the run whose `checkpoints/` or `exports/` hold a file; None if it lies elsewhere."""
    folder = path.absolute().parent
    run = RunDir(folder.parent)
    return run if run.info_file.is_file() and folder.name in ("checkpoints", "exports") else None


def data_of_file(path: Path, description: Description, asked: str | None) -> Path:
    """Return the prepared data to evaluate a file on: what the user named, that of the run around it, or `data/NAME`.

    Raises:
        DataError: it does not exist.
    """
    run = run_around(path)
    info = run.info() if run is not None else {}
    if info.get("dataset") != description.dataset:
        info = {"dataset": description.dataset}
    return data_of_run(info, asked)


def data_if_there(info: Mapping[str, Any], asked: str | None) -> Path | None:
    """Return the prepared data for a run, or None if it does not exist (as on another machine).

    Raises:
        DataError: the folder that the user named does not exist.
    """
    if asked is not None and not is_folder(Path(asked)):
        raise DataError(f"{asked}: no prepared data there")
    places = [Path(asked)] if asked else _stored_place(info)
    return next(filter(is_folder, places), None)
