"""Runs and exports of older versions answer as they did: `make.py` has kept what they answered then."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.app import run as run_line
from dlcli.core.registry import TASKS

STORED = Path(__file__).parent
UNSETTLED = {
    "detection",
    "multilabel",
    "segmentation",
    "style",
    "generation",
    "translation",
    "language-model",
    "embedding",
}
"""Tasks whose outputs and assets may still change before 0.1.0 is released; their runs are stored then."""

PLACES = sorted(path.parent for path in STORED.glob("*/*/answers.json"))

Dl = Callable[..., Any]


@pytest.fixture(params=PLACES, ids=lambda place: f"{place.parent.name}-{place.name}")
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a stored run answered, with copies of its folders in the current one."""
    shutil.copytree(request.param, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    answers: dict[str, Any] = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    return answers


@pytest.fixture
def dl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Dl:
    """Return a command line that answers with its JSON document."""

    def call(*words: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["dl", *words])
        code = run_line([*words, "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    return call


def assert_close(found: Any, expected: Any) -> None:
    """Compare JSON values: whatever was answered then is answered now; a newer version may answer more."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_close(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
    else:
        assert found == expected


def test_every_settled_task_has_a_stored_run():
    assert {place.name for place in PLACES} >= set(TASKS) - UNSETTLED


@pytest.mark.parametrize("model", ["run", "run/checkpoints/best.pt", "run/checkpoints/last.pt", "model.onnx"])
def test_every_form_of_the_model_answers_as_it_did(kept, dl, model):
    records = dl("predict", model, *kept["inputs"])["records"]
    if model.endswith("last.pt"):  # other weights than the best ones where the last epoch was not the best
        assert [record["input"] for record in records] == kept["inputs"]
        return
    assert_close(records, kept["records"])


def test_it_is_measured_as_it_was(kept, dl):
    assert_close(dl("eval", "run", "--data", "data", "--no-plots")["metrics"], kept["metrics"])


def test_it_is_sound_and_can_be_exported_again(kept, dl):
    for subject in ("run", "data"):
        states = {finding["what"]: finding["state"] for finding in dl("doctor", subject)["findings"]}
        assert "fault" not in states.values(), states
    words = ("--data", "data", "--format", "torchscript", "--out", "again.torchscript")  # quicker to write than ONNX
    assert dl("export", "run", *words)["max_difference"] < 1e-3
    assert_close(dl("predict", "again.torchscript", *kept["inputs"])["records"], kept["records"])


def test_a_new_run_starts_with_its_options(kept, dl):
    path = dl("train", "--from", "run", "--data", "data", "--epochs", "1")["run"]
    assert Path(path, "checkpoints", "last.pt").is_file()


def test_the_store_stays_small():
    sizes = [path.stat().st_size for path in STORED.rglob("*") if path.is_file()]
    assert sum(sizes) < 2_000_000
