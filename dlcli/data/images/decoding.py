"""Decoding images of any common format to RGB or grey arrays, and the resize used by evaluation and prediction.

Bytes are read before decoding: `cv2.imread` cannot open a path with Chinese characters on Windows. OpenCV, which is
faster, decodes first; if it fails, or would silently accept a truncated file, Pillow decides.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.images.muffling import muffled

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIX_OF = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "WEBP": ".webp", "TIFF": ".tif", "PPM": ".ppm"}
MAX_PIXELS = 100_000_000  # 300 MB as RGB; a header with more is an accident or a decompression bomb
MAX_BYTES = 512 * 2**20
_UNSUPPORTED = "{} is not supported (PNG, JPEG, BMP, WebP, TIFF and PPM are)"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}  # colour type -> channels without alpha; a palette is colour
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image file.

    Attributes:
        format: "PNG", "JPEG", "BMP", "WEBP", "TIFF" or "PPM" (also for PGM).
        width, height: in pixels, as stored (an EXIF orientation may swap them).
        channels: 1 for grey, 3 for colour, not counting alpha.
    """

    format: str
    width: int
    height: int
    channels: int


def read_header(data: bytes) -> ImageHeader:
    """Return the header of an image, from the content of its file.

    Raises:
        DataError: the file is empty, not an image, of an unsupported format, or of 100 megapixels or more.
    """
    header = _png_header(data) or _pillow_header(data)
    if header.width * header.height >= MAX_PIXELS:
        raise DataError(f"{header.width} x {header.height} pixels are too many (the limit is 100 megapixels)")
    if not header.width or not header.height:
        raise DataError("the image has no pixels")
    return header


def _png_header(data: bytes) -> ImageHeader | None:
    """Return the header from the first chunk of a PNG file: 50 times faster than Pillow, which matters for 60,000."""
    if len(data) < 33 or not data.startswith(_PNG_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    width, height, _depth, colour_type = struct.unpack(">IIBB", data[16:26])
    return ImageHeader("PNG", width, height, _PNG_CHANNELS.get(colour_type, 3))


def _pillow_header(data: bytes) -> ImageHeader:
    if not data:
        raise DataError("the file is empty")
    with _opened_by_pillow(data) as image:
        if image.format not in SUFFIX_OF and image.format != "MPO":  # MPO: a JPEG with a second picture, from phones
            raise DataError(_UNSUPPORTED.format(image.format))
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        return ImageHeader(kind, image.width, image.height, 1 if image.mode in _GREY_MODES else 3)


def _opened_by_pillow(data: bytes) -> Any:
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; and our own limit of pixels is stricter, and raises
            return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise DataError("too many pixels (the limit is 100 megapixels)") from None
    except Exception as error:  # Pillow's plugins raise anything on damaged headers (SyntaxError, struct.error, ...)
        from PIL import UnidentifiedImageError

        if isinstance(error, UnidentifiedImageError):
            is_heic = data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1")
            raise DataError(_UNSUPPORTED.format("HEIC") if is_heic else "not an image, or a damaged one") from None
        raise DataError(f"a damaged image: {error or type(error).__name__}") from None


def decode_image(data: bytes, *, channels: int) -> np.ndarray:
    """Return the image as (H, W, channels) uint8: RGB for 3, grey for 1.

    EXIF orientation is applied; alpha is dropped as by Pillow's `convert("RGB")` (the colour of transparent pixels
    shows); 16 bits are reduced to 8 by their high byte; CMYK is converted to RGB; colour to grey by Rec. 601 weights.
    Of an animation, or of several pages, the first is read.

    Args:
        data: content of the file.
        channels: 1 or 3.

    Raises:
        DataError: the bytes are empty, truncated, damaged, not an image or too large; the message is only the reason.
    """
    header = read_header(data)
    image = None
    if looks_whole(data, header):
        flag = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE
        try:
            with muffled:
                image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
        except cv2.error:
            image = None
    if image is None:
        return _decode_with_pillow(data, channels)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if channels == 3 else image[:, :, np.newaxis]


def looks_whole(data: bytes, header: ImageHeader) -> bool:
    """Return whether the file has its end marker: OpenCV fills the missing end of a truncated JPEG or PNG with grey."""
    if header.format == "JPEG":
        return data.rstrip(b"\0").endswith(b"\xff\xd9")
    if header.format == "PNG":
        return data.rstrip(b"\0").endswith(b"IEND\xaeB`\x82")
    return header.format == "WEBP"


def _decode_with_pillow(data: bytes, channels: int) -> np.ndarray:
    import warnings

    with warnings.catch_warnings(), muffled, _opened_by_pillow(data) as opened:
        warnings.simplefilter("ignore")
        return pixels_of_image(opened, channels)


def pixels_of_image(opened: Image, channels: int) -> np.ndarray:
    """Return a picture that Pillow has opened as (H, W, channels) uint8; see `decode_image`.

    Raises:
        DataError: it is truncated or damaged, or its pixels have no defined range; the message is only the reason.
    """
    from PIL import ImageOps

    try:
        opened.load()
        is_inverted = _is_white_zero(opened)
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I") or image.mode == "F":
            grey = _to_8_bits(np.asarray(image), is_tiff=opened.format == "TIFF")
            return np.repeat((255 - grey if is_inverted else grey)[:, :, np.newaxis], channels, axis=2)
        if image.mode == "LAB":  # which Pillow converts to RGB only
            image = image.convert("RGB")
        pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    except DataError:
        raise
    except Exception as error:  # as above: a damaged file may raise almost anything
        raise DataError(f"a truncated or damaged image: {error or type(error).__name__}") from None
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], channels))


