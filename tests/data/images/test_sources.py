from __future__ import annotations

import numpy as np
import pytest
from toys.blobs import write_film

from dlcli.core.errors import DataError
from dlcli.data.codec import Source
from dlcli.data.images.sources import ImageValues, image_sources, read_pixels
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


def test_a_grey_image_has_one_channel_if_that_is_wanted(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(np.repeat(IMAGE[..., :1], 3, axis=2)))
    for value in (path, path.read_bytes()):
        np.testing.assert_array_equal(read_pixels(Source("image", value), 1), IMAGE[..., :1])


def test_films_are_their_frames_only_where_frames_are_wanted(tmp_path):
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(encode_png(IMAGE))
    (tmp_path / "notes.txt").write_text("no image")
    film = tmp_path / "c.mp4"
    write_film(film, 6)
    images = [str(tmp_path / name) for name in ("a.png", "b.png")]
    skipped = []
    assert [source.name for source in image_sources([str(tmp_path)], skipped)] == images
    *files, first, second = image_sources([str(tmp_path)], skipped, frame_step=3)
    assert [source.name for source in files] == images and [source.value.name for source in files] == ["a.png", "b.png"]
    assert first.film == second.film == str(film)
    assert first.time < second.time
    [whole] = image_sources([str(film)], skipped)
    assert whole.value == film and not whole.film and not skipped


def test_a_program_gives_bytes_and_nothing_else_is_opened(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(np.full((2, 3), 7, np.uint8)))
    values = ImageValues()
    for source in (values.source("a", path.read_bytes()), *values.sources_of_file("a", path.read_bytes())):
        assert source.name == "a"
        assert read_pixels(source, 1).tolist() == [[[7]] * 3] * 2
    for value in (str(path), path, None, 3, [1]):
        with pytest.raises(DataError, match="not the bytes"):
            read_pixels(values.source("a", value))
