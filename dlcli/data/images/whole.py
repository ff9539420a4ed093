"""Exported files whose graph fits images itself: such a file takes decoded images, whatever their size. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.data.codec import Arrays, Encoded, Source

WHOLE_IMAGES = "whole_images"
"""The asset that only such a file has."""


def takes_whole_images(assets: Mapping[str, Any]) -> bool:
    """Return whether the assets are those of a file that fits images itself."""
    return assets.get(WHOLE_IMAGES) is True


def encode_whole(source: Source, image: np.ndarray, **more: Any) -> Encoded:
    """Return an image as `images`, (H, W, C) uint8, as such a file takes it; `more` are fields of `Encoded`."""
    return Encoded(source, {"images": np.ascontiguousarray(image)}, **more)


def one_by_one(items: Sequence[Encoded]) -> Iterator[tuple[Sequence[int], Arrays]]:
    """Yield a batch for each image: a photo as floats takes 150 MB, and most differ in size anyway."""
    for index, item in enumerate(items):
        assert item.arrays is not None
        yield [index], {name: array[np.newaxis] for name, array in item.arrays.items()}
