"""The assets of a model that somebody else exported: whatever stands in them, its codec answers or says what is wrong.

A codec is what `dl predict` and `dl serve` make of the metadata in a file, before anything computes.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.builtin import TASKS
from dlcli.core.errors import DlError
from dlcli.core.registry import load_object
from dlcli.core.specs import TaskSpec

STORED = Path(__file__).parent.parent / "stored" / "0.1.0"

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2.5, 1e308, 10**400, math.nan, math.inf),
    *("", "x", "a\0b", "\ud800", [], {}, [None], [[1]], {"a": None}),
)
"""What may stand in the place of a value: of another type, or beyond what an integer, a float or a file name holds."""

MISSING = object()


def assets_of(spec: TaskSpec) -> dict[str, Any]:
    """Return the assets of a stored run, else those of a network with its default sizes."""
    run = STORED / spec.name / "run"
    if run.is_dir():
        names = json.loads((run / "run.json").read_text(encoding="utf-8"))["assets"]
        return {name: json.loads((run / f"{name}.json").read_text(encoding="utf-8")) for name in names}
    task = load_object(spec.task).from_network(load_object(spec.config)().model, {})
    assets: dict[str, Any] = json.loads(json.dumps(task.assets()))
    return assets


def places_of(value: Any, place: tuple[Any, ...] = (), depth: int = 4) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside another: every entry of an object, the first and the last of a list."""
    if place:
        yield place
    if depth and isinstance(value, dict):
        for name in list(value)[:20]:
            yield from places_of(value[name], (*place, name), depth - 1)
    elif depth and isinstance(value, list) and value:
        for number in {0, len(value) - 1}:
            yield from places_of(value[number], (*place, number), depth - 1)


def changed(assets: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy with another value in a place, or without the one that is there."""
    found: Any = copy.deepcopy(assets)
    holder = found
    for step in place[:-1]:
        holder = holder[step]
    if value is MISSING:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return dict(found)


@pytest.mark.parametrize("name", TASKS)
def test_another_value_in_any_place_is_read_or_refused(name: str) -> None:
    spec = TASKS[name]
    codec, assets = load_object(spec.codec), assets_of(spec)
    codec(assets, None)
    num_refused = 0
    for place in places_of(assets):
        for value in (MISSING, *VALUES):
            try:
                codec(changed(assets, place, value), None)
            except DlError as error:
                num_refused += 1
                assert len(error.lines()) <= 6
            except Exception as error:
                raise AssertionError(f"{place} = {str(value)[:40]}: {type(error).__name__}: {error}") from error
    assert num_refused


@pytest.mark.parametrize("name", TASKS)
def test_without_any_of_its_assets_a_codec_is_refused(name: str) -> None:
    spec = TASKS[name]
    codec, assets = load_object(spec.codec), assets_of(spec)
    refused = 0
    for absent in assets:
        try:
            codec({other: value for other, value in assets.items() if other != absent}, None)
        except DlError:
            refused += 1
    assert refused
    with pytest.raises(DlError):
        codec({}, None)
