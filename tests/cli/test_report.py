"""`dl report`: a page where it was asked for, evaluated on request, and without torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that has only begun."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "begun"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"schema": 1, "status": "running", "task": "classification"}')
    return folder


def test_a_page_is_written_into_the_run_and_its_path_is_the_answer(run, dl):
    answer = dl("report", "begun")
    assert answer.code == 0
    assert answer.out == "runs/begun/report.html\n"
    assert "Not evaluated yet" in (run / "report.html").read_text(encoding="utf-8")
    document = json.loads(dl("report", "begun", "--out", "页/a.html", "--json").out)
    assert document["schema"] == "dl.report/1"
    assert (run.parent.parent / "页" / "a.html").stat().st_size == document["bytes"]


def test_a_page_is_written_without_torch(run):
    code = "import sys; from dlcli.cli.app import run; run(['report', 'begun']); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=run.parent.parent)
    assert (run / "report.html").exists()


@pytest.mark.slow
def test_a_run_is_evaluated_on_request_once(bench, dl):
    trained = bench.run()
    first = dl("report", trained.name, "--eval")
    assert "evaluating" in first.err
    page = (trained / "report.html").read_text(encoding="utf-8")
    assert "95 % interval" in page
    assert "Confusion" in page
    assert "evaluating" not in dl("report", trained.name, "--eval").err
