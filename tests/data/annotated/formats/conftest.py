"""Small pictures, and files with a given text, for the readers' tests."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture(tmp_path):
    """Return a function that writes a grey picture below `tmp_path`; `turned` by EXIF it is seen as height x width."""

    def write(name, width=200, height=100, *, turned=False):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if turned:
            exif[0x0112] = 6
        Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path, exif=exif)
        return path

    return write


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a text file below `tmp_path`."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write