def _is_white_zero(image: Any) -> bool:
    """Return whether 0 is white in a 16-bit TIFF; Pillow inverts 8-bit ones only."""
    photometric = 262
    return image.format == "TIFF" and image.mode.startswith("I;16") and image.tag_v2.get(photometric) == 0


def _to_8_bits(pixels: np.ndarray, *, is_tiff: bool) -> np.ndarray:
    """Return the high byte of 16-bit grey pixels as uint8; Pillow's own conversion clips at 255.

    Raises:
        DataError: the pixels are floats, or a TIFF's signed or 32-bit integers: only the program that wrote them knows
            their range. Pillow scales those of PGM to 16 bits.
    """
    if pixels.dtype.kind == "f":
        raise DataError("floating-point pixels have no defined range")
    if is_tiff and pixels.dtype.itemsize > 2:
        raise DataError("signed or 32-bit integer pixels have no defined range")
    return (np.clip(pixels.astype(np.int64), 0, 65535) >> 8).astype(np.uint8)


def read_bytes(path: Path) -> bytes:
    """Return the file's bytes.

    Raises:
        DataError: the file cannot be read or is larger than 512 MB.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise DataError("no file name contains a NUL: name one file per line (`find` without -print0)") from None
    if len(data) > MAX_BYTES:
        raise DataError("larger than 512 MB")
    return data


def read_image(path: Path, channels: int) -> np.ndarray:
    """Return the image file as (H, W, channels) uint8, RGB or grey; see `decode_image`.

    Raises:
        DataError: the file cannot be read or decoded; the message names it.
    """
    try:
        return decode_image(read_bytes(path), channels=channels)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint="repair or remove the file") from None


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Return the centre crop of the image with its shorter side scaled to `size`, (size, size, C) uint8.

    The square is cropped before it is scaled, which gives the same region and touches fewer pixels; see `scale_image`.

    Args:
        image: (H, W, C) uint8.
        size: side of the result in pixels.
    """
    height, width, _ = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return scale_image(image[top : top + side, left : left + side], size, size)


def scale_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the image at another size of about the same proportions, (height, width, C) uint8.

    Shrinking averages areas (no aliasing); enlarging is bilinear.

    Args:
        image: (H, W, C) uint8.
        height, width: of the result in pixels, both at least those of the image or both at most.
    """
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    method = cv2.INTER_AREA if image.shape[0] > height or image.shape[1] > width else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=method)
    return resized.reshape(height, width, image.shape[2])
