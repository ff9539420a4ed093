from __future__ import annotations

import pytest
import torch
from toys.rectangles import assert_same_alone, sum_of, target

from dlcli.core.errors import UsageError
from dlcli.models.detection.anchors import decode_tanh
from dlcli.models.detection.detector import Limits
from dlcli.models.detection.ssd_lesson import CLASS_LOSSES, SsdLesson

BACKBONE = "shufflenet_v2_x0_5"


def _network(**options) -> SsdLesson:
    return SsdLesson(**{"num_classes": 3, "backbone": BACKBONE, **options})


def test_16_and_189_anchors_at_224_pixels() -> None:
    first = _network(num_maps=1, zooms=(1.0,), ratios=((1.0, 1.0),)).eval()
    for network, count in ((first, 16), (_network().eval(), 189)):
        logits, offsets, anchors = network(torch.zeros(1, 3, 224, 224))
        assert logits.shape == (1, count, 4)
        assert offsets.shape == (1, count, 4)
        assert anchors.boxes.shape == (count, 4)
    assert first.classes[0].out_channels == 3 + 1
    assert first.classes[0].bias.tolist() == [-3.0] * 4


def test_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _network(num_maps=1, zooms=(1.0,), ratios=((1.0, 1.0),)).eval()
    images = torch.zeros(1, 3, 224, 224)
    logits, offsets, anchors = network(images)
    logits, offsets = torch.zeros_like(logits), torch.zeros_like(offsets)
    monkeypatch.setattr(network, "forward", lambda images: (logits, offsets, anchors))
    # The first anchor, 11.2 pixels to the right: 1 / 20 of the canvas for two of four positions.
    losses = network.losses(images, [target([[11.2, 0, 67.2, 56]], [1])])
    assert float(losses["box"]) == pytest.approx(2 * 0.05 / 4)
    # 16 anchors x 3 classes of log 2 each, divided by the classes; the background's column is left out.
    assert float(losses["class"]) == pytest.approx(16 * torch.log(torch.tensor(2.0)).item(), rel=1e-5)


def test_an_offset_of_zero_is_the_anchor() -> None:
    network = _network().eval()
    anchors = network(torch.zeros(1, 3, 224, 224))[2]
    torch.testing.assert_close(decode_tanh(torch.zeros(1, 189, 4), anchors)[0], anchors.boxes)


@pytest.mark.parametrize("class_loss", CLASS_LOSSES)
def test_images_without_objects_teach_background(class_loss: str) -> None:
    network = _network(class_loss=class_loss).train()
    losses = network.losses(torch.randn(2, 3, 64, 96), [target(), target()])
    assert float(losses["class"].detach()) > 0
    assert losses["box"].item() == 0
    sum_of(losses).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in network.parameters())


def test_same_answer_alone_and_in_a_batch() -> None:
    network = _network().eval()
    found = assert_same_alone(network, torch.randn(3, 3, 64, 96), Limits(score=0.0, most=20))
    assert ((found.boxes >= 0) & (found.boxes <= torch.tensor([96.0, 64.0, 96.0, 64.0]))).all()


def test_wrong_names_are_refused() -> None:
    with pytest.raises(UsageError, match="--class-loss ce: ssd-lesson"):
        _network(class_loss="ce")
    with pytest.raises(UsageError, match="no box loss 'l3'"):
        _network(box_loss="l3")
