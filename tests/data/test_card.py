"""The card of a prepared folder: read back equal, or refused in words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from dlcli.core.errors import DataError
from dlcli.data.card import CARD_NAME, CARD_SCHEMA, Card, card_of, read_card, require_form

CARD = Card(
    form="images",
    name="猫",
    classes=("cat", "dog"),
    counts={"train": {"cat": 3, "dog": 4}, "test": {"cat": 0, "dog": 1}},
    details={"image_size": [8, 8], "mean": [0.5]},
    sources=({"file": "a.png", "bytes": 3, "sha256": "00"},),
    command="dl prepare 猫",
    version="1",
    warnings=("one",),
)


def write(folder: Path, value: object) -> Path:
    (folder / CARD_NAME).write_text(json.dumps(value), encoding="utf-8")
    return folder


def test_a_card_is_read_back_equal(tmp_path):
    assert read_card(write(tmp_path, CARD.to_json())) == CARD
    assert CARD.to_json()["schema"] == CARD_SCHEMA


def test_what_the_form_need_not_say_may_be_missing(tmp_path):
    least = {name: CARD.to_json()[name] for name in ("form", "name", "classes", "counts")}
    assert read_card(write(tmp_path, least)) == Card(CARD.form, CARD.name, CARD.classes, CARD.counts)


def test_a_folder_without_a_card_has_none(tmp_path):
    assert read_card(tmp_path) is None
    assert read_card(tmp_path / "nowhere") is None


def test_a_folder_that_is_missing_is_answered_with_how_to_prepare_its_data(tmp_path):
    assert card_of(tmp_path, "table") is None
    for name, command in (("mine", "dl prepare table"), ("cifar10", "dl prepare cifar10")):
        with pytest.raises(DataError, match=f"no prepared dataset at .*{name}") as caught:
            card_of(tmp_path / name, "table")
        assert command in caught.value.hint


def test_items_are_counted_over_the_classes_of_a_split():
    assert [CARD.num_items(split) for split in ("train", "test", "valid")] == [7, 1, 0]


@pytest.mark.parametrize("name", ["form", "name", "classes", "counts"])
def test_a_missing_field_is_named(tmp_path, name):
    value = CARD.to_json()
    del value[name]
    with pytest.raises(DataError, match=f"not a dataset card: KeyError: '{name}'"):
        read_card(write(tmp_path, value))


@pytest.mark.parametrize(
    "changes",
    [
        {"form": 1},
        {"classes": [1]},
        {"classes": 3},
        {"counts": []},
        {"counts": {"train": {"cat": "3"}}},
        {"details": 1},
    ],
)
def test_a_field_of_another_type_is_refused(tmp_path, changes):
    with pytest.raises(DataError, match="not a dataset card") as caught:
        read_card(write(tmp_path, CARD.to_json() | changes))
    assert "dl prepare" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff"])
def test_damaged_bytes_are_a_data_error(tmp_path, content):
    (tmp_path / CARD_NAME).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_card(tmp_path)
    assert len(caught.value.lines()) <= 6


def test_the_form_that_is_wanted_passes(tmp_path):
    require_form(CARD, tmp_path, "images", "images by class")


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        (
            {"form": "text"},
            "`dl train sentiment --data {folder}` or `dl train embedding --data {folder}` or "
            "`dl train language-model --data {folder}` reads it",
        ),
        (
            {"form": "table"},
            "`dl train regression --data {folder}` or `dl train table-classification --data {folder}` reads it",
        ),
        (
            {"form": "table", "details": {"task": "table-classification"}},
            "`dl train table-classification --data {folder}` reads it",
        ),
        ({"form": "sounds"}, "no task reads this form; `dl tasks` lists those of each"),
    ],
)
def test_another_form_is_refused_with_the_task_that_reads_it(changes, hint):
    card = dataclasses.replace(CARD, **changes)
    with pytest.raises(DataError, match=f"holds the form '{card.form}', not images by class") as caught:
        require_form(card, Path("data/x"), "images", "images by class")
    assert caught.value.hint == hint.format(folder="data/x")
