"""The sections of a run's page, of sound runs and of half ones."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.run_dir import RunDir, create_run
from dlcli.report.sections import (
    _some,
    curves_section,
    data_section,
    duration,
    environment_section,
    exports_section,
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.chdir(tmp_path)
    return create_run("x", {"status": "finished"})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (61.4, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
        *((value, "-") for value in (None, "1", True, [], math.nan, math.inf, 10**400)),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds: object, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("total", [0, 1, 2, 5, 6, 100])
def test_some_of_many_are_evenly_spaced_with_the_first_and_the_last(total: int, count: int) -> None:
    found = _some(range(total), count)
    assert len(found) == min(total, count) == len(set(found))
    assert found == sorted(found)
    if total:
        assert found[0] == 0 and found[-1] == total - 1
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert max(steps, default=0) - min(steps, default=0) <= 1


def records_in(run: RunDir, records: list[dict[str, Any]]) -> None:
    run.metrics_file.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_a_run_without_an_epoch_says_so(run: RunDir) -> None:
    for content in (None, "", '{"epo'):
        if content is not None:
            run.metrics_file.write_text(content)
        assert curves_section(run, run.info()).notes == ["No epoch is finished yet."]


@pytest.mark.parametrize(
    "best", [None, "x", [], {}, {"epoch": None}, {"epoch": True}, {"epoch": "2"}, {"epoch": 10**400}]
)
def test_a_best_epoch_that_is_none_is_not_marked(best: Any, run: RunDir) -> None:
    records_in(run, [{"epoch": number, "loss": 1 / number} for number in (1, 2, 3)])
    section = curves_section(run, {"best": best})
    assert section.notes == ["3 epochs done."]
    run.config_file.write_text("epochs = 5\n")
    assert curves_section(run, {"best": {"epoch": 2}}).notes == [
        "3 of 5 epochs done.",
        "The dotted line is the best epoch, 2, whose weights answer.",
    ]


def test_the_last_epochs_are_shown_and_all_are_counted(run: RunDir) -> None:
    records_in(run, [{"epoch": number, "step": 1, "loss": 0.5} for number in range(1, 26)])
    [grid] = curves_section(run, {}).grids
    assert grid.caption == "Figures of the last 20 of 25 epochs"
    assert [row[0].text for row in grid.rows] == [str(number) for number in range(6, 26)]
    assert grid.columns == ["epoch", "loss"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"schema": 1}', "[" * 100_000])
def test_a_run_without_a_sound_card_says_so(content: str | None, run: RunDir) -> None:
    if content is not None:
        run.card_file.write_text(content)
    assert data_section(run).notes == ["This run has no card of its data."]


def test_exports_are_listed_with_what_is_known_of_them_and_without_what_lies_beside(run: RunDir) -> None:
    assert exports_section(run) is None
    run.exports.mkdir()
    for name in ("a.onnx", "a.onnx.md", "a.onnx.py", "alone.py", ".hidden", "exports.json"):
        (run.exports / name).write_bytes(b"0" * 1_500_000 if name == "a.onnx" else b"")
    (run.exports / "folder").mkdir()
    (run.exports / "folder" / "weights").write_bytes(b"0" * 200_000)
    facts = {"a.onnx": {"format": "onnx", "max_difference": 0.0, "checks": [1, 2], "latency_ms": 1.5}, "folder": 3}
    for content in ("[]", "{", json.dumps(facts)):
        (run.exports / "exports.json").write_text(content)
        section = exports_section(run)
        assert section is not None
        rows = [[cell.text for cell in row] for row in section.grids[0].rows]
        assert [row[0] for row in rows] == ["a.onnx", "alone.py", "folder"]
        assert [row[2] for row in rows] == ["1.5 MB", "0.0 MB", "0.2 MB"]
    assert rows[0][1:] == ["onnx", "1.5 MB", "0.0000", "2", "1.5000"]
    assert rows[2][4:] == ["", ""]


@pytest.mark.parametrize("info", [{}, {"versions": None}, {"versions": []}, {"versions": "2"}])
def test_an_environment_that_nobody_noted_is_a_dash(info: dict[str, Any]) -> None:
    assert environment_section(info).facts == [("git", "-")]
