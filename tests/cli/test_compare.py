"""`dl compare`: the table, the verdict and the curves of trained runs."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from dlcli.core.run_dir import RunDir
from dlcli.metrics.item_scores import ItemFigure, scores_of
from dlcli.report.kept import keep_items


def make(folder, figures):
    """Return a run with the time of its weights before that of its evaluation, of these figures by item."""
    run = RunDir(folder)
    run.best_checkpoint.parent.mkdir(parents=True)
    run.best_checkpoint.write_bytes(b"")
    run.info_file.write_text(json.dumps({"schema": 1, "task": "classification", "goal": "accuracy"}))
    report = {"metrics": {"accuracy": float(np.mean(figures))}, "items": len(figures)}
    (run.folder("eval") / "test.json").write_text(json.dumps(report))
    figure = ItemFigure(np.asarray(figures, float), is_share=True)
    keep_items(
        run, "test", scores_of(np.arange(len(figures)), np.zeros(len(figures)), {"accuracy": figure}, names_items=True)
    )
    os.utime(run.best_checkpoint, (1, 1))
    os.utime(run.path / "eval" / "test.json", (2, 2))
    return run


def test_an_evaluation_of_earlier_weights_is_compared_with_a_warning(tmp_path, monkeypatch, dl):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "runs" / "first", [1, 1, 0])
    other = make(tmp_path / "runs" / "other", [1, 0, 0])
    answer = dl("compare", "first", "other")
    assert (answer.code, "warning" in answer.err) == (0, False)
    os.utime(other.best_checkpoint, (3, 3))
    answer = dl("compare", "first", "other")
    assert answer.code == 0
    assert "the weights of other are newer than its evaluation: repeat `dl eval other`" in answer.err
    assert "of first" not in answer.err


@pytest.mark.slow
def test_two_runs_are_compared_and_their_curves_drawn(bench, dl):
    run = bench.run()
    other = run.with_name("copy")
    dl("eval", run.name, "--no-plots")
    shutil.copytree(run, other)
    config = other / "config.toml"
    config.write_text(config.read_text().replace("batch_size = 512", "batch_size = 256"))
    answer = dl("compare", run.name, "copy")
    assert answer.code == 0, answer.err
    assert "batch_size" in answer.out
    assert "are equal on every item (10,000 resamples of" in answer.out
    picture = run / "plots" / f"compare-{run.name}-copy.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    document = json.loads(dl("compare", run.name, "copy", "--json", "--no-plots", "--metric", "loss").out)
    assert (document["schema"], document["metric"], document["curves"]) == ("dl.compare/1", "loss", None)
    [found] = document["comparisons"]
    assert (found["value"], found["is_clear"]) == (0, False)
