"""What a detector learns from where: of an image as it is trained without augmentation, and of an empty canvas."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toys.painted import detection_task, painted_voc, photos_of

from dlcli.core.errors import UsageError
from dlcli.data.annotated.form import open_annotated
from dlcli.models.detection.matching import BACKGROUND
from dlcli.tasks.detection.explained import GREY, empty_canvas, explain_canvas, explain_record


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = photos_of(4)
    names = list(photos)
    folder: Path = painted_voc(tmp_path_factory.mktemp("painted") / "voc", photos, train=" ".join(names))
    return folder


@pytest.fixture(scope="module")
def task(data: Path) -> Any:
    return detection_task(data, model="wren", backbone="wren")


def test_an_empty_canvas_is_grey_of_four_by_three_and_teaches_nothing(task: Any) -> None:
    assert empty_canvas(dataclasses.replace(task.preprocess, side=320)).shape == (256, 320, 3)  # 240, in strides of 32
    canvas = empty_canvas(task.preprocess)
    assert canvas.dtype == np.uint8 and (canvas == GREY).all()
    found = explain_canvas(task, canvas, "wren")
    assert found.objects.shape == (1, len(found.boxes))
    assert (found.objects == BACKGROUND).all()


def test_an_image_teaches_its_own_objects_and_leaves_the_network_as_it_was(task: Any, data: Path) -> None:
    form = open_annotated(data)
    record = form.of_split("train")[0]
    task.model.train()
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    seen, found = explain_record(task, form, record, "wren")
    assert len(seen.boxes) == len(record.objects)
    assert {place for place in found.objects.flatten().tolist() if place >= 0} <= set(range(len(seen.boxes)))
    assert (found.objects >= 0).any()
    assert task.model.training
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())


def test_a_detector_without_places_is_refused_by_the_given_name(data: Path) -> None:
    detr: Any = detection_task(data, model="detr", backbone="shufflenet_v2_x0_5", width=None)
    with pytest.raises(UsageError, match="my detr: its detector has neither anchors nor points") as caught:
        explain_canvas(detr, empty_canvas(detr.preprocess), "my detr")
    assert "wren" in str(caught.value.hint)
