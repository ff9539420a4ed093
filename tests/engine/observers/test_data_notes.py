"""What is wrong with the data is printed once: before training what has changed, afterwards what could not be read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dlcli.core.console import Console
from dlcli.core.files import write_json
from dlcli.data.card import Card, unreadable_notes, warnings_since_prepared
from dlcli.engine.observers.data_notes import MAX_SHOWN, DataNotes


def card(*warnings):
    return Card("images", "toy", ("a", "b"), {"train": {"a": 1, "b": 1}}, warnings=warnings)


def state(*warnings):
    return SimpleNamespace(task=SimpleNamespace(card=card(*warnings)))


@pytest.fixture
def notes(tmp_path):
    write_json(tmp_path / "dataset.json", card("leak").to_json())
    return DataNotes(Console(is_quiet=True), tmp_path, tmp_path / "data.json")


def test_each_note_is_printed_once_and_none_of_the_stored_card(notes, capsys):
    notes.on_train_start(state("leak", "gone", *unreadable_notes(["x: empty"], "images")))
    assert capsys.readouterr().err == "warning: gone\n"
    notes.on_train_end(state("leak", "gone", *unreadable_notes(["x: empty", "y: cut", "x: empty"], "images")))
    assert capsys.readouterr().err.splitlines() == [
        "warning: unreadable, left out: 2 images",
        "warning: unreadable, left out: x: empty",
        "warning: unreadable, left out: y: cut",
    ]


def test_many_are_counted_and_the_first_are_named(notes, tmp_path, capsys):
    notes.on_train_end(state(*unreadable_notes([f"{number}: empty" for number in range(9)], "images")))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MAX_SHOWN + 1
    assert "9 images" in lines[0] and "0: empty" in lines[1]
    assert lines[-1] == f"warning: 6 more of these: {tmp_path / 'data.json'}"


def test_without_a_stored_card_all_warnings_are_new(tmp_path):
    assert warnings_since_prepared(card("a", "b"), tmp_path) == ("a", "b")
    (tmp_path / "dataset.json").write_text("{")
    assert warnings_since_prepared(card("a"), tmp_path) == ("a",)
    assert warnings_since_prepared(None, tmp_path) == ()


def test_nothing_unreadable_is_no_note():
    assert unreadable_notes([], "images") == []
