"""A written film is whole once it is closed, and not there before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.data.images.films import describe_film, read_frames
from dlcli.visualize.film import FilmWriter


@pytest.mark.parametrize("size", [(48, 64), (49, 65)])
def test_pictures_come_back(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.mp4"
    writer = FilmWriter(path, 12.5)
    values = [10, 90, 170, 250]
    for value in values:
        writer.write(np.full(size, value, np.uint8))
    assert not path.exists()
    writer.close()
    writer.close()
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]
    frames = list(read_frames(path))
    assert [float(frame.pixels.mean()) for frame in frames] == pytest.approx(values, abs=4)
    assert frames[0].pixels.shape == (48, 64, 3)  # MPEG-4 has even sides
    assert describe_film(path).rate == pytest.approx(12.5)


def test_a_film_of_nothing_is_no_file(tmp_path: Path) -> None:
    FilmWriter(tmp_path / "a.mp4", 5).close()
    assert not list(tmp_path.iterdir())


def test_where_no_film_can_be_written_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write a film"):
        FilmWriter(tmp_path / "none" / "a.mp4", 5).write(np.zeros((48, 64, 3), np.uint8))
