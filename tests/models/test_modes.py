from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from dlcli.models.detection.torchvision_detectors import build_torchvision_detector
from dlcli.models.images.zoo import build_torchvision
from dlcli.models.modes import batch_norms, evaluating, quicken_statistics
from dlcli.models.segmentation.torchvision_nets import build_torchvision_segmenter


def _half_frozen() -> nn.Sequential:
    """Return a network in training mode whose first layer is in evaluation mode."""
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Sequential(nn.Dropout(), nn.Linear(2, 2)))
    model.train()
    model[0].eval()
    return model


def _modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def test_every_module_evaluates_within_and_has_its_own_mode_again_after() -> None:
    model = _half_frozen()
    before = _modes(model)
    assert set(before) == {True, False}
    with evaluating(model):
        assert not any(_modes(model))
    assert _modes(model) == before


def test_the_modes_come_back_after_an_error() -> None:
    model = _half_frozen()
    before = _modes(model)
    with pytest.raises(ValueError, match="stop"), evaluating(model):
        raise ValueError("stop")
    assert _modes(model) == before


def test_one_within_another_changes_nothing() -> None:
    model = _half_frozen()
    before = _modes(model)
    with evaluating(model):
        with evaluating(model):
            pass
        assert not any(_modes(model))
    assert _modes(model) == before


def test_slow_statistics_follow_as_fast_as_torchs_own_and_fast_ones_stay() -> None:
    norms = [nn.BatchNorm2d(2, momentum=momentum) for momentum in (0.01, 0.1, 0.4, None)]
    quicken_statistics(nn.Sequential(*norms, nn.InstanceNorm2d(2)))
    assert [norm.momentum for norm in norms] == [0.1, 0.1, 0.4, None]


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_torchvision("mobilenet_v3_small", num_classes=2),
        lambda: build_torchvision("mnasnet0_5", num_classes=2),
        lambda: build_torchvision_segmenter("lraspp_mobilenet_v3_large", 2),
        lambda: build_torchvision_detector(name="ssdlite320_mobilenet_v3_large", num_classes=2),
    ],
)
def test_no_network_of_torchvision_forgets_its_start_too_slowly(build: Callable[[], nn.Module]) -> None:
    momenta = [norm.momentum for norm in batch_norms(build())]
    assert momenta
    assert all(momentum is not None and momentum >= 0.1 for momentum in momenta)
