"""The PNG writer: every decoder reads back the very pixels."""

from __future__ import annotations

import io
import os
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.images import png
from dlcli.data.images.png import PngWriters, encode_pngs, write_png_files


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_cv2_and_pillow_read_back_the_same_pixels(height, width, channels, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, channels), dtype=np.uint8)
    for image, data in zip(images, encode_pngs(images), strict=True):
        by_cv2 = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        by_pillow = np.asarray(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(by_pillow.reshape(image.shape), image)
        np.testing.assert_array_equal(by_cv2.reshape(image.shape)[..., ::-1], image)


def test_smooth_images_shrink():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, np.newaxis], (1, 32, 32, 3)).copy()
    [data] = encode_pngs(ramp)
    assert len(data) < ramp.size / 4


@pytest.fixture
def rows(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "rows.npy", images)
    (tmp_path / "class").mkdir()
    return images, tmp_path / "rows.npy", tmp_path / "class"


@pytest.mark.parametrize("has_dir_fd", [True, False])
def test_rows_become_files_with_and_without_directory_descriptors(rows, monkeypatch, has_dir_fd):
    images, packed_file, folder = rows
    if not has_dir_fd:
        monkeypatch.setattr(os, "supports_dir_fd", set())
    write_png_files(packed_file, 2, folder, ["猫 1.png", "b.png"])
    assert sorted(path.name for path in folder.iterdir()) == ["b.png", "猫 1.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "猫 1.png")), images[2])
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "b.png")), images[3])


@pytest.mark.parametrize("has_dir_fd", [True, False])
def test_an_existing_file_is_never_overwritten(rows, monkeypatch, has_dir_fd):
    _, packed_file, folder = rows
    if not has_dir_fd:
        monkeypatch.setattr(os, "supports_dir_fd", set())
    (folder / "a.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_png_files(packed_file, 0, folder, ["a.png"])
    assert (folder / "a.png").read_bytes() == b"mine"


def test_workers_write_the_same_files_as_one_process(rows, monkeypatch):
    images, packed_file, folder = rows
    monkeypatch.setattr(png, "num_processes", lambda: 2)
    monkeypatch.setattr(png, "_CHUNK", 2)
    names = [f"{row}.png" for row in range(len(images))]
    with PngWriters(10_000) as writers:
        writers.add(packed_file, 0, folder, names)
        writers.finish()
    for name, image in zip(names, images, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(folder / name)), image)


def test_a_workers_fault_reaches_the_caller(rows, monkeypatch):
    _, packed_file, folder = rows
    monkeypatch.setattr(png, "num_processes", lambda: 2)
    with pytest.raises(FileNotFoundError), PngWriters(10_000) as writers:
        writers.add(packed_file, 0, folder / "gone", ["a.png"])
        writers.finish()


def test_a_killed_worker_is_said_plainly(monkeypatch):
    monkeypatch.setattr(png, "num_processes", lambda: 2)
    with pytest.raises(DataError, match="was killed"), PngWriters(10_000) as writers:
        writers._futures.append(writers._pool.submit(os._exit, 1))
        writers._jobs.append(())
        writers._futures[0].exception()
        writers.finish()


def chunks_of(data):
    """Return the (kind, content) of each chunk of a PNG file, its checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        found.append((body[:4], body[4:]))
        at += 12 + length
    return found


@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (3, 2)])
def test_a_file_is_three_sound_chunks_of_sub_filtered_rows(channels, colour_type):
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 5, channels), dtype=np.uint8)
    [data] = encode_pngs(image)
    (header, facts), (body, packed), (end, rest) = chunks_of(data)
    assert (header, body, end, rest) == (b"IHDR", b"IDAT", b"IEND", b"")
    assert facts == bytes([0, 0, 0, 5, 0, 0, 0, 3, 8, colour_type, 0, 0, 0])
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(3, 1 + 5 * channels)
    assert (rows[:, 0] == 1).all()
    restored = rows[:, 1:].reshape(3, 5, channels).cumsum(1, dtype=np.uint8)  # each byte adds to the pixel at its left
    np.testing.assert_array_equal(restored, image[0])


def test_no_images_make_no_files():
    assert list(encode_pngs(np.empty((0, 4, 5, 3), np.uint8))) == []


def test_images_are_encoded_one_by_one_whatever_their_neighbours():
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    assert list(encode_pngs(images)) == [data for image in images for data in encode_pngs(image[None])]


@pytest.mark.parametrize("cores", [1, 3, 8, 64])
def test_as_many_processes_write_as_there_are_cores_but_at_most_eight(monkeypatch, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert png.num_processes() == min(cores, 8)


def test_few_images_are_written_by_the_caller_in_the_end(rows, monkeypatch):
    images, packed_file, folder = rows
    monkeypatch.setattr(png, "num_processes", lambda: 8)
    monkeypatch.setattr(png, "_CHUNK", 3)
    with PngWriters(len(images)) as writers:
        writers.add(packed_file, 0, folder, [f"{row}.png" for row in range(5)])
        writers.add(packed_file, 5, folder, ["猫.png", "dog.png"])
        assert list(folder.iterdir()) == []
        writers.finish()
    for name, row in (("0.png", 0), ("4.png", 4), ("猫.png", 5), ("dog.png", 6)):
        np.testing.assert_array_equal(np.asarray(Image.open(folder / name)), images[row])


def test_more_names_than_rows_are_a_fault(rows):
    _, packed_file, folder = rows
    with pytest.raises(ValueError, match="zip"):
        write_png_files(packed_file, 5, folder, ["a.png", "b.png", "c.png"])


def test_a_full_disk_is_reported(rows, monkeypatch):
    _, packed_file, folder = rows

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        write_png_files(packed_file, 0, folder, ["a.png"])


def test_a_disk_that_takes_a_part_at_a_time_gets_the_whole_file(rows, monkeypatch):
    images, packed_file, folder = rows
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    write_png_files(packed_file, 1, folder, ["a.png"])
    monkeypatch.undo()
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "a.png")), images[1])
