"""Where a network predicts from is drawn before any training: of data and a network's name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys.painted import detection_task, painted_voc, photos_of

from dlcli.core.errors import UsageError
from dlcli.tasks.detection.pictures import PICTURES
from dlcli.tasks.detection.places import MatchOptions, NetworkOptions
from dlcli.tasks.detection.task import DetectionTask
from dlcli.visualize import places


@dataclass
class Fake:
    """A subject: data, or a run."""

    path: Path
    words: Sequence[str] = ()
    is_run: bool = False
    name: str = "x"

    def data(self) -> Path:
        return self.path

    def task(self, **changes: Any) -> DetectionTask:
        body = "wren" if changes.get("model", "wren") == "wren" else "shufflenet_v2_x0_5"
        task: DetectionTask = detection_task(self.path, **{"width": None, "backbone": body, **changes})
        return task

    def shows(self, texts: Iterable[str]) -> None:
        del texts


@pytest.fixture
def data(tmp_path: Path) -> Path:
    names = list(photos := photos_of(8))
    folder: Path = painted_voc(tmp_path / "voc", photos, train=" ".join(names[:6]), test=" ".join(names[6:]))
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the pictures of anchors are drawn of."""
    calls: list[dict[str, Any]] = []

    def draw(image: np.ndarray, boxes: np.ndarray, cells: np.ndarray, **more: Any) -> np.ndarray:
        calls.append({"image": image, "boxes": boxes, "cells": cells, **more})
        return image

    monkeypatch.setattr(places, "draw_anchors", draw)
    return calls


def pictures(name: str, subject: Fake, options: Any) -> list[str]:
    return [stem for stem, _ in PICTURES[name].draw(subject, options)]  # type: ignore[arg-type]


def test_the_anchors_of_a_network_by_name_are_those_that_its_training_would_have(data: Path, drawn: list[Any]) -> None:
    for anchors in ("default", "kmeans"):
        assert pictures("anchors", Fake(data), NetworkOptions("ssd", image_size=64, anchors=anchors)) == ["anchors"]
    default, fitted = (each["boxes"] for each in drawn)
    assert default.shape == fitted.shape
    assert not np.array_equal(default, fitted)
    shapes = np.unique((fitted[:, 2:] - fitted[:, :2]).round(3), axis=0)
    task: Any = Fake(data).task(model="ssd", anchors="kmeans")
    np.testing.assert_allclose(shapes, np.unique(task.model.detector.shapes.numpy().round(3), axis=0), atol=2e-3)
    assert "ssd with fresh weights" in drawn[0]["title"]


def test_an_image_of_the_data_is_the_canvas_and_the_default_network_has_points(data: Path, drawn: list[Any]) -> None:
    subject = Fake(data, words=["p06"])
    assert pictures("anchors", subject, NetworkOptions(image_size=64)) == ["anchors-p06"]
    [call] = drawn
    assert call["are_points"]
    assert call["image"].max() == 250  # a painted box
    assert "wren" in call["title"]


def test_matches_of_data_are_drawn_for_each_of_its_images(data: Path) -> None:
    [(stem, four)] = PICTURES["matches"].draw(Fake(data), MatchOptions("ssd", image_size=64, count=4))  # type: ignore[arg-type]
    [(_, one)] = PICTURES["matches"].draw(Fake(data, ["p06"]), MatchOptions("ssd", image_size=64))  # type: ignore[arg-type]
    assert stem == "matches"
    assert four.shape[0] > one.shape[0] > 64


def test_a_network_without_places_is_refused_by_its_name_and_a_run_has_its_own_network(data: Path) -> None:
    with pytest.raises(UsageError, match="detr with fresh weights: its detector has neither"):
        pictures("anchors", Fake(data), NetworkOptions("detr", image_size=64))
    with pytest.raises(UsageError, match="--image-size: x has its network"):
        pictures("matches", Fake(data, is_run=True), MatchOptions(image_size=64))
