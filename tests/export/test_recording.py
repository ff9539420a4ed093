"""What is kept of an export, in the file and in the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli.core.run_dir import EXPORTS_FILE, RunDir
from dlcli.export.plan import Check, ExportResult
from dlcli.export.recording import record_export, result_document, stored_metadata


def result(path: Path, difference: float = 1e-6) -> ExportResult:
    return ExportResult(path, None, "onnx", 12, "ab", {"model": "dynamo"}, (Check({}, difference),), True)


def test_the_plan_s_assets_win_and_both_sides_are_stored() -> None:
    stored = stored_metadata({"a": 1, "assets": {"limits": 2}}, {"b": 3, "assets": {"limits": 1, "labels": []}})
    assert stored == {"a": 1, "b": 3, "assets": {"limits": 2, "labels": []}}


def test_a_difference_that_is_no_number_is_null() -> None:
    assert result_document(result(Path("m.onnx"), float("inf")))["max_difference"] is None


def test_the_run_knows_the_files_in_its_folder_and_no_others(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.exports.mkdir(parents=True)
    record_export(run, result(tmp_path / "elsewhere.onnx"))
    assert not (run.exports / EXPORTS_FILE).exists()
    for name in ("a.onnx", "b.onnx"):
        record_export(run, result(run.exports / name))
    known = json.loads((run.exports / EXPORTS_FILE).read_text())
    assert {name: entry["path"] for name, entry in known.items()} == {"a.onnx": "a.onnx", "b.onnx": "b.onnx"}
    (run.exports / EXPORTS_FILE).write_text("no JSON")
    record_export(run, result(run.exports / "c.onnx"))
    assert list(json.loads((run.exports / EXPORTS_FILE).read_text())) == ["c.onnx"]


def test_a_run_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    (tmp_path / "run").mkdir()
    run.exports.mkdir()
    (run.exports / EXPORTS_FILE).mkdir()
    with pytest.raises(OSError):
        record_export(run, result(run.exports / "a.onnx"))
