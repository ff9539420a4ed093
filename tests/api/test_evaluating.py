"""A checkpoint, an exported file and its run have the same figures; what only a run has is refused of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from api.conftest import QUICK

import dlcli
from dlcli.answering.evaluating import measure_model_file
from dlcli.api.evaluating import evaluate
from dlcli.cli.app import run as run_line
from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import RunDir

MACHINE: dict[str, Any] = {"device": "cpu", "threads": 1}


@pytest.mark.parametrize("name", ["images", "texts", "prices", "kinds"])
def test_a_checkpoint_has_the_figures_of_its_run(name: str, home: Path) -> None:
    expected = evaluate(name, plots=False, **MACHINE)
    found = measure_model_file(f"runs/{name}/checkpoints/best.pt", None, "test", **MACHINE).report
    assert found["metrics"] == expected["metrics"]
    assert found["items"] == expected["items"] > 0
    assert found["run"] == f"runs/{name}/checkpoints/best.pt"


@pytest.mark.parametrize(
    ("more", "fault"),
    [({"device": "cuda"}, "an exported file computes on the CPU"), ({"few_shot": 2}, "no head to look behind")],
)
def test_a_file_is_not_asked_for_what_only_a_run_has(more: dict[str, Any], fault: str, home: Path) -> None:
    file = dlcli.open_run("kinds").export(format="torchscript", out=f"for-{len(fault)}.torchscript")
    with pytest.raises(UsageError, match=fault):
        measure_model_file(str(file), None, "test", **more)
    with pytest.raises(UsageError, match=fault):
        evaluate(file, **more)


def test_a_file_that_is_none_of_ours_is_named(home: Path) -> None:
    Path("foreign.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(RunError, match=r"foreign\.onnx"):
        measure_model_file("foreign.onnx", None, "test")


def test_a_file_is_evaluated_as_its_run(home: Path) -> None:
    run = dlcli.open_run("prices")
    expected = dlcli.evaluate(run, device="cpu", threads=1, plots=False)
    for place in (run.export(), run.path / "checkpoints" / "best.pt"):
        found = dlcli.evaluate(place, threads=1)
        assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-4)
        assert (found["items"], found["plots"]) == (expected["items"], [])


def test_folds_are_trained_and_evaluated_over_all_predictions(home: Path) -> None:
    run = dlcli.train("data/r", folds="2", name="folded", **QUICK)
    assert RunDir(run.path).holds_folds
    report = run.evaluate()
    assert len(report["folds"]) == 2
    assert report["items"] == 40
    assert run.history == []
    with pytest.raises(dlcli.UsageError, match="split does not fit a cross-validation"):
        run.evaluate(split="valid")


@pytest.mark.parametrize("run", ["images", "prices"])
def test_an_evaluation_is_the_document_of_the_command_line_and_is_kept(
    run: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = dlcli.evaluate(run, device="cpu", threads=1)
    capfd.readouterr()
    assert run_line(["eval", run, "--json", "--device", "cpu", "--threads", "1"]) == 0
    printed = json.loads(capfd.readouterr().out)
    assert {"schema": "dl.eval/1", **json.loads(json.dumps(report))} == printed
    assert all(Path(name).is_file() for name in report["plots"])
    assert RunDir(Path("runs") / run).read_json("eval/test.json")["metrics"] == report["metrics"]


def test_an_evaluation_takes_the_task_s_options_and_refuses_others(home: Path) -> None:
    assert dlcli.evaluate("images", tta=True, plots=False)["plots"] == []
    with pytest.raises(dlcli.UsageError, match="no option 'ttta'"):
        dlcli.evaluate("images", ttta=True)


def test_a_wrong_split_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="split cannot be 'tests'") as caught:
        evaluate("nowhere", split="tests")
    assert "test" in str(caught.value.hint)
