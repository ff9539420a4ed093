"""`dl runs`, `dl datasets`, `dl tasks`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dlcli.core.registry import DATASETS, TASKS


def write_run(bench: Any, name: str, **info: Any) -> None:
    content = {"schema": 1, "name": name, "task": "sentiment", "model": "lstm", "status": "finished", **info}
    bench.write(f"runs/{name}/run.json", json.dumps(content))


def test_without_runs_the_list_says_how_to_make_one(bench: Any, dl: Any) -> None:
    answer = dl("runs")
    assert (answer.code, answer.out) == (0, "")
    assert "dl train digits" in answer.err


def test_runs_are_listed_oldest_first_with_their_goal_and_one_without_a_goal_too(bench: Any, dl: Any) -> None:
    write_run(bench, "late", started="2026-02-01", goal="accuracy", best={"epoch": 3, "accuracy": 0.75}, epochs=3)
    write_run(bench, "early", started="2026-01-01", goal=None, best={"epoch": 9, "loss": 1.5}, epochs=9)
    bench.write("runs/damaged/run.json", "{")
    table = dl("runs").out.splitlines()
    assert table[0].split()[:4] == ["run", "task", "model", "status"]
    assert [line.split()[0] for line in table[1:]] == ["early", "late"], "what cannot be read is left out"
    assert "0.7500" in table[2]
    assert "1.5" not in table[1], "a loss is no goal"
    names = [run["name"] for run in json.loads(dl("runs", "--json").out)["runs"]]
    assert names == ["early", "late"]


def test_one_run_is_shown_whole_by_its_name_or_its_model(bench: Any, dl: Any) -> None:
    write_run(bench, "only", versions={"torch": "2.14.1"}, error=None)
    for subject in ("only", "lstm", "runs/only"):
        rows = dict(line.split(maxsplit=1) for line in dl("runs", subject).out.splitlines() if " " in line)
        assert rows["versions"] == "torch 2.14.1"
        assert rows["error"] == "-"
    document = json.loads(dl("runs", "only", "--json").out)
    assert (document["path"], document["run"]["versions"]) == ("runs/only", {"torch": "2.14.1"})
    assert dl("runs", "onyl").code == 4


@pytest.mark.parametrize(("command", "table"), [("datasets", DATASETS), ("tasks", TASKS)])
def test_every_entry_is_listed_with_its_summary(bench: Any, dl: Any, command: str, table: Any) -> None:
    text, document = dl(command).out, json.loads(dl(command, "--json").out)
    assert {entry["name"] for entry in document[command]} >= set(table)
    assert document["broken_plugins"] == []
    for spec in table.values():
        assert any(line.startswith(spec.name) and spec.summary in line for line in text.splitlines())
