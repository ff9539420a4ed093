from __future__ import annotations

import pytest
import torch
from toys.rectangles import assert_same_alone, target

from dlcli.core.errors import UsageError
from dlcli.models.detection.detector import Limits
from dlcli.models.detection.single import SingleObject


def _network(size: int = 64, num_classes: int = 3) -> SingleObject:
    return SingleObject(num_classes=num_classes, backbone="mobilenet", image_size=size)


def test_lesson_head_at_224_pixels() -> None:
    network = SingleObject(num_classes=20, backbone="resnet34", image_size=224)
    assert network.hidden[3].in_features == 512 * 7 * 7
    boxes, logits = network.eval()(torch.zeros(1, 3, 224, 224))
    assert boxes.shape == (1, 4)
    assert logits.shape == (1, 20)


def test_losses_are_those_of_the_largest_object() -> None:
    network = _network().eval()
    images = torch.randn(2, 3, 64, 64)
    boxes, logits = network(images)
    wanted = [target([[0, 0, 10, 10], [5, 5, 45, 45]], [0, 2]), target([[1, 2, 30, 40]], [1])]
    losses = network.losses(images, wanted)
    largest = torch.tensor([[5.0, 5.0, 45.0, 45.0], [1.0, 2.0, 30.0, 40.0]])
    torch.testing.assert_close(losses["box"], (boxes - largest).abs().mean())
    expected = -20 * logits.log_softmax(1)[[0, 1], [2, 1]].mean()
    torch.testing.assert_close(losses["class"], expected)


def test_images_without_objects_are_left_out() -> None:
    network = _network().eval()
    images = torch.randn(3, 3, 64, 64)
    one = target([[5, 5, 45, 45]], [2])
    mixed = network.losses(images, [target(), one, target()])
    alone = network.losses(images[1:2], [one])
    for name in ("box", "class"):
        torch.testing.assert_close(mixed[name], alone[name])
    nothing = network.losses(images, [target()] * 3)
    assert [each.item() for each in nothing.values()] == [0.0, 0.0]
    sum(nothing.values()).backward()  # a step without gradients would stop several processes


def test_batch_of_one_image_trains() -> None:
    network = _network().train()
    losses = network.losses(torch.randn(1, 3, 64, 64), [target([[5, 5, 45, 45]], [2])])
    sum(losses.values()).backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_detection_is_one_box_within_the_canvas_or_none() -> None:
    network = _network().eval()
    images = torch.randn(4, 3, 64, 64)
    found = assert_same_alone(network, images, Limits(score=0.0))
    assert found.boxes.shape == (4, 1, 4)
    assert found.counts.tolist() == [1] * 4
    assert (found.boxes[..., 2:] >= found.boxes[..., :2]).all()
    assert ((found.boxes >= 0) & (found.boxes <= 64)).all()
    none = network.detect(images, Limits(score=1.1))
    assert none.counts.tolist() == [0] * 4
    assert none.boxes.abs().sum() == 0


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="64 x 64 pixels expected, not 64 x 96"):
        _network()(torch.zeros(1, 3, 64, 96))


@pytest.mark.parametrize(("size", "nearest"), [(33, 32), (100, 96), (300, 288), (319, 320)])
def test_a_size_that_is_no_multiple_of_32_is_refused_with_the_nearest(size: int, nearest: int) -> None:
    with pytest.raises(UsageError, match=f"multiple of 32, not {size}") as caught:
        _network(size)
    assert caught.value.hint == f"--image-size {nearest}"


def test_unknown_backbone() -> None:
    with pytest.raises(UsageError, match="not a network with maps"):
        SingleObject(num_classes=2, backbone="vit_b_16")


def test_a_fresh_network_answers_with_a_box_in_the_middle() -> None:
    torch.manual_seed(0)
    network = _network().eval()
    boxes, _ = network(torch.zeros(1, 3, 64, 64))
    # The middle half of each side, from 16 to 48, but for what the weights of 256 hidden units add.
    torch.testing.assert_close(boxes, torch.tensor([[16.0, 16.0, 48.0, 48.0]]), atol=12, rtol=0)
    found = network.detect(torch.zeros(1, 3, 64, 64), Limits(score=0.0)).boxes[0, 0]
    assert (found[2:] - found[:2]).prod() > 64 * 64 / 16
