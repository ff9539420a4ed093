from __future__ import annotations

import pytest
import torch
from torch import nn
from toys.wren import target_of

from dlcli.models.detection.frozen import InFullPrecision, fold_norms, freeze_for_speed
from dlcli.models.detection.wren import build_wren
from dlcli.models.images.backbone import Backbone, build_backbone
from dlcli.models.modes import batch_norms


def backbone(name: str = "efficientnet_lite0") -> Backbone:
    """Return a backbone whose norms have statistics and weights as if it had been trained."""
    body = build_backbone(name, strides=(8, 16, 32))
    for norm in batch_norms(body):
        for values, low, high in ((norm.weight, 0.8, 1.2), (norm.running_var, 0.8, 1.2), (norm.bias, -0.1, 0.1)):
            nn.init.uniform_(values, low, high)
        nn.init.normal_(norm.running_mean, std=0.1)
    return body


def trainable(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def test_folded_norms_compute_the_same() -> None:
    body = backbone().eval()
    images = torch.randn(2, 3, 64, 96)
    expected = body(images)
    fold_norms(body)
    assert list(batch_norms(body)) == []
    for ours, theirs in zip(body(images), expected, strict=True):
        torch.testing.assert_close(ours / theirs.abs().max(), theirs / theirs.abs().max(), rtol=0, atol=1e-5)


def test_what_is_frozen_of_lite() -> None:
    body = backbone()
    freeze_for_speed(body)
    names = trainable(body)
    assert not any(name.startswith(("stages.0.", "stages.1.")) for name in names)  # up to stride 4
    convs = {name: module for name, module in body.named_modules() if isinstance(module, nn.Conv2d)}
    late = {name: conv for name, conv in convs.items() if not name.startswith(("stages.0.", "stages.1."))}
    large = {name for name, conv in late.items() if conv.kernel_size == (5, 5)}
    assert len(large) == 9  # blocks 3-4, 8-10 and 11-14 of 0-15
    expected = {f"{name}.{part}" for name in late.keys() - large for part in ("weight", "bias")}
    assert names == expected
    wrapped = [module.conv for module in body.modules() if isinstance(module, InFullPrecision)]
    assert len(wrapped) == 4  # a fifth convolution of stride 2, the stem, is dense
    assert all(conv.stride == (2, 2) and conv.groups == conv.in_channels for conv in wrapped)


def test_training_mode_changes_no_answer() -> None:
    body = backbone()
    freeze_for_speed(body)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for in_training, in_evaluation in zip(body.train()(images), body.eval()(images), strict=True):
            torch.testing.assert_close(in_training, in_evaluation, rtol=0, atol=0)


def test_norms_of_other_networks_stay_and_keep_their_statistics() -> None:
    body = backbone("mobilenet_v3_small")
    freeze_for_speed(body)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    body.train()
    sum((each.sum() for each in body(torch.randn(2, 3, 64, 64))), torch.zeros(())).backward()
    for name, value in body.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(not parameter.requires_grad for norm in batch_norms(body) for parameter in norm.parameters())
    assert trainable(body)


def test_what_trains_has_a_gradient_in_bf16_and_the_rest_none() -> None:
    network = build_wren(2, is_frozen=True)
    with torch.autocast("cpu", torch.bfloat16):
        losses = network.losses(torch.randn(2, 3, 64, 64), [target_of([[5, 5, 40, 50]], [1])] * 2)
    sum(losses.values(), torch.zeros(())).backward()
    assert {name for name, each in network.named_parameters() if each.grad is not None} == trainable(network)


def test_stride_2_is_exact_only_where_a_gradient_is_needed() -> None:
    conv = nn.Conv2d(4, 4, 3, stride=2, groups=4)
    layer, features = InFullPrecision(conv), torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(features.clone().requires_grad_()).dtype == torch.float32
        assert layer(features).dtype == torch.bfloat16
    assert torch.equal(layer(features), conv(features))


@pytest.mark.parametrize("is_frozen", [False, True])
def test_the_same_call_opens_the_weights_again(is_frozen: bool) -> None:
    state = build_wren(2, is_frozen=is_frozen).state_dict()
    build_wren(2, is_frozen=is_frozen).load_state_dict(state)
