"""The pixels that a unit can see, and those that matter to it, of networks whose gradient is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.visualize.field import EFFECTIVE, THEORETICAL, draw_field, effective_box, measure_field, noise_images


def chain(*layers: nn.Module) -> nn.Sequential:
    model = nn.Sequential(*layers)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1.0)
    return model


def conv(stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, 3, stride, 1, bias=False)


IMAGES = [torch.ones(2, 1, 13, 13)]


def test_two_equal_filters_give_the_binomial_weights_of_the_paper() -> None:
    # Two convolutions with ones: 1 2 3 2 1 along each axis, of which the corner 1/9 is above 4.55 %.
    found = measure_field(chain(conv(), conv()), IMAGES, "1")
    row = np.array([1, 2, 3, 2, 1]) / 3
    np.testing.assert_allclose(found.weights[4:9, 4:9], np.outer(row, row), rtol=1e-6)
    assert (found.unit, found.shape) == ((6, 6), (1, 13, 13))
    assert (found.theoretical, found.box, found.effective) == (5, (4, 4, 9, 9), 5.0)
    assert found.weights.sum() == pytest.approx(np.outer(row, row).sum()), "nothing outside of the square"


def test_what_hardly_matters_is_seen_and_not_effective() -> None:
    model = chain(conv())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.01, 0.02, 0.01], [0.5, 1.0, 0.5], [0.01, 0.04, 0.01]])[None, None])
    found = measure_field(model, IMAGES, "0")
    assert found.theoretical == 3
    assert found.effective == pytest.approx(3**0.5)
    assert effective_box(found.weights) == (5, 6, 8, 7)


def test_steps_move_the_square_to_the_units_place() -> None:
    found = measure_field(chain(conv(2), conv(2)), IMAGES, "1")
    # 13 -> 7 -> 4: unit 2 stands on pixel 8 and sees three to either side.
    assert (found.unit, found.theoretical, found.box) == ((2, 2), 7, (5, 5, 12, 12))
    assert np.nonzero(found.weights.any(axis=0))[0].tolist() == list(range(5, 12))


def test_a_layer_that_follows_a_linear_one_sees_all() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(169, 18), nn.Unflatten(1, (2, 3, 3)))
    found = measure_field(model, IMAGES, "2")
    assert (found.theoretical, found.box) == (None, (0, 0, 13, 13))


def test_a_layer_changed_in_place_is_seen_as_it_was_and_the_model_stays_as_it_is() -> None:
    model = nn.Sequential(conv(), nn.BatchNorm2d(1), nn.ReLU(inplace=True)).train()
    with torch.no_grad():
        model[1].bias.fill_(-9.0)  # every unit is dead after the ReLU
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert measure_field(model, IMAGES, "1").effective > 0
    assert measure_field(model, IMAGES, "2").effective == 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(each.requires_grad and each.grad is None for each in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_noise_is_the_same_each_time() -> None:
    example = torch.zeros(1, 3, 4, 4)
    images = noise_images(example, 5)
    assert images.shape == (5, 3, 4, 4)
    assert torch.equal(images, noise_images(example, 5))
    assert 0 <= float(images.min()) < float(images.max()) <= 255


def test_the_picture_has_both_squares_on_image_and_map() -> None:
    found = measure_field(chain(conv(), conv()), IMAGES, "1")
    picture = draw_field(found, np.zeros((13, 13, 3), np.uint8), title="运行, layer 1", of_what="over noise")
    assert picture.dtype == np.uint8
    halves = np.array_split(picture, 2, axis=1)
    for half in halves:
        for colour in (EFFECTIVE,):
            assert (half == colour).all(axis=2).any()
    assert THEORETICAL != EFFECTIVE
