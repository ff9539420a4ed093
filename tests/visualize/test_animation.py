"""Animations as GIF files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.visualize.animation import encode_gif, write_gif
from dlcli.visualize.subject import Animation


def flat(value: int) -> np.ndarray:
    return np.full((20, 30, 3), value, np.uint8)


def test_the_frames_come_back_in_order_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.gif"
    write_gif(path, Animation([flat(10), flat(90), flat(250)], 0.25))
    with Image.open(path) as image:
        assert (image.format, image.size, image.n_frames, image.info["loop"]) == ("GIF", (30, 20), 3, 0)
        for number, value in enumerate((10, 90, 250)):
            image.seek(number)
            assert image.info["duration"] == 250
            np.testing.assert_allclose(np.asarray(image.convert("RGB")), value, atol=4)


def test_equal_animations_give_equal_bytes_and_colours_survive() -> None:
    gradient = np.stack(np.meshgrid(np.arange(64) * 4, np.arange(64) * 4, [7]), axis=-1).reshape(64, 64, 3)
    animation = Animation([gradient.astype(np.uint8), 255 - gradient.astype(np.uint8)])
    data = encode_gif(animation)
    assert data == encode_gif(animation)
    with Image.open(io.BytesIO(data)) as image:
        assert np.abs(np.asarray(image.convert("RGB"), int) - gradient).mean() < 8


def test_a_picture_alone_is_an_animation_of_one_frame() -> None:
    with Image.open(io.BytesIO(encode_gif(Animation([flat(3)])))) as image:
        assert image.n_frames == 1


@pytest.mark.parametrize("frames", [[], [flat(1), flat(1)[:10]]])
def test_frames_have_one_size(frames: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="frames of one size"):
        encode_gif(Animation(frames))
