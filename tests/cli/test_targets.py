from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.targets import ensure_prepared, is_known, resolve_target
from dlcli.core.errors import DataError, UsageError


def test_a_task_means_its_default_dataset() -> None:
    target = resolve_target("classification", None)
    assert (target.spec.name, target.dataset, target.data) == ("classification", "cifar10", Path("data/cifar10"))


def test_a_dataset_means_its_task() -> None:
    target = resolve_target("mnist", None)
    assert (target.spec.name, target.dataset, target.data) == ("classification", "mnist", Path("data/mnist"))


def test_data_can_lie_elsewhere() -> None:
    assert resolve_target("mnist", "/mnt/mnist").data == Path("/mnt/mnist")
    assert resolve_target("classification", "/mnt/birds").dataset == "birds"


def test_a_folder_of_ones_own_means_the_task_of_its_form(bench: Any) -> None:
    bench.photos("my photos")
    target = resolve_target("my photos", None)
    assert (target.spec.name, target.dataset, target.data) == ("classification", "my photos", Path("my photos"))


def test_a_prepared_folder_is_called_what_its_card_says(bench: Any) -> None:
    card = {"form": "images", "name": "birds", "classes": ["a", "b"], "counts": {"train": {"a": 1, "b": 1}}}
    bench.write("data/x/dataset.json", json.dumps(card))
    assert is_known("x")
    target = resolve_target("x", None)
    assert (target.dataset, target.data) == ("birds", Path("data/x"))


def test_an_unknown_target_is_answered_with_the_nearest(bench: Any) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_target("minst", None)
    assert caught.value.hint == "did you mean 'mnist'?"


def test_embedded_data_is_prepared_on_the_way_and_once(bench: Any) -> None:
    said: list[str] = []
    target = resolve_target("digits", None)
    ensure_prepared(target, said.append)
    assert (bench.home / "data/digits/dataset.json").is_file()
    assert said[-1] == "prepared data/digits"
    ensure_prepared(target, said.append)
    assert said.count("prepared data/digits") == 1


def test_embedded_data_is_not_prepared_where_the_user_says_it_lies(bench: Any) -> None:
    with pytest.raises(DataError, match="elsewhere: no prepared data there"):
        ensure_prepared(resolve_target("digits", "elsewhere"), print)
