from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.codec import Source
from dlcli.data.images.sources import read_pixels
from dlcli.visualize.canvas import encode_png

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)


def test_a_file_its_bytes_and_a_frame_give_the_same_pixels(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(IMAGE))
    for value in (path, path.read_bytes(), IMAGE):
        np.testing.assert_array_equal(read_pixels(Source("image", value)), IMAGE)


def test_what_could_not_be_read_is_raised(tmp_path):
    with pytest.raises(DataError, match="no frame"):
        read_pixels(Source("film.mp4", DataError("no frame")))
    with pytest.raises(DataError, match="missing"):
        read_pixels(Source("missing", tmp_path / "missing.png"))
