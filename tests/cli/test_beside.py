"""`dl export` leaves a card and a script beside its file, and never replaces what somebody else wrote there."""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from .conftest import RUN

EXPORTS = f"runs/{RUN}/exports"


@pytest.fixture
def exported(bench: Any, dl: Callable[..., Any]) -> Path:
    """The exported file of the trained run."""
    bench.run()
    answer = dl("export", RUN, "--license", "mit")
    assert answer.code == 0, answer.err
    return bench.home / answer.out.strip()


def test_a_card_and_a_script_lie_beside_the_file(exported: Path) -> None:
    names = sorted(path.name for path in exported.parent.iterdir())
    assert names == [exported.name, f"{exported.name}.md", f"{exported.name}.py", "exports.json"]
    assert ModelCard.load(exported.with_name(f"{exported.name}.md")).data.license == "mit"


def test_the_script_answers_as_predict(exported: Path, bench: Any, dl: Callable[..., Any], monkeypatch: Any) -> None:
    inputs = [str(bench.png(f"{number}.png", 40 * number, size=8 * number)) for number in range(1, 5)]
    monkeypatch.setattr(sys, "argv", ["script", *inputs])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(f"{exported}.py", run_name="__main__")
    own = [json.loads(line) for line in printed.getvalue().splitlines()]
    records = json.loads(dl("predict", str(exported), *inputs, "--json").out)["records"]
    assert [each["label"] for each in own] == [each["label"] for each in records]
    for one, other in zip(own, records, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)


def test_exporting_twice_gives_the_same_bytes(exported: Path, dl: Callable[..., Any]) -> None:
    before = {path.name: path.read_bytes() for path in exported.parent.iterdir()}
    assert dl("export", RUN, "--license", "mit").code == 0
    assert {path.name: path.read_bytes() for path in exported.parent.iterdir()} == before


def test_no_card_removes_that_of_an_earlier_export(exported: Path, dl: Callable[..., Any]) -> None:
    document = json.loads(dl("export", RUN, "--no-card", "--json").out)
    assert not {"card", "script"} & document.keys()
    assert sorted(path.name for path in exported.parent.iterdir()) == [exported.name, "exports.json"]


def test_a_page_of_somebody_else_stays(bench: Any, dl: Callable[..., Any]) -> None:
    bench.run()
    bench.write("m.onnx.py", "print('mine')\n")
    answer = dl("export", RUN, "--out", "m.onnx", "--json")
    assert "left as it is" in answer.err
    assert (bench.home / "m.onnx.py").read_text() == "print('mine')\n"
    assert json.loads(answer.out)["card"] == "m.onnx.md"
    assert "script" not in json.loads(answer.out)
    assert dl("export", RUN, "--out", "m.onnx", "--no-card").code == 0
    assert (bench.home / "m.onnx.py").exists()


def test_the_report_lists_no_page_as_an_export(exported: Path, dl: Callable[..., Any], bench: Any) -> None:
    answer = dl("report", RUN)
    assert answer.code == 0, answer.err
    page = (bench.home / answer.out.strip()).read_text(encoding="utf-8")
    assert exported.name in page
    assert f"{exported.name}.py" not in page
