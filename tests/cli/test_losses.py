"""Losses with a margin and teachers, from the command line to a run that needs neither of them any more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

QUICK = ("--precision", "fp32", "--device", "cpu", "--threads", "1", "-e", "2")


def predicted(dl: Any, model: str, source: str) -> list[dict[str, Any]]:
    answer = dl("predict", model, source, "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)["records"]


@pytest.mark.slow
def test_an_exported_model_of_a_margin_answers_like_its_run(bench: Any, dl: Any) -> None:
    bench.digits()
    answer = dl("train", "digits", *QUICK, "--loss", "arcface:0.2,16", "--class-weights", "sample")
    assert answer.code == 0, answer.err
    run = answer.out.strip()
    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["accuracy"] > 0.7 and lines[-1]["loss"] < lines[0]["loss"]
    image = str(next(Path("data/digits/test").glob("*/*.png")))
    exported = dl("export", run)
    assert exported.code == 0, exported.err
    own, other = predicted(dl, run, image), predicted(dl, exported.out.strip(), image)
    assert own[0]["label"] == other[0]["label"]
    assert own[0]["probability"] == pytest.approx(other[0]["probability"], abs=1e-4)


@pytest.mark.slow
def test_a_student_learns_from_a_run_and_answers_without_it(bench: Any, dl: Any) -> None:
    bench.digits()
    teacher = dl("train", "digits", *QUICK, "--name", "big").out.strip()
    answer = dl(
        "train", "digits", *QUICK, "--model", "lenet", "--teacher", "big", "--distill", "3,0.8", "--name", "small"
    )
    assert answer.code == 0, answer.err
    run = Path(answer.out.strip())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss_distillation"] < lines[0]["loss_distillation"] and lines[-1]["loss_cross_entropy"] > 0
    shutil.rmtree(teacher)
    image = str(next(Path("data/digits/test").glob("*/*.png")))
    assert predicted(dl, str(run), image)[0]["label"]
    assert dl("eval", str(run)).code == 0
    again = dl("train", "digits", "--from", str(run))
    assert again.code != 0 and "no run 'big'" in again.err
