"""What is measured on a run's data after it was prepared again: with a warning, however the run is named."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

LINE = ("--model", "lenet", "--epochs", "1", "--precision", "fp32", "--threads", "1", "--quiet")
WARNING = "prepared differently since the run was trained: test items may have been trained on"


def prepare(bench: Any, dl: Any, *more: str) -> None:
    assert dl("prepare", "image-folder", "photos", "--out", "data/photos", *more).code == 0


@pytest.fixture
def photos(bench: Any, dl: Any) -> Any:
    bench.photos("photos", count=8)
    prepare(bench, dl)
    return bench


def test_a_run_measured_on_data_that_was_prepared_again_is_warned_of(photos: Any, dl: Any) -> None:
    assert dl("train", "./data/photos", "--name", "r", *LINE).code == 0
    ways = (("report", "r", "--eval"), ("eval", "r"), ("eval", "runs/r/checkpoints/best.pt"))
    for way in ways:
        assert "since the run was trained" not in dl(*way).err
    shutil.rmtree("runs/r/eval")
    photos.png("photos/cat/one more.png", 99)
    prepare(photos, dl)
    for way in ways:
        answer = dl(*way)
        assert answer.code == 0 and WARNING in answer.err and "items.train: 12 then, 13 now" in answer.err
    assert WARNING not in dl("eval", "r", "--split", "train").err
    assert "valid items may have been trained on" in dl("eval", "r", "--split", "valid").err
    shutil.copytree("data/photos", "data/others")
    assert WARNING not in dl("eval", "r", "--data", "data/others").err


def test_folds_measured_on_data_that_was_prepared_again_are_warned_of(photos: Any, dl: Any) -> None:
    assert dl("train", "./data/photos", "--name", "r", "--folds", "2", *LINE).code == 0
    prepare(photos, dl, "--seed", "1")
    assert WARNING not in dl("eval", "r").err  # the figures of the training are kept
    shutil.rmtree("runs/r/eval")
    answer = dl("eval", "r")
    assert answer.code == 0 and answer.err.count(WARNING) == 1 and "options.seed: 0 then, 1 now" in answer.err
