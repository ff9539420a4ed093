"""Films are decoded frame by frame, with their times; what is wrong with one is said once, after its good frames."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from toys.blobs import write_film

from dlcli.core.errors import DataError
from dlcli.data.images import films
from dlcli.data.images.films import describe_film, film_sources, is_film, read_frames


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "mp4v"), (".avi", "MJPG"), (".mkv", "mp4v")])
def test_frames_come_in_order_with_their_times(tmp_path: Path, suffix: str, codec: str) -> None:
    film = tmp_path / f"学习{suffix}"
    boxes = write_film(film, codec=codec)
    frames = list(read_frames(film))
    assert [frame.number for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(20) / 10, abs=1e-3)
    for frame, (left, top, right, bottom) in zip(frames, boxes, strict=True):
        assert frame.pixels.shape == (96, 160, 3)
        assert frame.pixels[top + 4 : bottom - 4, left + 4 : right - 4].min() > 200
        assert frame.pixels[:, right + 12 :].max(initial=0) < 100
    assert describe_film(film) == films.Film(10.0, 20)


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    from dlcli.visualize.film import FilmWriter

    writer = FilmWriter(tmp_path / "red.mp4", 5)
    writer.write(np.full((64, 64, 3), (200, 30, 60), np.uint8))
    writer.close()
    [frame] = read_frames(tmp_path / "red.mp4")
    assert frame.pixels.reshape(-1, 3).mean(axis=0) == pytest.approx([200, 30, 60], abs=6)


def test_every_third_frame(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4")
    sources = list(film_sources(str(tmp_path / "a.mp4"), 3))
    assert [source.name.rpartition("#")[2] for source in sources] == [f"{n:06d}" for n in range(0, 20, 3)]
    assert [source.time for source in sources] == pytest.approx([0.3 * n for n in range(7)])
    assert {source.film for source in sources} == {str(tmp_path / "a.mp4")}


def test_no_frame_is_decoded_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_film(tmp_path / "a.mp4")
    decoded = []
    original = films._retrieve
    monkeypatch.setattr(films, "_retrieve", lambda capture: decoded.append(1) or original(capture))
    assert len(list(islice(film_sources(str(tmp_path / "a.mp4")), 4))) == 4
    assert len(decoded) == 4


def test_a_truncated_film_gives_its_frames_and_one_error(tmp_path: Path) -> None:
    film = tmp_path / "cut.avi"
    write_film(film, count=40, codec="MJPG")
    data = film.read_bytes()
    film.write_bytes(data[: len(data) // 2])
    *frames, fault = film_sources(str(film))
    assert 10 < len(frames) < 30
    assert all(isinstance(frame.value, np.ndarray) for frame in frames)
    assert isinstance(fault.value, DataError)
    assert (fault.name, fault.time) == (str(film), None)
    assert f"after {len(frames)} frames" in fault.value.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"rubbish" * 99, "not a film"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not a film"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "not a film"),
        (b"\0\0\0\x18ftypisom" + bytes(500), "damaged"),
    ],
)
def test_what_is_no_film_is_one_error(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    [source] = film_sources(str(tmp_path / "a.mp4"))
    assert isinstance(source.value, DataError)
    assert reason in source.value.message


def test_a_missing_film_and_one_without_frames(tmp_path: Path) -> None:
    [missing] = film_sources(str(tmp_path / "none.mp4"))
    assert "No such file" in missing.value.message
    write_film(tmp_path / "empty.avi", count=0, codec="MJPG")
    [empty] = film_sources(str(tmp_path / "empty.avi"))
    assert isinstance(empty.value, DataError)


def test_films_are_known_by_their_suffix() -> None:
    assert [name for name in ("a.MP4", "b.webm", "c.png", "mp4") if is_film(name)] == ["a.MP4", "b.webm"]
