"""Decoding: RGB and never BGR, Pillow's pixels, and a reason for every bad file."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.images.decoding import decode_image, read_header, read_image, resize_image


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def photo(mode="RGB", size=(40, 30)):
    """Return a smooth picture that is red at the left and blue at the right."""
    x = np.linspace(0, 255, size[0])[np.newaxis, :].repeat(size[1], 0)
    y = np.linspace(0, 120, size[1])[:, np.newaxis].repeat(size[0], 1)
    return Image.fromarray(np.stack([255 - x, y, x], axis=-1).astype(np.uint8)).convert(mode)


def close(first, second, tolerance):
    return np.abs(first.astype(int) - second.astype(int)).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "mode", "tolerance"),
    [
        ("PNG", "RGB", 0),
        ("PNG", "RGBA", 0),
        ("PNG", "P", 0),
        ("PNG", "L", 0),
        ("PNG", "LA", 0),
        ("PNG", "1", 0),
        ("BMP", "RGB", 0),
        ("TIFF", "RGB", 0),
        ("TIFF", "CMYK", 0),
        ("WEBP", "RGB", 2),
        ("PPM", "RGB", 0),
        ("PPM", "L", 0),
        ("JPEG", "RGB", 4),
        ("JPEG", "L", 2),
        ("JPEG", "CMYK", 4),
    ],
)
@pytest.mark.parametrize("channels", [3, 1])
def test_pixels_are_those_of_pillow(kind, mode, tolerance, channels):
    data = encoded(photo(mode), kind)
    decoded = decode_image(data, channels=channels)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB" if channels == 3 else "L"))
    assert decoded.shape == (30, 40, channels) and decoded.dtype == np.uint8
    assert close(decoded, expected.reshape(30, 40, channels), tolerance + (channels == 1))


def test_transparent_palette_drops_alpha():
    image = photo("P")
    data = encoded(image, "PNG", transparency=0)
    assert close(decode_image(data, channels=3), np.asarray(image.convert("RGB")), 0)


def test_16_bit_grey_keeps_its_high_byte():
    values = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        decoded = decode_image(encoded(Image.fromarray(values), kind), channels=1)
        np.testing.assert_array_equal(decoded[:, :, 0], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo(), "JPEG", exif=exif, quality=95)
    upright = Image.open(io.BytesIO(data))
    from PIL import ImageOps

    assert close(decode_image(data, channels=3), np.asarray(ImageOps.exif_transpose(upright)), 4)


def bomb():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is a text", "not an image"),
        (encoded(photo(), "GIF"), "GIF is not supported"),
        (bomb(), "too many"),
        (encoded(photo(), "PNG")[:40], "damaged"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(data, reason):
    with pytest.raises(DataError, match=reason):
        decode_image(data, channels=3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
@settings(max_examples=25, deadline=None)
@given(part=st.floats(0.05, 0.95))
def test_a_truncated_file_is_never_shown_as_whole(kind, part):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    with pytest.raises(DataError):
        decode_image(data[: int(len(data) * part)], channels=3)


def test_damage_inside_a_png_is_noticed():
    data = bytearray(encoded(photo(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DataError):
        decode_image(bytes(data), channels=3)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm():
    data = encoded(photo(), "JPEG")
    assert close(decode_image(data + b"appended by a camera", channels=3), decode_image(data, channels=3), 2)


def test_header_counts_no_alpha():
    assert read_header(encoded(photo("LA"), "PNG")).channels == 1
    assert read_header(encoded(photo("RGBA"), "PNG")).channels == 3
    assert read_header(encoded(photo("L"), "JPEG")).channels == 1


def test_a_chinese_path_is_read_and_a_bad_one_named(tmp_path):
    folder = tmp_path / "数据 集"
    folder.mkdir()
    photo().save(folder / "猫.png")
    np.testing.assert_array_equal(read_image(folder / "猫.png", 3), np.asarray(photo()))
    (folder / "坏.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"坏\.png: the file is empty"):
        read_image(folder / "坏.png", 3)
    with pytest.raises(DataError, match="cannot be read"):
        read_image(folder / "none.png", 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 64), st.sampled_from([1, 3]))
def test_resized_image_is_a_square_and_keeps_a_constant(height, width, size, channels):
    image = np.full((height, width, channels), 77, np.uint8)
    np.testing.assert_array_equal(resize_image(image, size), np.full((size, size, channels), 77, np.uint8))


def test_resizing_takes_the_centre():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert resize_image(image, 5).min() == 255


def test_mirrored_image_gives_mirrored_resize():
    image = np.asarray(photo(size=(64, 48)))
    assert close(resize_image(image[:, ::-1], 16), resize_image(image, 16)[:, ::-1], 1)


def test_shrinking_does_not_alias():
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., np.newaxis]
    assert close(resize_image(checkers, 16), np.full((16, 16, 1), 127), 1)
