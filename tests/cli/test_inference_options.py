"""Options that belong to one task: `dl eval RUN` and `dl predict RUN` know those of the run's task."""

from __future__ import annotations

import json
from pathlib import Path
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


def test_a_file_exported_without_views_refuses_them(bench: Any, dl: Any, onnx_file: Any) -> None:
    bench.png("cat.png")
    answer = dl("predict", str(onnx_file), "cat.png", "--tta", *QUIET)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert f"--tta: {onnx_file} was exported without it" in answer.err
    assert "dl export RUN --tta" in answer.err


@pytest.mark.parametrize("suffix", ["onnx", "torchscript"])
def test_a_file_exported_with_views_answers_as_the_run_with_and_without_them(bench: Any, dl: Any, suffix: str) -> None:
    run = bench.run()
    bench.png("cat.png", 40)
    path = f"views.{suffix}"
    assert dl("export", str(run), "--tta", "--format", suffix, "--out", path, *QUIET).code == 0
    for more in ((), ("--tta",)):
        of_run, of_file = (
            json.loads(dl("predict", model, "cat.png", "--jsonl", *QUIET, *more).out) for model in (str(run), path)
        )
        assert of_file["probability"] == pytest.approx(of_run["probability"], abs=1e-4)


def test_an_exported_file_and_a_checkpoint_know_the_options_of_their_task(bench: Any, dl: Any, onnx_file: Any) -> None:
    run = bench.run()
    bench.png("cat.png")
    for model in (onnx_file, run / "checkpoints" / "best.pt"):
        [record] = map(json.loads, dl("predict", str(model), "cat.png", "-k", "3", "--jsonl", *QUIET).out.splitlines())
        assert len(record["top"]) == 3
        assert "--top-k" in dl("predict", str(model), "-h").out


def test_of_several_answers_each_is_a_line_of_the_table_and_of_the_csv(bench: Any, dl: Any) -> None:
    run = bench.run()
    bench.png("cat.png")
    line = ("predict", str(run), "cat.png", "-k", "2", *QUIET)
    best, second = json.loads(dl(*line, "--jsonl").out)["top"]
    rows = [row.split(",") for row in dl(*line, "--csv").out.splitlines()]
    assert rows[1:] == [["cat.png", entry["label"], str(entry["probability"]), ""] for entry in (best, second)]
    table = [row.split() for row in dl(*line).out.splitlines()]
    assert table[1:] == [
        ["cat.png", best["label"], f"{best['probability']:.4f}"],
        [second["label"], f"{second['probability']:.4f}"],
    ]


@pytest.mark.parametrize("command", ["predict", "eval", "export"])
def test_a_run_that_is_not_there_is_said_before_an_option_that_its_task_may_have(
    bench: Any, dl: Any, command: str
) -> None:
    bench.run()
    answer = dl(command, "nothing", "--tta", *(("x.png", "-k", "3") if command == "predict" else ()))
    assert answer.code == ExitCode.RUN
    assert answer.err.startswith("error: no run 'nothing'")


@pytest.mark.parametrize("command", ["eval", "export"])
def test_an_option_without_effect_in_a_command_is_none_of_its_options(bench: Any, dl: Any, command: str) -> None:
    run = bench.run()
    answer = dl(command, str(run), "-k", "3")
    assert (answer.code, "-k" in answer.err) == (ExitCode.USAGE, True)


def test_a_task_without_such_an_option_refuses_it(bench: Any, dl: Any) -> None:
    stored = Path(__file__).parents[1] / "stored" / "0.1.0" / "regression" / "model.onnx"
    answer = dl("predict", str(stored), "t.csv", "-k", "3")
    assert (answer.code, "-k" in answer.err) == (ExitCode.USAGE, True)
    answer = dl("export", "mlp", "--tta")
    assert (answer.code, "--tta: not an option of the task regression" in answer.err) == (ExitCode.USAGE, True)
