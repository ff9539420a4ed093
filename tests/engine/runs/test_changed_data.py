"""Which changes of a run's data may have brought items of its training into the split that is measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.files import write_json
from dlcli.core.run_dir import RunDir
from dlcli.data.card import Card
from dlcli.engine.runs.changed_data import changes_since_trained

COUNTS = {"train": {"a": 5, "b": 5}, "test": {"a": 2, "b": 2}}
FILES = ({"file": "photos/", "bytes": 9, "sha256": "1" * 64},)
PREPARED = Card("images", "photos", ("a", "b"), COUNTS, {"options": {"seed": 0}}, FILES)
OWN = Card("images", "photos", ("a", "b"), COUNTS)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.chdir(tmp_path)
    run = RunDir(tmp_path / "runs" / "r")
    for folder in (run.path, tmp_path / "data" / "photos", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    write_json(run.info_file, {"schema": 1, "data": "elsewhere", "dataset": "photos"})
    run.config_file.write_text("seed = 0\n")
    return run


def changes(run: RunDir, before: Card, now: Card | None, split: str = "test", data: str = "elsewhere") -> list[str]:
    write_json(run.card_file, before.to_json())
    return changes_since_trained(run, now, Path(data), split)


def counted(card: Card, **more: int) -> Card:
    """Return the card with more images of the class a in some splits."""
    counts = {split: {**own, "a": own["a"] + more.get(split, 0)} for split, own in card.counts.items()}
    return dataclasses.replace(card, counts=counts)


def test_the_data_of_the_training_is_not_warned_of(run: RunDir) -> None:
    told = dataclasses.replace(PREPARED, command="again", warnings=("bad file",), version="9")
    for split in ("test", "valid"):
        assert changes(run, PREPARED, told, split) == []
        assert changes(run, OWN, OWN, split) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (dataclasses.replace(PREPARED, details={"options": {"seed": 1}}), "options.seed: 0 then, 1 now"),
        (dataclasses.replace(PREPARED, sources=({"sha256": "2" * 64},)), "original files: ['111111111111'] then"),
    ],
)
@pytest.mark.parametrize("data", ["elsewhere", "data/photos"])
def test_data_of_other_files_or_options_is_warned_of_where_it_is_the_runs_own(
    run: RunDir, now: Card, said: str, data: str
) -> None:
    [note] = changes(run, PREPARED, now, data=data)
    assert note.startswith(f"{data}: prepared differently since the run was trained: test items may have been trained")
    assert said in note
    assert changes(run, PREPARED, now, "train", data) == []
    assert changes(run, PREPARED, now, data="runs") == []


@pytest.mark.parametrize(
    ("card", "more", "split", "is_told"),
    [
        (PREPARED, {"test": -1}, "test", False),  # a bad picture was removed
        (PREPARED, {"train": -1}, "test", False),
        (PREPARED, {"test": 1}, "test", False),
        (PREPARED, {"train": -1, "test": 1}, "test", True),  # moved by hand
        (PREPARED, {"train": -1}, "valid", True),  # the part is drawn anew
        (OWN, {"train": 1}, "test", True),  # it is not known whether the part is drawn
    ],
)
def test_other_numbers_of_files_count_where_items_may_have_changed_their_part(
    run: RunDir, card: Card, more: dict[str, int], split: str, is_told: bool
) -> None:
    notes = changes(run, card, counted(card, **more), split)
    assert bool(notes) is is_told
    assert all(f": changed since the run was trained: {split} items may" in note for note in notes)
    run.config_file.write_text('folds = "5"\nfold = 2\n')
    assert len(changes(run, card, counted(card, **more), split)) == 1


@pytest.mark.parametrize("value", [None, {"form": 3}, [], {**PREPARED.to_json(), "counts": None}])
def test_a_run_without_a_sound_card_is_measured_all_the_same(run: RunDir, value: Any) -> None:
    if value is not None:
        write_json(run.card_file, value)
    assert changes_since_trained(run, counted(PREPARED, test=1), Path("elsewhere"), "test") == []
    assert changes(run, PREPARED, None) == []
