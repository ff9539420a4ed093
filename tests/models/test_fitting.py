from __future__ import annotations

import pytest
from torch import nn

from dlcli.models.fitting import FIT_IMAGES, FitsToImages, LearnsEarly, fit_count
from dlcli.models.images.airnet import AirNet


@pytest.mark.parametrize(
    ("height", "width", "count"), [(32, 32, 5000), (8, 8, 5000), (64, 64, 1250), (32, 64, 2500), (10_000, 10_000, 1)]
)
def test_larger_images_are_fewer_with_as_many_pixels_together(height, width, count):
    assert fit_count(height, width) == count
    assert count == 1 or count * height * width <= FIT_IMAGES * 32 * 32


def test_a_network_is_known_by_what_it_can_do():
    net, plain = AirNet(num_classes=3), nn.Linear(2, 2)
    assert isinstance(net, FitsToImages)
    assert isinstance(net, LearnsEarly)
    assert not isinstance(plain, (FitsToImages, LearnsEarly))
    parameters = {id(parameter) for parameter in net.parameters()}
    for parameter, part in net.learned_early():
        assert id(parameter) in parameters
        assert 0 < part < 1
