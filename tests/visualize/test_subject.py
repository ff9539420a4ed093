"""What pictures are made of: inputs as tensors and as pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.data.codec import Source
from dlcli.visualize.subject import Input, require_images

PIXELS = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)


def input_of(**arrays: torch.Tensor) -> Input:
    return Input("猫", Source("猫.png", "猫.png"), arrays)


def test_images_are_passed_on_as_they_are() -> None:
    assert require_images(PIXELS) is PIXELS


@pytest.mark.parametrize("shape", [(4,), (2, 9), (3, 4, 5), (1, 3, 4, 5, 6)])
def test_what_is_no_batch_of_images_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="images"):
        require_images(torch.zeros(shape))


def test_the_picture_of_an_input_is_its_pixels() -> None:
    item = input_of(images=PIXELS[:1])
    assert item.tensor.shape == (1, 3, 4, 5)
    np.testing.assert_array_equal(item.picture, PIXELS[0].permute(1, 2, 0).numpy())


def test_a_grey_input_is_drawn_in_three_equal_channels() -> None:
    item = input_of(images=PIXELS[:1, :1])
    assert item.picture.shape == (4, 5, 3)
    assert all(np.array_equal(item.picture[..., channel], PIXELS[0, 0].numpy()) for channel in range(3))


def test_an_input_of_words_has_no_picture() -> None:
    item = input_of(tokens=torch.zeros(1, 7), lengths=torch.zeros(1))
    for read in (lambda: item.tensor, lambda: item.picture):
        with pytest.raises(UsageError, match="images"):
            read()
