from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys.overfitting import average_precision
from toys.rectangles import overfit, recovered, target

from dlcli.core.errors import UsageError
from dlcli.data.annotated.answers import paste_mask
from dlcli.models.detection.body import WrenBody
from dlcli.models.detection.detector import Limits, Target
from dlcli.models.detection.mask_rcnn import Pyramid, build_mask_rcnn

SIDE = 96


def ellipses(count: int) -> tuple[Tensor, list[Target]]:
    """Return images with an ellipse each, whose colour is its class, and their masks."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    images = torch.from_numpy(random.normal(-0.5, 0.1, (count, 3, SIDE, SIDE)).astype(np.float32))
    targets = []
    for index, image in enumerate(images):
        across, down = random.uniform(SIDE / 6, SIDE / 3.2, 2)
        left, top = random.uniform(across, SIDE - across), random.uniform(down, SIDE - down)
        mask = torch.from_numpy(((x - left) / across) ** 2 + ((y - top) / down) ** 2 <= 1)
        label = index % 2
        image[:, mask] = torch.tensor([[2.0, -1.0, -1.0], [-1.0, 2.0, -1.0]])[label][:, None]
        box = target([[left - across, top - down, left + across, top + down]], [label])
        targets.append(box._replace(masks=mask[None].byte()))
    return images, targets


def test_the_pyramid_has_four_levels_of_one_width() -> None:
    levels = Pyramid(WrenBody(8), 12)(torch.zeros(2, 3, 64, 96))
    assert {name: tuple(each.shape) for name, each in levels.items()} == {
        "0": (2, 12, 8, 12),
        "1": (2, 12, 4, 6),
        "2": (2, 12, 2, 3),
        "pool": (2, 12, 1, 2),
    }


def test_any_backbone_with_maps_by_stride() -> None:
    network = build_mask_rcnn(2, "mobilenet_v3_small", width=8, image_size=64)
    assert network.has_masks and network.fixed_size is None
    with torch.no_grad():
        found = network.eval().detect(torch.randn(1, 3, 64, 96), Limits(score=0.0, most=4))
    assert found.masks is not None and found.masks.shape == (1, 4, 28, 28)


def test_weights_of_the_own_body_are_refused() -> None:
    with pytest.raises(UsageError, match="no weights of the backbone wren"):
        build_mask_rcnn(2, "wren", "default")


@pytest.mark.slow
def test_it_learns_the_masks_of_two_images() -> None:
    torch.manual_seed(0)
    images, targets = ellipses(2)
    network = build_mask_rcnn(2, "wren", width=32, image_size=SIDE)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.3  # 30 steps are too few for the usual one
    overfit(network, images, targets, steps=30, lr=3e-3)
    figures = average_precision(network, images, targets)
    assert min(figures["ap50"], figures["mask_ap50"]) > 0.95
    assert recovered(network, images, targets) == 1.0
    with torch.no_grad():
        found = network.detect(images, Limits())
    assert found.masks is not None
    for wanted, boxes, masks in zip(targets, found.boxes, found.masks, strict=True):
        pasted = paste_mask(masks[0].numpy(), boxes[0].double().numpy(), (SIDE, SIDE))
        truth = wanted.masks[0].numpy()
        assert (pasted & truth).sum() / (pasted | truth).sum() > 0.7
