"""Files that fit images themselves take decoded images of any size, one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.images.whole import WHOLE_IMAGES, encode_whole, one_by_one, takes_whole_images


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (False, False), (1, False), ("true", False), (None, False)]
)
def test_only_the_asset_itself_says_that_a_file_fits_images(value: object, expected: bool) -> None:
    assert takes_whole_images({WHOLE_IMAGES: value, "preprocess": {}}) is expected
    assert not takes_whole_images({"preprocess": {}})


def test_an_image_keeps_its_size_and_values_and_lies_in_one_piece() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (7, 9, 4), dtype=np.uint8)
    turned = photo[::-1, :, :3]
    item = encode_whole("a.png", turned, context={"size": (7, 9)})
    assert item.context == {"size": (7, 9)}
    assert item.arrays is not None
    assert item.arrays["images"].flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(item.arrays["images"], turned)


def test_images_of_any_sizes_are_batches_of_one_in_order() -> None:
    images = [np.full((height, 3, 3), height, np.uint8) for height in (2, 5, 2)]
    batches = list(one_by_one([encode_whole(f"{number}.png", image) for number, image in enumerate(images)]))
    assert [list(rows) for rows, _ in batches] == [[0], [1], [2]]
    for (_, arrays), image in zip(batches, images, strict=True):
        np.testing.assert_array_equal(arrays["images"], image[None])
