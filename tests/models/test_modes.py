from __future__ import annotations

import pytest
from torch import nn

from dlcli.models.modes import evaluating


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
