"""Where detectors predict from and what learns which object, as pictures show it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.models.detection.assignment import NUM_POINTS
from dlcli.models.detection.body import WrenBody
from dlcli.models.detection.detector import Target
from dlcli.models.detection.explaining import Explains, pyramids
from dlcli.models.detection.matching import BACKGROUND, IGNORED
from dlcli.models.detection.ssd import Ssd
from dlcli.models.detection.wren import Wren

TARGET = Target(
    torch.tensor([[8.0, 8, 40, 40], [50, 20, 62, 60]]), torch.tensor([0, 1]), None, torch.tensor([[0.0, 44, 30, 64]])
)
NOTHING = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), None, torch.zeros(0, 4))
IMAGES = torch.zeros(2, 3, 64, 64)


def build(name: str) -> Any:
    if name == "wren":
        return Wren(2, WrenBody(width=8), width=16).eval()
    return Ssd(num_classes=2, backbone="resnet18", image_size=64).eval()


@pytest.mark.parametrize("name", ["wren", "ssd"])
def test_each_object_has_places_that_learn_it_and_an_empty_image_has_none(name: str) -> None:
    detector = build(name)
    assert isinstance(detector, Explains)
    found = detector.explain(IMAGES, [TARGET, NOTHING])
    assert found.objects.shape == (2, len(found.boxes))
    assert set(found.objects[0].tolist()) == {0, 1, BACKGROUND, IGNORED}
    assert set(found.objects[1].tolist()) == {BACKGROUND}
    if name == "wren":
        assert max(torch.bincount(found.objects[0][found.objects[0] >= 0]).tolist()) <= NUM_POINTS
        torch.testing.assert_close(found.boxes[:, 2:] - found.boxes[:, :2], found.cells)
        assert [(found.cells[:, 0] == stride).sum().item() for stride in (8, 16, 32)] == [64, 16, 4]


def test_a_pyramid_is_what_a_module_answers_and_not_what_passes_it_on() -> None:
    wren = build("wren")
    found = pyramids(wren, IMAGES[:1])
    assert list(found) == ["backbone", "neck", "head.class_tower", "head.box_tower"]
    assert [each.shape[2] for each in found["neck"]] == [8, 4, 2]
    torch.testing.assert_close(found["neck"][0], wren.neck(wren.backbone(IMAGES[:1]))[0])
    assert pyramids(nn.Sequential(nn.Conv2d(3, 2, 1)), IMAGES[:1]) == {}
    assert not any(module._forward_hooks for module in wren.modules())
