"""Options that belong to one task: `dl eval RUN` and `dl predict RUN` know those of the run's task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dlcli.core.errors import ExitCode

QUIET = ("--threads", "1", "--quiet")


def test_eval_shows_the_figures_over_views_beside_the_others(bench: Any, dl: Any) -> None:
    run = bench.run()
    plain, both = (
        json.loads(dl("eval", str(run), "--no-plots", "--json", *QUIET, *more).out)["metrics"]
        for more in ((), ("--tta",))
    )
    assert set(both) - set(plain) == {"accuracy_tta", "loss_tta", "top5_tta"}
    assert {name: both[name] for name in plain} == plain


def test_a_bound_may_be_set_on_them(bench: Any, dl: Any) -> None:
    bench.run()
    line = ("eval", "latest", "--no-plots", *QUIET, "--fail-under", "accuracy_tta=1.1")
    assert dl(*line, "--tta").code == ExitCode.THRESHOLD
    assert dl(*line).code == ExitCode.USAGE


@pytest.mark.parametrize("line", ["RUN cat.png --tta", "--tta RUN cat.png", "RUN --tta cat.png"])
def test_predict_takes_them_wherever_they_stand(bench: Any, dl: Any, line: str) -> None:
    run = bench.run()
    bench.png("cat.png", 40)
    plain, over_views = (
        json.loads(dl("predict", *words.replace("RUN", str(run)).split(), "--jsonl", *QUIET).out)
        for words in ("RUN cat.png", line)
    )
    assert over_views["probability"] != plain["probability"]


def test_a_checkpoint_in_a_run_answers_as_the_run(bench: Any, dl: Any) -> None:
    run = bench.run()
    bench.png("cat.png", 40)
    first, second = (
        dl("predict", str(model), "cat.png", "--tta", "--jsonl", *QUIET).out
        for model in (run, run / "checkpoints" / "best.pt")
    )
    assert first == second != ""


@pytest.mark.parametrize("command", ["eval", "predict"])
def test_help_shows_them_with_a_run_and_says_so_without(bench: Any, dl: Any, command: str) -> None:
    run = bench.run()
    assert "--tta" in dl(command, str(run), "-h").out
    without = dl(command, "-h").out
    assert "--tta" not in without
    assert "options of its task" in without


def test_a_file_that_is_no_run_has_none(bench: Any, dl: Any, onnx_file: Any) -> None:
    bench.png("cat.png")
    answer = dl("predict", str(onnx_file), "cat.png", "--tta", *QUIET)
    assert answer.code == ExitCode.USAGE
    assert "--tta" in answer.err
