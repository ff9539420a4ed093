"""No library writes to stderr while it decodes, in any thread or process, and stderr is back afterwards."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from dlcli.core.errors import DataError
from dlcli.data.images.decoding import decode_image, read_header
from dlcli.data.images.loader import file_loader
from dlcli.data.images.muffling import Muffler
from dlcli.data.order import Order

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def encoded(pixels, kind, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def grey_png_with_colour_profile():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return encoded(PIXELS[:, :, 0], "PNG", icc_profile=profile)


def png_with_bad_checksum():
    data = encoded(PIXELS, "PNG")
    return data[:33] + struct.pack(">I", 4) + b"gAMA" + b"\0\0\0\1" + b"\0\0\0\0" + data[33:]


def png_with_damaged_pixels():
    data = encoded(PIXELS, "PNG")
    start = data.index(b"IDAT")
    size = struct.unpack(">I", data[start - 4 : start])[0]
    body = b"IDAT" + data[start + 4 : start + 3 + size] + b"\x55"
    return data[: start - 4] + struct.pack(">I", size) + body + struct.pack(">I", zlib.crc32(body)) + data[-12:]


def jpeg_with_rubbish():
    return encoded(PIXELS, "JPEG")[:-2] + b"\x12" * 50 + b"\xff\xd9"


def jpeg_that_ends_early():
    data = encoded(PIXELS, "JPEG")
    return data[: len(data) // 2] + b"\xff\xd9"


def jpeg_with_broken_exif():
    return encoded(PIXELS, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0")


NOISY = [
    grey_png_with_colour_profile,
    png_with_bad_checksum,
    png_with_damaged_pixels,
    jpeg_with_rubbish,
    jpeg_that_ends_early,
    jpeg_with_broken_exif,
]


@pytest.mark.parametrize("make", NOISY)
def test_no_library_writes_past_us(make, capfd):
    data = make()
    capfd.readouterr()
    read_header(data)
    try:
        decode_image(data, channels=3)
    except DataError:
        assert make is png_with_damaged_pixels
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def test_stderr_is_back_when_the_last_thread_leaves(capfd):
    muffler, inside, leave = Muffler(), threading.Barrier(3), threading.Event()

    def work():
        with muffler:
            inside.wait(10)
            leave.wait(10)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    with muffler:
        os.write(2, b"unheard")
    os.write(2, b"unheard too: two threads decode")
    leave.set()
    for thread in threads:
        thread.join(10)
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_an_error_inside_gives_stderr_back(capfd):
    with pytest.raises(ValueError, match="odd"), Muffler():
        raise ValueError("odd")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_descriptors_are_not_used_up(capfd):
    muffler = Muffler()
    with muffler:
        pass
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        with muffler:
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert capfd.readouterr().err == ""


def test_worker_processes_are_muffled_too(tmp_path, capfd):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        file.write_bytes(grey_png_with_colour_profile())
    loader = file_loader(
        files,
        np.zeros(4, np.int64),
        Order(np.arange(4), 2, seed=None),
        channels=3,
        to_size=keep_size_aloud,
        workers=1,
        max_bad=0,
        on_bad=print,
    )
    assert sum(len(batch["images"]) for batch in loader.batches()) == 4
    assert capfd.readouterr() == ("", "")


def keep_size_aloud(image, seed):
    os.write(2, b"a library beside the decoder")
    return image


def test_without_stderr_images_are_read_all_the_same(tmp_path):
    (tmp_path / "a.png").write_bytes(grey_png_with_colour_profile())
    code = "import sys; from pathlib import Path; from dlcli.data.images.decoding import read_image; "
    code += "print(read_image(Path(sys.argv[1]), 3).shape)"
    line = [sys.executable, "-c", code, str(tmp_path / "a.png")]
    done = subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *line], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "(40, 40, 3)\n")
