"""Every default, of options and of recipes, is compared with the stored one: a change is seen before users see it.

`python tests/test_defaults.py` stores the defaults as they are now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.builtin import DATASETS, TASKS
from dlcli.core.config import fields_of
from dlcli.core.registry import load_object
from dlcli.core.specs import TaskSpec
from dlcli.core.train_config import TrainConfig

STORED = Path(__file__).parent / "stored" / "defaults.json"

ADVICE = (
    "A changed default changes what users get: write a line in CHANGELOG.md, "
    "then store the defaults with `python tests/test_defaults.py`."
)

Defaults = Mapping[str, Mapping[str, Any]]


def current_defaults() -> Defaults:
    """Return the name of each set of options and of each recipe with its values, as JSON gives them back."""
    found = {"options of training": options(TrainConfig)}
    for task in TASKS.values():
        found[f"options of {task.name}"] = options(load_object(task.config))
        if task.inference:
            found[f"options of {task.name} at inference"] = options(load_object(task.inference))
    for dataset in DATASETS.values():
        found[f"options of preparing {dataset.name}"] = options(load_object(dataset.options))
    for task in TASKS.values():
        found |= dict(recipes(task))
    return json.loads(json.dumps(found))


def options(config_class: type) -> dict[str, Any]:
    """Return field -> default."""
    return {info.name: info.default for info in fields_of(config_class)}


def recipes(task: TaskSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and the defaults for each dataset of the task's form and each network of its table."""
    recipe, known = load_object(task.recipe), options(load_object(task.config))
    variants = [{}, *({"model": name} for name in load_object(task.networks))]
    if "pretrained" in known:
        variants.append({"pretrained": "default"})
    for dataset in DATASETS.values():
        if dataset.form == task.form:
            for given in variants:
                words = " ".join(f"--{name} {value}" for name, value in given.items())
                yield f"recipe of {task.name}, {dataset.name} {words}".rstrip(), recipe(dataset.name, given)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_what_a_recipe_switches_on_can_be_switched_off(task):
    known = {info.name: info for config in (load_object(task.config), TrainConfig) for info in fields_of(config)}
    switched = {key for _, values in recipes(task) for key, value in values.items() if value is True}
    assert switched <= {name for name, info in known.items() if info.has_off}


def differences(stored: Defaults, found: Defaults) -> list[str]:
    """Return a line for each default that changed, came or went."""
    lines = [f"{name}: is gone" for name in stored if name not in found]
    for name, values in found.items():
        if name not in stored:
            lines.append(f"{name}: is new")
            continue
        before = stored[name]
        for key in dict.fromkeys([*before, *values]):
            if key not in values:
                lines.append(f"{name}: {key} was {before[key]!r}, is gone")
            elif key not in before:
                lines.append(f"{name}: {key} is new: {values[key]!r}")
            elif repr(before[key]) != repr(values[key]):  # 1 and 1.0, 0 and False are equal, and not the same default
                lines.append(f"{name}: {key} was {before[key]!r}, is {values[key]!r}")
    return lines


def write(path: Path, defaults: Defaults) -> None:
    """Write one line for each set of options and each recipe, so that a difference shows as a line."""
    lines = (f"{json.dumps(name)}: {json.dumps(values, ensure_ascii=False)}" for name, values in defaults.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def test_no_default_has_changed() -> None:
    changed = differences(json.loads(STORED.read_text(encoding="utf-8")), current_defaults())
    assert not changed, "\n".join([*changed, ADVICE])


def test_a_recipe_sets_only_options_that_there_are() -> None:
    found = current_defaults()
    for task in TASKS.values():
        known = {**found["options of training"], **found[f"options of {task.name}"]}
        for name, values in recipes(task):
            assert set(values) <= set(known), name


def test_each_kind_of_change_has_its_line() -> None:
    stored = {"a": {"x": 1, "y": 0.1, "z": False}, "b": {}}
    found = {"a": {"x": 2, "z": 0, "w": [1]}, "c": {"x": 1}}
    assert differences(stored, found) == [
        "b: is gone",
        "a: x was 1, is 2",
        "a: y was 0.1, is gone",
        "a: z was False, is 0",
        "a: w is new: [1]",
        "c: is new",
    ]
    assert differences(stored, stored) == []


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path, found = tmp_path / "defaults.json", current_defaults()
    write(path, found)
    assert differences(json.loads(path.read_text(encoding="utf-8")), found) == []
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(found) + 2


if __name__ == "__main__":
    write(STORED, current_defaults())
