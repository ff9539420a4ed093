"""Items of image loaders: the axes of a batch, and the advice about unreadable files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.images.items import LIST_THEM, PREPARE_AGAIN, image_loader, stack_images
from dlcli.data.order import Order


def test_a_batch_holds_each_image_with_its_channels_first() -> None:
    images = [np.full((2, 3, 3), 7, np.uint8), np.arange(18, dtype=np.uint8).reshape(2, 3, 3)]
    batch = stack_images(images)
    assert batch.shape == (2, 3, 2, 3)
    assert (batch[0] == 7).all()
    assert batch[1, :, 1, 2].tolist() == images[1][1, 2].tolist() == [15, 16, 17]
    assert batch.permute(0, 2, 3, 1).is_contiguous()  # no pixel is moved: networks prefer this layout in memory


def read_even(index: int, *, seed: int, epoch: int) -> int:
    del seed, epoch
    if index % 2:
        raise DataError(f"{index}.png: cut off")
    return index


def collate(items: list[Any]) -> dict[str, Any]:
    return {"rows": items}


def test_too_many_unreadable_images_end_with_the_advice_of_their_kind() -> None:
    order = Order(np.arange(4), 4, seed=None)
    options = {"workers": 0, "on_bad": lambda reason: None}
    (batch,) = image_loader(order, read_even, collate, max_bad=2, **options).batches()
    assert batch == {"rows": [0, 2]}
    for given, expected in (({}, PREPARE_AGAIN), ({"hint": LIST_THEM}, LIST_THEM)):
        with pytest.raises(DataError, match="2 images cannot be read, more than --max-bad 1") as caught:
            list(image_loader(order, read_even, collate, max_bad=1, **options, **given).batches())
        assert caught.value.hint == expected
        assert list(caught.value.details) == ["1.png: cut off", "3.png: cut off"]
