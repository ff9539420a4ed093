"""Whether a run's data is still what it was trained on: `--resume` refuses other data, and `dl eval` warns of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.core.console import shorten
from dlcli.core.description import Description
from dlcli.core.errors import DataError, DlError
from dlcli.core.run_dir import RunDir
from dlcli.data.card import Card
from dlcli.engine.targets import DATA
from dlcli.engine.task import Task


def refuse_other_data(run: RunDir, description: Description, task: Task, data: Path) -> None:
    """Check that the data still has the classes, vocabularies, preprocessing and sizes with which the run started.

    Raises:
        DataError: it was prepared differently since, or it is other data.
    """
    differences = list(_differences(json.loads(json.dumps(task.assets())), description.assets))
    before = _kept_card(run)
    if task.card is not None and before is not None:
        differences += _differences({"items": _items(task.card)}, {"items": _items(before)})
    if differences:
        raise DataError(
            f"{data}: the data has changed since {run.path} was started",
            details=differences[:3],
            hint=f"name the run's data with --data, or start a new run: `dl train --from {run.reference}`",
        )


def changes_since_trained(run: RunDir, card: Card | None, data: Path, split: str) -> list[str]:
    """Return a warning if a run's own data has changed, so that a split may hold items that were trained on.

    A part is drawn from the places of the items, so one item more may move any other to another part. Which items
    other data shares with the run's is not known.

    Args:
        run: the run.
        card: of the data as it is now; None without one.
        data: its folder.
        split: what is measured.
    """
    if card is None or split == "train" or not _is_own(run, data):
        return []
    try:
        before, options = _kept_card(run), run.config()
    except DlError:  # a run without its card can be measured
        return []
    if before is None:
        return []
    origin = list(_differences(_origin(card), _origin(before)))
    counts = list(_differences({"items": _items(card), **card.counts}, {"items": _items(before), **before.counts}))
    is_drawn = split not in before.splits or any(options.get(name) is not None for name in ("fold", "val_fold"))
    if not origin and (not counts or (before.sources and not is_drawn and not _may_have_moved(card, before, split))):
        return []
    what = "prepared differently" if origin else "changed"
    return [
        f"{data}: {what} since the run was trained: {split} items may have been trained on; {[*counts, *origin][0]}"
    ]


def _may_have_moved(now: Card, before: Card, split: str) -> bool:
    """Return whether files may have been moved to a split by hand; that some were only removed moves no other."""
    has_shrunk = any(now.num_items(other) < before.num_items(other) for other in before.splits if other != split)
    return has_shrunk and now.num_items(split) > before.num_items(split)


def _is_own(run: RunDir, data: Path) -> bool:
    """Return whether data lies where the run says that it was, or where data of its name usually is."""
    info = run.info()
    stored, name = info.get("data"), info.get("dataset")
    places = [Path(stored)] if isinstance(stored, str) and stored else []
    places += [DATA / name] if isinstance(name, str) and name else []
    try:
        return data.resolve() in [place.resolve() for place in places]
    except (OSError, ValueError):  # what the run says is no path
        return False


def _kept_card(run: RunDir) -> Card | None:
    """Return the card of the data as the run found it, None if it had none.

    Raises:
        RunError, DataError: it is damaged.
    """
    if not run.card_file.exists():
        return None
    return Card.from_json(run.read_json(run.card_file.name), str(run.card_file))


def _items(card: Card) -> dict[str, int]:
    return {split: card.num_items(split) for split in card.splits}


def _origin(card: Card) -> dict[str, Any]:
    """Return what the data was prepared from, and how."""
    sums = [str(source.get("sha256"))[:12] for source in card.sources]
    return {"options": card.details.get("options") or {}, "original files": sums}


def _differences(now: Any, before: Any, name: str = "") -> Iterator[str]:
    """Yield where JSON values differ; names that only one of them has are those of another version, and equal."""
    if isinstance(now, dict) and isinstance(before, dict):
        for key in (key for key in before if key in now):
            yield from _differences(now[key], before[key], f"{name}.{key}" if name else key)
    elif now != before:
        yield f"{name}: {shorten(str(before), 60)} then, {shorten(str(now), 60)} now"
