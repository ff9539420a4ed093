"""Networks learn eight images by heart: one that cannot has a fault, which a short training would hide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
import torch
from toys.overfitting import average_precision, settle_norms
from toys.painted import small_config
from toys.rectangles import overfit, scenes

from dlcli.models.detection.detector import Limits
from dlcli.tasks.detection.building import build_detector
from dlcli.tasks.detection.networks import NETWORKS


class Case(NamedTuple):
    """How a network is trained: steps and peak learning rate on images of this side, with at most `most` objects."""

    model: str
    steps: int
    rate: float
    options: Mapping[str, Any] = {}
    side: int = 64
    limits: Limits = Limits()
    most: int = 2


SMALL_BODY = {"backbone": "shufflenet_v2_x0_5", "width": None}
CASES = {
    "wren": Case("wren", 80, 1e-2),
    "ssd": Case("ssd", 60, 3e-3, SMALL_BODY),
    "ssd, Pelee's head": Case("ssd", 80, 3e-3, {**SMALL_BODY, "head": "pelee", "class_loss": "focal"}),
    # Sides of 0.5 to 1.5 of the anchor's leave boxes of one object that overlap by less than the usual 0.6.
    "ssd-lesson": Case("ssd-lesson", 60, 1e-3, SMALL_BODY, side=128, limits=Limits(iou=0.3)),
    "single": Case("single", 100, 3e-3, SMALL_BODY, most=1),
    "detr": Case("detr", 120, 2e-3, {**SMALL_BODY, "width": 64}),
    "torchvision": Case("ssdlite320_mobilenet_v3_large", 60, 2e-3, {"backbone": None, "width": None}),
}


ELSEWHERE = {"maskrcnn"}
"""Its own test learns two images with masks."""


def test_every_network_is_among_them() -> None:
    assert {case.model for case in CASES.values()} >= set(NETWORKS) - ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_eight_images_are_learned_by_heart(name: str) -> None:
    torch.manual_seed(0)
    case = CASES[name]
    images, targets = scenes(8, side=case.side, most=case.most)
    network: Any = build_detector(small_config(model=case.model, image_size=case.side, **case.options), 3)
    overfit(network, images, targets, steps=case.steps, lr=case.rate)
    settle_norms(network, images, targets)
    assert average_precision(network, images, targets, case.limits)["ap50"] > 0.95
