"""What the command line knows of tasks, datasets and networks: words and places of code, fixed once they are made."""

from __future__ import annotations

import dataclasses
import re

import pytest

from dlcli.core.registry import all_datasets, all_tasks, load_object
from dlcli.core.specs import DatasetSpec, Size, TaskSpec

WORDS = {"name", "summary", "form", "default_dataset", "task", "pipeline", "page", "source", "weights"}
"""The fields that are no place of code; a dataset's task is a name, a task's is a place."""
SPECS = [*all_tasks().values(), *all_datasets().values()]
NETWORKS = [network for spec in all_tasks().values() for network in load_object(spec.networks).values()]


@pytest.mark.parametrize("spec", [*SPECS, *NETWORKS], ids=lambda spec: getattr(spec, "name", None) or spec.build)
def test_every_text_that_is_no_word_is_a_place_of_code(spec):
    words = WORDS - ({"task"} if isinstance(spec, TaskSpec) else set())
    may_be_empty = {field.name for field in dataclasses.fields(spec) if field.default == ""}
    places = {name: value for name, value in vars(spec).items() if isinstance(value, str) and name not in words}
    assert any(places.values())
    for name, place in places.items():
        assert re.fullmatch(r"([A-Za-z_]\w*\.)*\w+:\w+", place) or (place == "" and name in may_be_empty)


@pytest.mark.parametrize(
    "spec", [SPECS[0], SPECS[-1], NETWORKS[0], Size(None, "small", 1.0, 2)], ids=lambda spec: type(spec).__name__
)
def test_a_spec_cannot_be_changed_but_copied_with_a_change(spec):
    name = next(iter(vars(spec)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(spec, name, "other")
    assert dataclasses.replace(spec) == spec
    assert dataclasses.replace(spec, **{name: "other"}) != spec


def test_a_spec_may_say_as_little_as_it_needs():
    task = TaskSpec("t", "", "images", "d", "m:C", "m:r", "m:T", "m:K", "m:N")
    assert not task.inference and not task.sizes
    assert DatasetSpec("d", "", "images", "t", "m:I", "m:O").needs_source
