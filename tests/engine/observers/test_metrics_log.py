"""The lines of `metrics.jsonl`, as they are written and as a resumed run finds them."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

from dlcli.core.console import Console
from dlcli.core.records import read_metrics
from dlcli.engine.observers.metrics_log import MetricsLog


def state(epoch, **record):
    return SimpleNamespace(epoch=epoch, record={"epoch": epoch, **record})


def test_each_epoch_is_a_line_and_what_is_not_finite_is_null(tmp_path):
    log, path = MetricsLog(tmp_path / "metrics.jsonl", Console()), tmp_path / "metrics.jsonl"
    log.on_epoch_end(state(1, loss=0.1 + 0.2, name="猫"))
    log.on_epoch_end(state(2, loss=math.nan, norm=math.inf, least=-math.inf, count=3))
    assert read_metrics(path) == [
        {"epoch": 1, "loss": 0.1 + 0.2, "name": "猫"},
        {"epoch": 2, "loss": None, "norm": None, "least": None, "count": 3},
    ]
    assert "NaN" not in path.read_text(encoding="utf-8")


def test_a_resumed_run_drops_what_its_checkpoint_does_not_know_and_a_line_cut_short(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"epoch": number}) + "\n" for number in (1, 2, 3)]
    path.write_text("".join(lines) + '{"epoch": 4, "lo', encoding="utf-8")
    MetricsLog(path, Console()).on_train_start(state(2))
    assert path.read_text(encoding="utf-8") == "".join(lines[:2])
    MetricsLog(path, Console()).on_epoch_end(state(3, loss=1.0))
    assert [record["epoch"] for record in read_metrics(path)] == [1, 2, 3]


def test_a_new_run_begins_without_a_file(tmp_path):
    MetricsLog(tmp_path / "metrics.jsonl", Console()).on_train_start(state(0))
    assert not list(tmp_path.iterdir())
