"""Label maps and positions of annotated images as their files store them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.images.decoding import read_bytes, read_header


def read_indices(path: Path) -> np.ndarray:
    """Return the values of a label map or an instance map, (H, W) uint8: a palette's indices, or grey levels.

    Raises:
        DataError: the file cannot be read, or its pixels are colours; the message is only the reason.
    """
    from PIL import Image

    data = read_bytes(path)
    read_header(data)
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in ("P", "L", "1", "I;16", "I"):
                raise DataError("its pixels are colours, not indices of a palette")
            values = np.asarray(image)
    except DataError:
        raise
    except Exception as error:  # Pillow raises almost anything on damaged files
        raise DataError(f"a damaged image: {error or type(error).__name__}") from None
    return np.ascontiguousarray(np.clip(values, 0, 255), dtype=np.uint8)


def turned(points: np.ndarray, orientation: int, height: int, width: int) -> np.ndarray:
    """Return points of an image as stored, (N, 2) of x and y, as points of it as it is seen.

    Args:
        points: in pixels.
        orientation: EXIF's, 5 to 8.
        height, width: of the image as stored.
    """
    x, y = points[:, 0], points[:, 1]
    if orientation in (6, 7):  # its left column comes from the bottom row
        y = height - y
    if orientation in (7, 8):
        x = width - x
    return np.stack([y, x], axis=1)
