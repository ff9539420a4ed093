"""`dl prepare`: the folder is the answer, and the second time is quick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.errors import ExitCode
from dlcli.data.card import read_card

LINES = "x,y\n" + "\n".join(f"{number % 7},{number}" for number in range(30))
PREPARE = ("prepare", "table", "t.csv", "--target", "y")


@pytest.fixture(autouse=True)
def _table(bench: Any) -> None:
    bench.write("t.csv", LINES)


def test_the_answer_is_the_folder_alone_and_the_rest_is_said_on_stderr(dl: Any) -> None:
    answer = dl(*PREPARE)
    assert (answer.code, answer.out) == (0, "data/table\n")
    assert "prepared table: 24 train, 6 test" in answer.err
    assert dl(*PREPARE, "--out", "my data/甲").out == "my data/甲\n"


def test_a_second_time_changes_nothing_unless_it_is_forced(dl: Any, bench: Any) -> None:
    first = json.loads(dl(*PREPARE, "--json").out)
    before = bench.files()
    again = dl(*PREPARE)
    assert again.out == "data/table\n" and "already prepared table: 24 train, 6 test" in again.err
    assert bench.files() == before
    told = [json.loads(dl(*PREPARE, *more, "--json").out)["is_new"] for more in ((), ("--force",), ())]
    assert [first["is_new"], *told] == [True, False, True, False]


def test_the_json_is_the_card_and_says_by_which_command_it_was_made(dl: Any) -> None:
    found = json.loads(dl(*PREPARE, "--out", "my data", "--json").out)
    card = read_card(Path("my data"))
    assert card is not None
    assert found["card"] == json.loads(json.dumps(card.to_json()))
    assert found["data"] == "my data"
    assert card.command == "dl prepare table t.csv --target y --out 'my data' --json"


def test_what_was_found_is_a_warning_each_time(dl: Any, bench: Any) -> None:
    bench.write("t.csv", LINES + "\n1,?\n")
    answers = [dl(*PREPARE).err for _ in range(2)]
    warnings = [[line for line in each.splitlines() if line.startswith("warning: ")] for each in answers]
    assert warnings[0] == warnings[1] and warnings[0]


def test_an_option_before_the_dataset_is_explained(dl: Any) -> None:
    answer = dl("prepare", "--out", "table", "t.csv", "--target", "y")
    assert answer.code == ExitCode.USAGE
    assert "name the dataset" in answer.err or "no dataset" in answer.err


def test_small_images_are_cut_into_shards_and_train_as_before(dl: Any, bench: Any) -> None:
    for name, more in (("whole", ()), ("cut", ("--shard-size", "500"))):
        answer = dl("prepare", "digits", "--out", f"data/{name}", *more)
        assert answer.code == 0, answer.err
        words = ("--model", "lenet", "--epochs", "1", "--batch-size", "256", "--precision", "fp32", "--threads", "1")
        assert dl("train", f"./data/{name}", *words, "--name", name, "--quiet").code == 0
    assert len(list((bench.home / "data/cut/packed").glob("train.images-*-of-00003.npy"))) == 3
    figures = [json.loads((bench.home / "runs" / name / "metrics.jsonl").read_text()) for name in ("whole", "cut")]
    assert [figure["loss"] for figure in figures] == [figures[0]["loss"]] * 2
    assert "already prepared" in dl("prepare", "digits", "--out", "data/cut", "--shard-size", "500").err


def test_a_form_that_cannot_be_cut_is_refused_before_anything_is_written(dl: Any, bench: Any) -> None:
    before = bench.files()
    answer = dl(*PREPARE, "--shard-size", "5")
    assert answer.code == ExitCode.USAGE and "forms that can: images" in answer.err
    assert bench.files() == before
