"""`dl report`: a page where it was asked for, evaluated on request, and quick."""

from __future__ import annotations

import json
import subprocess
import sys


def test_a_page_is_written_into_the_run_and_its_path_is_the_answer(bench, dl):
    run = bench.run()
    answer = dl("report", run.name)
    assert answer.code == 0
    assert answer.out == f"runs/{run.name}/report.html\n"
    assert "Not evaluated yet" in (run / "report.html").read_text(encoding="utf-8")
    document = json.loads(dl("report", run.name, "--out", "页/a.html", "--json").out)
    assert document["schema"] == "dl.report/1"
    assert (bench.home / "页" / "a.html").stat().st_size == document["bytes"]


def test_a_run_is_evaluated_on_request_once(bench, dl):
    run = bench.run()
    first = dl("report", run.name, "--eval")
    assert "evaluating" in first.err
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "95 % interval" in page
    assert "Confusion" in page
    assert "evaluating" not in dl("report", run.name, "--eval").err


def test_a_page_is_written_without_torch(bench):
    run = bench.run()
    code = "import sys; from dlcli.cli.app import run; run(['report', sys.argv[1]]); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(run)], check=True, cwd=bench.home)
    assert (run / "report.html").exists()
