from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import get_model
from toys.rectangles import assert_same_alone, sum_of, target

from dlcli.core.errors import RunError, UsageError
from dlcli.models.detection.detector import Limits, Target
from dlcli.models.detection.torchvision_detectors import build_torchvision_detector, detector_names

QUICK = ("ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn")
SLOW = ("ssd300_vgg16", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "maskrcnn_resnet50_fpn")
CASES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
SIDES = {"ssd300_vgg16": 288}


def _with_masks(found: Target, side: int) -> Target:
    masks = torch.zeros(len(found.boxes), side, side, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, found.boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    return found._replace(masks=masks)


def test_names() -> None:
    names = detector_names()
    assert set(QUICK) | set(SLOW) < set(names)
    assert not any("keypoint" in name for name in names)


@pytest.mark.parametrize("name", CASES)
def test_losses_and_dense_detections(name: str) -> None:
    side = SIDES.get(name, 64)
    network = build_torchvision_detector(name=name, num_classes=2, image_size=side)
    wanted = [target([[4, 4, 40, 30]], [1]), target(), target([[9, 9, 9, 20]], [0])]  # the last one has no area
    count = 1 if side > 64 else 3
    losses = network.train().losses(
        torch.randn(count, 3, side, side), [_with_masks(each, side) for each in wanted[:count]]
    )
    assert all(each.ndim == 0 for each in losses.values())
    sum_of(losses).backward()
    found = network.eval().detect(torch.randn(2, 3, side, side), Limits(score=0.0, most=7))
    assert found.boxes.shape == (2, 7, 4)
    assert (found.masks is not None) == name.startswith("maskrcnn")
    if found.masks is not None:
        assert found.masks.shape == (2, 7, 28, 28)
    assert ((found.labels >= 0) & (found.labels < 2)).all()
    assert ((found.boxes >= 0) & (found.boxes <= side)).all()


def test_images_are_not_normalised_or_resized_again() -> None:
    network = build_torchvision_detector(name=QUICK[0], num_classes=2).eval()
    images = torch.randn(2, 3, 64, 96)
    seen = network.network.transform(list(images), None)[0]
    assert torch.equal(seen.tensors, images)
    assert seen.image_sizes == [(64, 96)] * 2


@pytest.mark.parametrize("name", QUICK)
def test_same_answer_alone_and_in_a_batch_and_the_limits_hold(name: str) -> None:
    network = build_torchvision_detector(name=name, num_classes=3, image_size=64).eval()
    images = torch.randn(3, 3, 64, 64)
    assert_same_alone(network, images, Limits(score=0.0, most=20))
    with torch.no_grad():
        many = network.detect(images, Limits(score=0.0, iou=None, most=200)).counts
        few = network.detect(images, Limits(score=0.0, iou=0.1, most=200)).counts
        none = network.detect(images, Limits(score=1.0))
    assert (few < many).all()
    assert none.counts.tolist() == [0, 0, 0]


def test_detectors_of_masks_refuse_boxes_alone() -> None:
    network = build_torchvision_detector(name=QUICK[0], num_classes=3, image_size=64).train()
    network.has_masks = True
    with pytest.raises(UsageError, match="cannot learn from boxes alone"):
        network.losses(torch.randn(1, 3, 64, 64), [target([[4, 4, 40, 30]], [1])])


def test_unknown_names_and_small_images_are_refused() -> None:
    with pytest.raises(UsageError, match="no detector 'keypointrcnn_resnet50_fpn'"):
        build_torchvision_detector(name="keypointrcnn_resnet50_fpn", num_classes=2)
    with pytest.raises(UsageError, match="at least 288 pixels, not 256"):
        build_torchvision_detector(name="ssd300_vgg16", num_classes=2, image_size=256)


def test_weights_of_other_classes_fill_all_but_the_heads(tmp_path: Path) -> None:
    published = get_model(QUICK[0], weights=None, weights_backbone=None, num_classes=91)
    torch.save(published.state_dict(), tmp_path / "coco.pth")
    network = build_torchvision_detector(name=QUICK[0], num_classes=2, weights=str(tmp_path / "coco.pth"))
    theirs, ours = published.state_dict(), network.network.state_dict()
    fresh = {key for key in theirs if theirs[key].shape != ours[key].shape}
    assert fresh
    assert all("classification_head" in key for key in fresh)
    assert all(torch.equal(theirs[key], ours[key]) for key in theirs if key not in fresh)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(RunError, match="not weights of ssdlite320"):
        build_torchvision_detector(name=QUICK[0], num_classes=2, weights=str(tmp_path / "other.pth"))
