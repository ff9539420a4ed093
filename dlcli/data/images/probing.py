"""What is known of an image file without decoding it where its header is enough: size as it is seen, digest, format."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from dlcli.data.images.decoding import (
    SUFFIX_OF,
    ImageHeader,
    decode_image,
    looks_whole,
    read_bytes,
    read_header,
)

_ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4: 1 upright, 2 to 4 mirrored or turned by 180 degrees, 5 to 8 sides swapped
_SIDES_SWAPPED = (5, 6, 7, 8)
_EXIF_MARKERS = {"JPEG": (65536, b"Exif\0"), "PNG": (0, b"eXIf"), "WEBP": (0, b"EXIF"), "TIFF": (4, b"*")}
"""Format -> within how many bytes, 0 for all of them, EXIF data stands behind which mark."""


@dataclass(frozen=True)
class ImageFile:
    """An image file that can be read.

    Attributes:
        height, width: in pixels, as it is seen (after an EXIF orientation).
        orientation: EXIF's, 1 to 8.
        sha256: of its bytes; b"" if it was not asked for.
        suffix: of its format, whatever its name says.
    """

    height: int
    width: int
    orientation: int
    sha256: bytes
    suffix: str


def probe_image(path: Path, *, with_digest: bool = True) -> ImageFile:
    """Return what is known of an image file.

    Only a file without its end marker, or of a format whose header does not say how it is seen, is decoded.

    Args:
        path: the file.
        with_digest: whether its SHA-256 is wanted, which takes half of the time.

    Raises:
        DataError: the file cannot be read, or is no whole image; the message is only the reason.
    """
    data = read_bytes(path)
    header = read_header(data)
    orientation = _orientation(data, header)
    is_plain = header.format == "JPEG" or (header.format in ("PNG", "WEBP") and orientation == 1)
    if is_plain and looks_whole(data, header):
        height, width = header.height, header.width
        if orientation in _SIDES_SWAPPED:
            height, width = width, height
    else:
        height, width = decode_image(data, channels=header.channels).shape[:2]
    digest = hashlib.sha256(data).digest() if with_digest else b""
    return ImageFile(height, width, orientation, digest, SUFFIX_OF[header.format])


def _orientation(data: bytes, header: ImageHeader) -> int:
    start, marker = _EXIF_MARKERS.get(header.format, (0, b""))
    if not marker or marker not in data[: start or None]:
        return 1
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata, of which Pillow raises almost anything: the image is shown as it is stored
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
