"""Pictures of a run as data URIs of bounded size."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.core.errors import DlError
from dlcli.data.images.decoding import read_image

MAX_FILE_BYTES = 64 * 2**20
"""A larger file is not read: the pictures that `dl` draws have at most some megabytes."""
MAX_PICTURE_BYTES = 220_000
MAX_TOTAL_BYTES = 1_900_000
"""As base64 these are 2.5 MB."""
STEPS = ((1400, 80), (900, 75), (560, 65), (320, 50))
"""The largest width and the quality of each try: smaller until the file is small enough."""
MAX_LOSSLESS_PX = 65_536
"""Smaller pictures, such as grids of digits, stay exact."""


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    Attributes:
        uri: its data, "" if it was left out.
        alt: what it shows, in words.
        caption: the line below it.
        width, height: in pixels.
    """

    uri: str
    alt: str
    caption: str
    width: int = 0
    height: int = 0


@dataclass
class Album:
    """The pictures of one page, together at most `limit` bytes.

    Attributes:
        limit: bytes that are left.
        left_out: names of the files that found no room or could not be read.
    """

    limit: int = MAX_TOTAL_BYTES
    left_out: list[str] = field(default_factory=list)

    def shot(self, path: Path, alt: str, caption: str) -> Shot | None:
        """Return the picture of a file, scaled down until it is small enough; None where it is left out."""
        encoded = _encoded(path, min(MAX_PICTURE_BYTES, self.limit))
        if encoded is None:
            self.left_out.append(path.name)
            return None
        kind, data, (width, height) = encoded
        self.limit -= len(data)
        uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        return Shot(uri, alt, caption, width, height)


def _encoded(path: Path, most: int) -> tuple[str, bytes, tuple[int, int]] | None:
    """Return the kind, the bytes and the size (width, height) of a picture of at most `most` bytes, or None."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return None
        pixels = read_image(path, 3)
    except (OSError, DlError):
        return None
    import cv2
    import numpy as np

    height, width = pixels.shape[:2]
    for largest, quality in STEPS:
        factor = min(largest / width, 2 * largest / height, 1.0)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else pixels
        bgr = np.ascontiguousarray(smaller[:, :, ::-1])
        is_exact = size[0] * size[1] <= MAX_LOSSLESS_PX and factor == 1
        kind, flags = ("png", []) if is_exact else ("webp", [cv2.IMWRITE_WEBP_QUALITY, quality])
        data = cv2.imencode(f".{kind}", bgr, flags)[1].tobytes()
        if len(data) <= most:
            return kind, data, size
    return None
