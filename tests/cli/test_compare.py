"""`dl compare`: the table, the verdict and the curves of trained runs."""

from __future__ import annotations

import json
import shutil

import pytest


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
