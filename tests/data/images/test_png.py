"""The PNG writer: every decoder reads back the very pixels."""

from __future__ import annotations

import io
import os

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
