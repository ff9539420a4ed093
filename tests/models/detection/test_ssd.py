from __future__ import annotations

import pytest
import torch
from torchvision.ops import box_iou
from toys.rectangles import assert_same_alone, sum_of, target

from dlcli.core.errors import UsageError
from dlcli.models.detection.anchored import CLASS_LOSSES, box_term, match_batch
from dlcli.models.detection.anchors import decode, encode
from dlcli.models.detection.box_losses import BOX_LOSSES
from dlcli.models.detection.detector import Limits
from dlcli.models.detection.ssd import Ssd, ssd_shapes

BACKBONE = "shufflenet_v2_x0_5"
SMALL = [[(16.0, 16.0), (24.0, 14.0)], [(24.0, 24.0)], [(40.0, 30.0)], [(50.0, 50.0)], [(60.0, 60.0)], [(64.0, 64.0)]]


def _network(**options) -> Ssd:
    return Ssd(**{"num_classes": 3, "backbone": BACKBONE, "image_size": 64, "shapes": SMALL, **options})


def test_maps_and_anchors_of_both_heads() -> None:
    plain = Ssd(num_classes=4, backbone=BACKBONE, image_size=320).eval()
    pelee = Ssd(num_classes=4, backbone=BACKBONE, image_size=320, head="pelee").eval()
    images = torch.zeros(2, 3, 256, 320)
    cells = [40 * 32, 20 * 16, 10 * 8, 5 * 4, 3 * 2, 2]
    for network, counts in ((plain, [4, 6, 6, 6, 4, 4]), (pelee, [0, 12, 6, 6, 6, 6])):
        number = sum(count * each for count, each in zip(counts, cells, strict=True))
        logits, offsets, anchors = network(images)
        assert logits.shape == (2, number, 5)
        assert offsets.shape == (2, number, 4)
        assert anchors.boxes.shape == (number, 4)


def test_pelee_has_the_scales_of_its_paper() -> None:
    shapes = ssd_shapes("pelee", 304)
    assert [round(of_map[0][0], 1) for of_map in shapes] == [30.4, 112.5, 164.2, 215.8, 267.5]
    assert shapes[0][6] == pytest.approx((60.8, 60.8))
    assert [len(of_map) for of_map in shapes] == [12, 6, 6, 6, 6]


def test_pelee_at_304_pixels_has_its_paper_maps() -> None:
    network = Ssd(num_classes=2, backbone="peleenet", image_size=304, head="pelee").eval()
    anchors = network(torch.zeros(1, 3, 304, 304))[2]
    sides = [19, 9, 5, 3, 2]  # 10 where the backbone rounds up; 1 where the last map has no border
    assert len(anchors.boxes) == 12 * sides[0] ** 2 + 6 * sum(side**2 for side in sides[1:])


@pytest.mark.parametrize("class_loss", CLASS_LOSSES)
def test_exact_predictions_have_no_loss_and_are_detected(class_loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = _network(class_loss=class_loss).eval()
    wanted = target([[4, 4, 20, 20], [30, 10, 60, 60]], [2, 0])
    logits, offsets, anchors = network(torch.zeros(1, 3, 64, 64))
    logits, offsets = torch.full_like(logits, -40.0), torch.zeros_like(offsets)
    overlaps = torch.stack([_iou(anchors.boxes, box) for box in wanted.boxes])
    learned = (overlaps.max(dim=0).values > 0.5).nonzero()[:, 0].tolist() + overlaps.argmax(dim=1).tolist()
    for anchor in learned:
        found = int(overlaps[:, anchor].argmax())
        logits[0, anchor, wanted.labels[found]] = 40.0
        offsets[0, anchor] = encode(wanted.boxes[found], anchors.boxes[anchor])
    if class_loss == "hard-negatives":
        logits[0, :, -1] = 0.0
    monkeypatch.setattr(network, "forward", lambda images: (logits, offsets, anchors))
    losses = network.losses(torch.zeros(1, 3, 64, 64), [wanted])
    assert all(float(each) < 1e-4 for each in losses.values())
    found = network.detect(torch.zeros(1, 3, 64, 64), Limits())
    assert found.counts.tolist() == [2]
    order = found.boxes[0, :2, 0].argsort()
    torch.testing.assert_close(found.boxes[0, order], wanted.boxes, atol=1e-3, rtol=0)
    assert found.labels[0, order].tolist() == [2, 0]


def _iou(boxes: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
    return box_iou(boxes, box[None])[:, 0]


@pytest.mark.parametrize("box_loss", BOX_LOSSES)
def test_every_box_loss_is_of_the_matched_anchors_and_0_for_exact_boxes(box_loss: str) -> None:
    anchors = torch.tensor([[0.0, 0.0, 20.0, 20.0], [30.0, 30.0, 50.0, 60.0], [40.0, 0.0, 60.0, 20.0]])
    matched = match_batch(anchors, [target([[2, 2, 20, 22], [31, 30, 49, 58]], [0, 1])], 0.5)
    offsets = encode(matched.boxes[0], anchors)[None]
    offsets[0, 2] = 5.0  # no object's, so it has no part in the loss
    assert float(box_term(offsets, decode(offsets, anchors), anchors, matched, box_loss)) < 1e-5
    losses = []
    for size in (0.1, 0.4):
        moved = offsets + size
        losses.append(float(box_term(moved, decode(moved, anchors), anchors, matched, box_loss)))
    assert 0 < losses[0] < losses[1]


@pytest.mark.parametrize("class_loss", CLASS_LOSSES)
def test_images_without_objects_teach_background(class_loss: str) -> None:
    network = _network(class_loss=class_loss).train()
    images = torch.randn(2, 3, 64, 64)
    losses = network.losses(images, [target(), target()])
    assert float(losses["class"].detach()) > 0
    assert losses["box"].item() == 0
    sum_of(losses).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in network.parameters())


def test_ignored_regions_teach_nothing() -> None:
    network = _network(class_loss="focal").eval()
    images = torch.randn(1, 3, 64, 64)
    everywhere = target(ignored=[[-100, -100, 200, 200]])
    assert float(network.losses(images, [everywhere])["class"].detach()) == 0


@pytest.mark.parametrize("options", [{}, {"class_loss": "focal"}, {"shapes": SMALL[1:], "head": "pelee"}])
def test_same_answer_alone_and_in_a_batch(options) -> None:
    network = _network(**options).eval()
    found = assert_same_alone(network, torch.randn(3, 3, 64, 96), Limits(score=0.0, most=20))
    assert found.boxes.shape == (3, 20, 4)
    assert ((found.boxes >= 0) & (found.boxes <= torch.tensor([96.0, 64.0, 96.0, 64.0]))).all()


def test_wrong_names_and_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="--head pele: ssd has no such value"):
        _network(head="pele")
    with pytest.raises(UsageError, match="--class-loss ce: ssd has no such value"):
        _network(class_loss="ce")
    with pytest.raises(UsageError, match="no box loss 'iuo'"):
        _network(box_loss="iuo")
    with pytest.raises(UsageError, match="for 5 maps, where SSD's plain head has 6"):
        _network(shapes=SMALL[1:])
