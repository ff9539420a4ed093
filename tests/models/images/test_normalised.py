from __future__ import annotations

import torch
from torch import nn

from dlcli.models.images.normalised import Normalised

IMAGES = torch.randint(0, 256, (4, 3, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN, STD = (0.5, 0.25, 0.1), (0.2, 0.3, 0.5)


def test_pixels_are_scaled_and_shifted_per_channel():
    by_hand = torch.stack([(IMAGES[:, c] / 255 - MEAN[c]) / STD[c] for c in range(3)], dim=1)
    torch.testing.assert_close(Normalised(nn.Identity(), MEAN, STD)(IMAGES), by_hand)


def test_float_pixels_answer_as_bytes_do():
    model = Normalised(nn.Identity(), MEAN, STD)
    assert torch.equal(model(IMAGES), model(IMAGES.float()))


def test_images_of_the_datas_own_mean_and_spread_become_standard():
    pixels = IMAGES.float() / 255
    model = Normalised(nn.Identity(), pixels.mean((0, 2, 3)).tolist(), pixels.std((0, 2, 3)).tolist())
    normalised = model(IMAGES)
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std((0, 2, 3)), torch.ones(3), atol=1e-5, rtol=0)


def test_mean_and_spread_travel_with_the_weights():
    first, second = Normalised(nn.Conv2d(3, 2, 1), MEAN, STD), Normalised(nn.Conv2d(3, 2, 1), (0, 0, 0), (1, 1, 1))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(IMAGES), second(IMAGES))


def test_only_the_network_is_trained():
    model = Normalised(nn.Conv2d(3, 2, 1), MEAN, STD)
    assert [name for name, _ in model.named_parameters()] == ["network.weight", "network.bias"]
