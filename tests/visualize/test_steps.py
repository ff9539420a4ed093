"""Samples of a run over the epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.core.errors import RunError
from dlcli.core.run_dir import RunDir
from dlcli.visualize.canvas import write_png
from dlcli.visualize.steps import MAX_FRAME_PX, animate, draw_strip, evenly, read_samples


def put(run: Path, *epochs: int) -> RunDir:
    for epoch in epochs:
        write_png(run / "samples" / f"epoch-{epoch:04}.png", np.full((200, 200, 3), epoch % 256, np.uint8))
    return RunDir(run)


def test_samples_are_read_in_the_order_of_their_epochs(tmp_path: Path) -> None:
    run = put(tmp_path, 10, 9, 12000, 2)
    (tmp_path / "samples" / "epoch-0003.txt").write_text("a text")
    (tmp_path / "samples" / "epoch-last.png").write_bytes(b"")
    assert [epoch for epoch, _ in read_samples(run, 9)] == [2, 9, 10, 12000]
    assert [int(picture[0, 0, 0]) for _, picture in read_samples(run, 3)[:2]] == [2, 10]


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, [9]), (2, [0, 9]), (4, [0, 3, 6, 9]), (10, list(range(10))), (99, list(range(10)))]
)
def test_some_are_evenly_spaced_from_the_first_to_the_last(count: int, chosen: list[int]) -> None:
    assert list(evenly(range(10), count)) == chosen


def test_a_strip_has_one_row_of_high_pictures_and_one_column_of_wide_ones() -> None:
    samples = [(epoch, np.zeros((200, 100, 3), np.uint8)) for epoch in range(3)]
    height, width, _ = draw_strip(samples).shape
    assert width > 300 and 200 < height < 250
    turned = [(epoch, picture.transpose(1, 0, 2)) for epoch, picture in samples]
    height, width, _ = draw_strip(turned).shape
    assert height > 300 and 200 < width < 250


def test_frames_are_of_one_size_whatever_the_samples_and_the_epoch() -> None:
    sizes = {1: (100, 100), 22: (300, 200), 12345: (2000, 1000)}
    samples = [(epoch, np.full((*size, 3), 40, np.uint8)) for epoch, size in sizes.items()]
    animation = animate(samples, 0.1)
    assert animation.seconds == 0.1
    assert len({frame.shape for frame in animation.frames}) == 1
    assert max(animation.frames[0].shape) < MAX_FRAME_PX + 80
    assert not np.array_equal(animation.frames[1], animation.frames[2])


def test_a_run_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no pictures in samples/"):
        read_samples(RunDir(tmp_path), 3)
