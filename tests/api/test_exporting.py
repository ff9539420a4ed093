"""A file that was exported from Python is that of `dl export`, and answers like its run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dlcli
from dlcli.core.run_dir import EXPORTS_FILE
from dlcli.export.folder import open_graphs


def test_a_run_is_exported_into_its_folder_and_the_run_knows_it(home: Path) -> None:
    run = dlcli.open_run("prices")
    path = run.export()
    assert path == Path("runs/prices/exports/prices.onnx")
    assert json.loads((path.parent / EXPORTS_FILE).read_text())[path.name]["format"] == "onnx"
    answers, expected = dlcli.load(path)("q.csv"), run.predict("q.csv")
    assert [each["prediction"] for each in answers] == pytest.approx(
        [each["prediction"] for each in expected], rel=1e-5
    )
    metadata = open_graphs(path, threads=1).metadata
    assert (metadata["task"], metadata["versions"]) == ("regression", {"dlcli": dlcli.__version__})
    assert metadata["metrics"] == run.metrics


def test_options_become_a_part_of_the_graph(home: Path, tmp_path: Path) -> None:
    path = dlcli.open_run("images").export("torchscript", out=tmp_path / "model.torchscript", embed=True, tta=True)
    answers = dlcli.load(path, embed=True, tta=True)("grey.png")
    assert answers.embeddings.shape[0] == 1
    assert not (Path("runs/images/exports") / path.name).exists()


def test_a_wrong_request_is_refused_and_writes_nothing(home: Path, tmp_path: Path) -> None:
    run = dlcli.open_run("images")
    with pytest.raises(dlcli.UsageError, match="no format 'onxx'"):
        run.export("onxx", out=tmp_path / "x")
    with pytest.raises(dlcli.UsageError, match="no option 'nms'"):
        run.export(out=tmp_path / "x", nms=0.5)
    with pytest.raises(dlcli.UsageError, match="a file of the run itself"):
        run.export(out=run.path / "run.json")
    with pytest.raises(dlcli.RunError):
        dlcli.open_run("nothing").export()
    assert list(tmp_path.iterdir()) == []
