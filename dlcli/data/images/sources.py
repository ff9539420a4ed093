"""The image of a source, in whatever way it was given."""

from __future__ import annotations

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Source
from dlcli.data.images.decoding import decode_image, read_image


def read_pixels(source: Source) -> np.ndarray:
    """Return the image of a source, (H, W, 3) uint8.

    Args:
        source: its value is a path, the bytes of a file, a frame, or the error that stands in place of one.

    Raises:
        DataError: the file cannot be read, or is not an image.
    """
    if isinstance(source.value, DataError):
        raise source.value
    if isinstance(source.value, np.ndarray):
        return source.value
    if isinstance(source.value, bytes):
        return decode_image(source.value, channels=3)
    return read_image(source.value, channels=3)
