"""Decoding: RGB and never BGR, Pillow's pixels, and a reason for every bad file."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dlcli.core.errors import DataError
from dlcli.data.images.decoding import (
    ImageHeader,
    decode_image,
    read_bytes,
    read_header,
    read_image,
    resize_image,
)


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


def png_of(width, height, colour_type=2):
    """Return a PNG file whose header promises that size, without pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is a text", "not an image"),
        (encoded(photo(), "GIF"), "GIF is not supported"),
        (png_of(10_000, 10_000), "too many"),
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


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM"])
@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1)])
def test_a_header_says_format_size_and_channels_without_decoding(kind, mode, channels):
    data = encoded(photo(mode), kind)
    expected = ImageHeader(kind, 40, 30, 3 if kind == "WEBP" else channels)  # WebP knows no grey
    assert read_header(data) == expected


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (3, 3), (4, 1), (6, 3)])
def test_a_png_needs_its_first_chunk_alone_to_be_known(colour_type, channels):
    assert read_header(png_of(7, 5, colour_type)[:33]) == ImageHeader("PNG", 7, 5, channels)


@pytest.mark.parametrize(("width", "height"), [(9_999, 10_000), (1, 99_999_999), (99_999_999, 1)])
def test_just_under_100_megapixels_is_not_too_many(width, height):
    assert read_header(png_of(width, height)) == ImageHeader("PNG", width, height, 3)


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (1, 100_000_000), (2**31 - 1, 2**31 - 1)])
def test_100_megapixels_are_too_many(width, height):
    with pytest.raises(DataError, match=f"{width} x {height}"):
        read_header(png_of(width, height))


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(width, height):
    with pytest.raises(DataError, match="pixels"):
        read_header(png_of(width, height))


def test_the_content_decides_and_never_the_name(tmp_path):
    path = tmp_path / "照片.png"
    path.write_bytes(encoded(photo(), "BMP"))
    np.testing.assert_array_equal(read_image(path, 3), np.asarray(photo()))


def test_a_phones_jpeg_with_a_second_picture_is_a_jpeg():
    data = encoded(photo(), "MPO", save_all=True, append_images=[photo("L").convert("RGB")])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert read_header(data).format == "JPEG"
    assert close(decode_image(data, channels=3), decode_image(encoded(photo(), "JPEG"), channels=3), 2)


def test_floating_point_pixels_have_no_agreed_range():
    data = encoded(Image.fromarray(np.random.default_rng(0).random((4, 4)).astype(np.float32)), "TIFF")
    with pytest.raises(DataError, match="floating-point"):
        decode_image(data, channels=1)


def test_grey_as_colour_repeats_its_channel_and_colour_as_grey_weighs_by_rec_601():
    grey = decode_image(encoded(photo("L"), "PNG"), channels=3)
    assert (grey[:, :, :1] == grey).all()
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    found = decode_image(encoded(Image.fromarray(colours), "PNG"), channels=1)
    assert close(found[0, :, 0], np.array([0.299, 0.587, 0.114]) * 255, 1)


def test_a_file_beyond_the_limit_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("dlcli.data.images.decoding.MAX_BYTES", 10)
    (tmp_path / "a.png").write_bytes(b"x" * 10)
    assert read_bytes(tmp_path / "a.png") == b"x" * 10
    (tmp_path / "a.png").write_bytes(b"x" * 11)
    with pytest.raises(DataError, match="larger"):
        read_bytes(tmp_path / "a.png")


def test_a_folder_is_no_image_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_bytes(tmp_path)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_shrinking_by_a_whole_factor_is_the_mean_of_each_block(factor):
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    side = 12 // factor
    means = image.reshape(side, factor, side, factor, 3).mean((1, 3))
    assert np.abs(resize_image(image, side) - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("size", [9, 16, 31])
def test_enlarging_is_torchs_bilinear(size):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    expected = F.interpolate(pixels, (size, size), mode="bilinear", align_corners=False)[0].permute(1, 2, 0).numpy()
    assert np.abs(resize_image(image, size) - expected).max() <= 1


@pytest.mark.parametrize("shape", [(7, 7), (7, 12), (12, 7)])
def test_an_image_whose_shorter_side_fits_keeps_its_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8)
    resized = resize_image(image, 7)
    top, left = (shape[0] - 7) // 2, (shape[1] - 7) // 2
    np.testing.assert_array_equal(resized, image[top : top + 7, left : left + 7])
    assert resized.flags["C_CONTIGUOUS"]


def test_turning_the_image_turns_its_resize():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert close(resize_image(np.rot90(image), 7), np.rot90(resize_image(image, 7)), 1)


def tiff(pixels, *, is_signed=False, white_is_zero=False):
    """Return an uncompressed grey TIFF of an (H, W) integer array."""
    height, width = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    values = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: 0 if white_is_zero else 1,
        273: 8 + 2 + 10 * 12 + 4,
        277: 1,
        278: height,
        279: pixels.nbytes,
        339: 2 if is_signed else 1,
    }
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in values.items())
    return b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + struct.pack("<I", 0) + pixels.tobytes()


RAMP = np.tile(np.arange(0, 256, 4), (9, 1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["<i4", "<u4", "<i2"])
def test_signed_and_32_bit_integers_have_no_agreed_range(kind, channels):
    with pytest.raises(DataError, match="signed or 32-bit integer pixels have no defined range"):
        decode_image(tiff(RAMP.astype(kind), is_signed=kind[1] == "i"), channels=channels)


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize(("kind", "factor"), [("<u2", 257), ("u1", 1)])
def test_zero_is_black_unless_a_tiff_says_otherwise(kind, factor, white_is_zero):
    stored = ((255 - RAMP if white_is_zero else RAMP) * factor).astype(kind)
    assert (decode_image(tiff(stored, white_is_zero=white_is_zero), channels=1)[:, :, 0] == RAMP).all()


@pytest.mark.parametrize("maximum", [1023, 4095, 65535])
def test_a_pgm_of_more_than_8_bits_is_scaled_by_its_maximum(maximum):
    data = b"P5\n64 9\n%d\n" % maximum + (RAMP / 255 * maximum).round().astype(">u2").tobytes()
    assert close(decode_image(data, channels=1)[:, :, 0], RAMP, 1)


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "MPO", "TIFF"])
def test_of_several_pictures_the_first_is_read(kind):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "MPO" else {}
    other = Image.new("RGB", (40, 30), "white")
    data = encoded(photo(), kind, save_all=True, append_images=[other], **options)
    assert close(decode_image(data, channels=3), np.asarray(photo()), 8 if kind == "MPO" else 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_lab_is_converted(channels):
    lab = ImageCms.profileToProfile(
        photo(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    # LAB has 8 bits, too few for the bluest blues; read as if it were RGB, it would differ by more than 100.
    expected = np.asarray(photo("RGB" if channels == 3 else "L")).reshape(30, 40, channels)
    assert close(decode_image(encoded(lab, "TIFF"), channels=channels), expected, 36)


@pytest.mark.parametrize(("data", "name"), [(b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"), ("GIF", "GIF")])
def test_a_format_that_is_not_read_is_named(data, name):
    data = encoded(photo("P"), data) if isinstance(data, str) else data
    with pytest.raises(DataError, match=f"{name} is not supported"):
        decode_image(data, channels=3)
