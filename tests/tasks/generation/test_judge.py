"""A classifier that judges generated images: through `dl eval --judge`, and what it refuses."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tasks.generation.conftest import write_images

from dlcli.cli.app import run as run_line
from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.data.codec import Source
from dlcli.engine.runs.restore import load_task
from dlcli.models.heads import head_inputs
from dlcli.tasks import comparing
from dlcli.tasks.generation.judge import open_judge
from dlcli.visualize.canvas import encode_png


def dl(folder, *words, expect=0):
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["dl", *words])
        patch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
        patch.setattr(comparing, "is_installed", lambda name: False)  # its network takes a second for these images
        code = run_line(words)
    assert code == expect, f"{words}: {code}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data of two classes, a classifier of it, a conditional generator and an unconditional one."""
    folder = tmp_path_factory.mktemp("judged")
    for split, count in (("train", 16), ("test", 6)):
        write_images(folder / "halves" / split, {"high": count, "low": count})
        write_images(folder / "others" / split, {"cat": 4, "high": 4})
    common = ("--data", "halves", "--threads", "1", "--precision", "fp32", "--quiet", "--batch-size", "8")
    small = ("--epochs", "1", "--width", "8", "--latent", "4")
    classifier = ("--model", "cnn", "--epochs", "8", "--lr", "0.01", "--augment", "none")
    dl(folder, "train", "classification", *common, *classifier, "--name", "judge")
    dl(folder, "train", "generation", *common, *small, "--conditional", "--name", "classes")
    dl(folder, "train", "generation", *common, *small, "--name", "plain")
    return folder


@pytest.fixture(autouse=True)
def _in_place(place, monkeypatch):
    monkeypatch.chdir(place)


def test_a_judge_answers_as_its_run_does_and_gives_the_inputs_of_its_head():
    judge = open_judge("judge", ("low",))
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (5, 1, 8, 8), np.uint8)
    found = judge(pictures)
    task, _ = load_task(RunDir(Path("runs/judge")))
    batch = torch.from_numpy(pictures)
    with torch.inference_mode():
        expected = task.infer({"images": batch})["logits"].softmax(1).numpy()
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(found.features, head_inputs(task.model, batch).numpy(), atol=1e-6)
    assert judge.labels == ("high", "low")
    source = Source("a", encode_png(pictures[0].transpose(1, 2, 0)))
    assert np.array_equal(judge._codec.encode(source).arrays["images"], pictures[0])  # PNG loses nothing


def test_images_in_colour_and_of_another_size_are_judged_too():
    judge = open_judge("judge", ())
    grey = np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16), np.uint8)
    first, second = judge(grey), judge(np.repeat(grey, 3, axis=1))
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=0.02)  # grey of grey, but for rounding


def test_evaluation_says_what_the_judge_sees_beside_what_it_sees_of_real_images(place):
    report = json.loads(dl(place, "eval", "classes", "--judge", "judge", "--json")[0])
    figures = report["metrics"]
    assert figures["class_accuracy_real"] == 1.0
    assert figures["class_entropy_real"] == pytest.approx(np.log(2))
    assert 0 <= figures["class_accuracy"] <= 1 and 0.5 <= figures["confidence"] <= 1
    assert {"kid_judge", "kid_judge_error"} <= set(figures)
    assert [entry["class"] for entry in report["judged"]] == ["high", "low"]
    printed = dl(place, "eval", "plain", "--judge", "runs/judge", "--baseline", "--no-plots")[0]
    assert "class_accuracy" not in printed and "training images" in printed and "shuffled pixels" in printed
    assert "pip install" in printed


def test_baselines_are_measured_as_generated_images_are(place):
    report = json.loads(dl(place, "eval", "plain", "--judge", "judge", "--baseline", "--json")[0])
    baselines = report["baselines"]
    assert set(baselines) == {"training images", "mean image", "shuffled pixels"}
    assert all(set(figures) == set(report["metrics"]) for figures in baselines.values())
    assert baselines["mean image"]["diversity"] == 0
    assert baselines["training images"]["diversity"] == pytest.approx(1, abs=0.1)
    assert baselines["training images"]["kid_judge"] < baselines["shuffled pixels"]["kid_judge"]
    assert baselines["mean image"]["class_entropy"] == 0


def test_what_cannot_judge_is_refused(place):
    with pytest.raises(UsageError, match="a run of generation, which does not classify images"):
        open_judge("plain", ())
    with pytest.raises(UsageError, match="does not know the class 'cat'") as caught:
        open_judge("judge", ("high", "cat"))
    assert caught.value.details == ("it knows: high, low",)
    with pytest.raises(RunError, match="no run 'jugde'"):
        open_judge("jugde", ())
    assert (
        "does not know the class 'cat'"
        in dl(place, "eval", "plain", "--data", "others", "--judge", "judge", expect=2)[1]
    )


def test_what_cannot_be_drawn_is_refused_in_one_sentence(place):
    refused = {
        ("plain", "--class", "high"): "no particular class",
        ("classes", "--class", "hihg"): "did you mean 'high'?",
        ("plain", "--count", "0"): "--count",
        ("plain", "halves"): "reads no input",
        ("plain", "--judge", "judge"): "--judge",
    }
    for words, sentence in refused.items():
        assert sentence in dl(place, "predict", *words, expect=2)[1]
    assert "no class 'cat'" in dl(place, "visualize", "interpolate", "classes", "--class", "cat", expect=2)[1]


def test_images_are_saved_under_seed_and_number_and_equal_those_of_an_export(place):
    words = ("--count", "12", "--seed", "3", "--class", "low", "--json")
    lines = [dl(place, "predict", "classes", *words, "--save-dir", "out")[0]]
    dl(place, "export", "classes", "--format", "torchscript", "--out", "g.torchscript")
    lines.append(dl(place, "predict", "g.torchscript", *words, "--save-dir", "exported")[0])
    records = [json.loads(line)["records"] for line in lines]
    assert records[0] == records[1]
    assert records[0][11] == {"input": "3-11", "seed": 3, "number": 11, "class": "low"}
    names = sorted(path.name for path in (place / "out").iterdir())
    assert names == [f"3-{number:02}.png" for number in range(12)]
    for name in names:
        assert (place / "out" / name).read_bytes() == (place / "exported" / name).read_bytes()
