"""`dl eval` of files: a checkpoint or an export has the figures of its run; what a file cannot do is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def exported(bench: Any, onnx_file: Path) -> Path:
    """The ONNX file in the exports of its run."""
    folder = bench.run() / "exports"
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(onnx_file, folder / "model.onnx")).relative_to(bench.home)


def test_a_file_prints_the_tables_of_its_run_and_changes_nothing(bench: Any, exported: Path, dl: Any) -> None:
    of_run = dl("eval", "latest", "--no-plots")
    before = bench.files()
    of_file = dl("eval", str(exported))
    assert (of_file.code, of_file.out) == (0, of_run.out)
    assert of_file.err == f"{exported} on 359 items of data/digits, split test\n"
    assert bench.files() == before


def test_a_file_elsewhere_finds_the_data_of_the_name_that_it_knows(bench: Any, onnx_file: Path, dl: Any) -> None:
    bench.digits()
    shutil.copy(onnx_file, "elsewhere.onnx")
    answer = dl("eval", "elsewhere.onnx", "--json")
    report = json.loads(answer.out)
    assert (report["run"], report["data"], report["split"]) == ("elsewhere.onnx", "data/digits", "test")
    assert report["plots"] == []


def test_a_file_without_data_asks_for_some_and_takes_what_is_named(bench: Any, onnx_file: Path, dl: Any) -> None:
    shutil.copy(onnx_file, "elsewhere.onnx")
    answer = dl("eval", "elsewhere.onnx")
    assert answer.code == 3
    assert "name a prepared folder with --data" in answer.err
    data = onnx_file.parent / "data" / "digits"
    assert dl("eval", "elsewhere.onnx", "--data", str(data)).code == 0


def test_another_split_bounds_and_baselines_work_as_for_runs(bench: Any, exported: Path, dl: Any) -> None:
    for words in (("--split", "valid", "--json"), ("--baseline", "--json")):
        of_run, of_file = (json.loads(dl("eval", name, "--no-plots", *words).out) for name in ("latest", str(exported)))
        assert of_file["items"] == of_run["items"]
        assert of_file.get("baselines") == of_run.get("baselines")
        assert of_file["metrics"] == pytest.approx(of_run["metrics"], rel=1e-4)
    assert dl("eval", str(exported), "--fail-under", "accuracy=1.1").code == 7
    assert dl("eval", str(exported), "--fail-under", "accuracy=0").code == 0
    answer = dl("eval", str(exported), "--fail-under", "acuracy=0")
    assert (answer.code, "did you mean 'accuracy'" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--plots",), "a file has no folder for them"),
        (("--few-shot", "3"), "has no head to look behind"),
        (("--device", "cuda"), "computes on the CPU"),
        (("--tta",), "was exported without it"),
    ],
)
def test_what_an_exported_file_cannot_do_is_refused(
    words: tuple[str, ...], told: str, bench: Any, exported: Path, dl: Any
) -> None:
    answer = dl("eval", str(exported), *words)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert len(answer.err.splitlines()) <= 6


def test_a_checkpoint_is_measured_with_its_own_weights(bench: Any, dl: Any) -> None:
    run = bench.run()
    last = run / "checkpoints" / "last.pt"
    of_run = dl("eval", "latest", "--no-plots")
    assert dl("eval", str(last)).out == of_run.out  # of one epoch, which is the best one
    alone = bench.home / "alone.pt"
    shutil.copy(last, alone)
    shutil.rmtree(bench.home / "runs")
    assert dl("eval", "alone.pt").out == of_run.out
    few = json.loads(dl("eval", "alone.pt", "--few-shot", "3", "--json").out)
    assert "nearest mean of 3" in few["baselines"]


def test_a_file_of_random_weights_has_no_data(bench: Any, dl: Any) -> None:
    assert dl("export", "lenet", "--quiet").code == 0
    answer = dl("eval", "lenet.onnx", "--data", "data")
    assert answer.code == 4
    assert "does not say of which run it is" in answer.err


def test_no_model_at_all_is_said_so(bench: Any, dl: Any) -> None:
    bench.write("notes.onnx", "hello")
    assert dl("eval", "notes.onnx").code == 4
    answer = dl("eval", "missing.onnx")
    assert (answer.code, "no such file" in answer.err) == (4, True)
    assert dl("eval", "no\0such").code == 4


def test_a_name_of_a_dataset_leads_nowhere_but_below_the_data(bench: Any, onnx_file: Path, dl: Any) -> None:
    import onnx

    bench.write("secret/dataset.json", "{}")
    model = onnx.load(str(onnx_file))
    for entry in model.metadata_props:
        if entry.key == "dlcli.dataset":
            entry.value = json.dumps("../secret")
    onnx.save(model, "model.onnx")
    answer = dl("eval", "model.onnx")
    assert answer.code == 3
    assert "secret: " not in answer.err.splitlines()[0]
