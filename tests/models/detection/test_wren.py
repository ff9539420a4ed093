from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision import ops
from toys.wren import rectangles, target_of, tiny_wren

from dlcli.core.errors import UsageError
from dlcli.models.detection.body import WrenBody
from dlcli.models.detection.detector import Limits, Target
from dlcli.models.detection.neck import PathAggregation
from dlcli.models.detection.points import boxes_around, points_of
from dlcli.models.detection.wren import Wren, build_wren
from dlcli.models.modes import batch_norms


def train(network: Wren, images: Tensor, targets: list[Target], steps: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        sum(network.losses(images, targets).values(), torch.zeros(())).backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def mean_overlap(network: Wren, images: Tensor, targets: list[Target]) -> float:
    """Return the mean IoU of each object and the box of the point that is surest of its class there."""
    logits, boxes, _ = network(images)
    overlaps = [
        ops.box_iou(own, target.boxes)[:, place][scores[:, label].argmax()]
        for own, scores, target in zip(boxes, logits, targets, strict=True)
        for place, label in enumerate(target.labels.tolist())
        if len(target.labels) == 1
    ]
    return float(torch.stack(overlaps).mean())


def test_maps_and_points_of_each_stride() -> None:
    body = WrenBody(width=8)
    maps = body(torch.zeros(2, 3, 96, 64))
    assert [tuple(each.shape) for each in maps] == [(2, 32, 12, 8), (2, 64, 6, 4), (2, 80, 3, 2)]
    assert [each.shape[1] for each in maps] == list(body.out_channels.values())
    mixed = PathAggregation(body.out_channels, 16)(maps)
    assert [tuple(each.shape) for each in mixed] == [(2, 16, 12, 8), (2, 16, 6, 4), (2, 16, 3, 2)]
    points = points_of(mixed, body.strides)
    assert len(points.centres) == 96 + 24 + 6
    assert points.centres[[0, 1, 8, 96, 120]].tolist() == [[4, 4], [12, 4], [4, 12], [8, 8], [16, 16]]
    assert points.strides[[0, 95, 96, 125]].tolist() == [8, 8, 16, 32]
    boxes = boxes_around(points, torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 126, 4))
    assert boxes[0, 96].tolist() == [8 - 16, 8 - 32, 8 + 48, 8 + 64]
    with pytest.raises(ValueError, match="double"):
        PathAggregation({8: 16, 32: 16}, 16)


def test_gradients_reach_every_parameter() -> None:
    network = tiny_wren()
    images, _ = rectangles(2)
    targets = [target_of([[0, 0, 96, 64], [10, 10, 20, 18]], [0, 1])] * 2  # of each map's size
    sum(network.losses(images, targets).values(), torch.zeros(())).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    still = [name for name, each in network.named_parameters() if each.grad is not None and not each.grad.any()]
    assert still == []


def test_images_without_objects_train() -> None:
    network = tiny_wren()
    images, targets = rectangles(2)
    for given in ([target_of([], []), targets[1]], [target_of([], [])] * 2):
        losses = network.losses(images, given)
        sum(losses.values(), torch.zeros(())).backward()
        assert all(each.grad.isfinite().all() for each in network.parameters() if each.grad is not None)
    assert losses["box"] == 0
    assert losses["class"] > 0


def test_an_ignored_region_teaches_no_background() -> None:
    network = tiny_wren()
    images, _ = rectangles(2)
    everywhere = [target_of([], [], ignored=[[-1, -1, 97, 65]])] * 2
    assert network.losses(images, everywhere)["class"] == 0


def test_a_perfect_prediction_costs_little_and_less_than_a_shifted_one() -> None:
    network = tiny_wren()
    _, targets = rectangles(1)
    points = points_of([torch.zeros(1, 1, 64 // stride, 96 // stride) for stride in (8, 16, 32)], (8, 16, 32))
    box, label = targets[0].boxes[0], targets[0].labels[0]
    target = [target_of([box.tolist()], [int(label)])]
    is_inside = ((points.centres > box[:2]) & (points.centres < box[2:])).all(1)
    # The score of an exact box is 1 at each point with the highest alignment: ten of them, all alike.
    inside = is_inside.nonzero()[:10, 0]
    logits = torch.full((1, len(points.centres), 2), -12.0)
    logits[0, inside, label] = 12.0
    exact = box.expand(1, len(points.centres), 4).clone()
    perfect = network._losses(logits, exact, points, target)
    shifted = network._losses(logits, exact + 4, points, target)
    assert perfect["class"] < 0.01
    assert perfect["box"] == pytest.approx(0, abs=1e-5)
    assert shifted["box"] > 0.1
    assert shifted["class"] > perfect["class"]


def test_bf16_gives_finite_fp32_losses_near_those_of_fp32() -> None:
    network = tiny_wren()
    images, targets = rectangles(2)
    exact = network.losses(images, targets)
    with torch.autocast("cpu", torch.bfloat16):
        losses = network.losses(images, targets)
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.05)


def test_alone_and_in_a_batch() -> None:
    network = tiny_wren().eval()
    torch.nn.init.normal_(network.head.class_output.weight, std=0.5)
    images, _ = rectangles(3)
    with torch.no_grad():
        together, alone = network.detect(images, Limits()), network.detect(images[1:2], Limits())
    assert together.counts[1] == alone.counts[0] > 10
    torch.testing.assert_close(together.boxes[1], alone.boxes[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(together.scores[1], alone.scores[0], rtol=0, atol=1e-5)
    assert together.boxes.amin() >= 0
    assert together.boxes[..., 0::2].max() <= 96
    assert together.boxes[..., 1::2].max() <= 64


@pytest.mark.slow
def test_learns_rectangles_and_boxes_are_equal_in_training_and_evaluation() -> None:
    # One norm for all maps gave boxes in evaluation that were 5 % too large on each side.
    network = tiny_wren()
    for norm in batch_norms(network):
        norm.momentum = 0.2  # of 80 steps, so that the statistics are those of the last weights
    images, targets = rectangles(6)
    train(network, images, targets, 80)
    in_training = mean_overlap(network, images, targets)
    network.eval()
    assert mean_overlap(network, images, targets) == pytest.approx(in_training, abs=0.02)
    with torch.no_grad():
        found = network.detect(images, Limits(score=0.3))
    assert found.counts.tolist() == [len(target.boxes) for target in targets]
    for row, target in enumerate(targets):
        overlaps = ops.box_iou(target.boxes, found.boxes[row, : len(target.boxes)])
        assert overlaps.amax(1).min() > 0.7
        assert found.labels[row, overlaps.argmax(1)].tolist() == target.labels.tolist()


def test_backbones_by_name() -> None:
    own = build_wren(3, "wren")
    assert own.backbone.strides == (8, 16, 32)
    lite = build_wren(3, "efficientnet_lite0", image_size=64)  # a classifier of such images has no stride 32
    assert lite.backbone.out_channels == {8: 40, 16: 112, 32: 320}
    assert sum(parameter.numel() for parameter in lite.parameters()) == pytest.approx(3.4e6, rel=0.01)
    with pytest.raises(UsageError, match="no weights"):
        build_wren(3, "wren", pretrained="default")
