"""`dl predict` on films: a record for each frame, a drawn film, no more frames in memory than a batch holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import blobs

from dlcli.answering import answers
from dlcli.answering.opening import Opened
from dlcli.cli import predict, streams
from dlcli.cli.films import answered_film
from dlcli.core.errors import ExitCode
from dlcli.data.codec import Source
from dlcli.data.images.films import describe_film, read_frames


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that lets `dl predict` open the detector of bright rectangles, with inference options."""

    def use(**options: Any) -> None:
        opened = Opened("toy", blobs.codec(**options), blobs.BlobPredictor())
        monkeypatch.setattr(predict, "open_model", lambda text, **others: opened)

    return use


def records_of(given: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in given.out.splitlines()]


def test_every_frame_has_a_record_and_the_drawn_film_is_as_long(model: Any, dl: Any, tmp_path: Path) -> None:
    model()
    film = tmp_path / "way.mp4"
    boxes = blobs.write_film(film)
    given = dl("predict", "toy", str(film), "--jsonl", "--save-dir", str(tmp_path / "out"))
    assert given.code == 0, given.err
    records = records_of(given)
    assert [record["input"] for record in records] == [f"{film}#{number:06d}" for number in range(20)]
    assert [record["time_s"] for record in records] == pytest.approx(np.arange(20) / 10, abs=1e-3)
    for record, box in zip(records, boxes, strict=True):
        assert record["objects"][0]["box"] == pytest.approx(box, abs=2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["way.mp4"]
    drawn = tmp_path / "out" / "way.mp4"
    assert describe_film(drawn) == describe_film(film)
    seen = [frame.pixels for frame in read_frames(film)]
    for before, after in zip(seen, (frame.pixels for frame in read_frames(drawn)), strict=True):
        assert after.shape == before.shape
        assert np.abs(after.astype(int) - before).max() > 60  # a box


def test_every_fifth_frame_is_a_film_of_the_same_length(model: Any, dl: Any, tmp_path: Path) -> None:
    model(frame_step=5)
    film = tmp_path / "way.avi"
    blobs.write_film(film, codec="MJPG")
    given = dl("predict", "toy", str(film), str(film), "--jsonl", "--save-dir", str(tmp_path / "out"))
    assert [record["time_s"] for record in records_of(given)] == [0, 0.5, 1, 1.5] * 2
    drawn = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in drawn] == ["way-2.mp4", "way.mp4"]
    assert [(describe_film(path).rate, describe_film(path).num_frames) for path in drawn] == [(2, 4)] * 2
    assert answered_film(blobs.codec(frame_step=5), Source("", None, str(film))) == describe_film(drawn[0])


def test_a_truncated_film_is_answered_up_to_its_end(model: Any, dl: Any, tmp_path: Path) -> None:
    model()
    film = tmp_path / "cut.avi"
    blobs.write_film(film, count=40, codec="MJPG")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    given = dl("predict", "toy", str(film), "--jsonl", "--save-dir", str(tmp_path / "out"))
    assert given.code == ExitCode.PARTIAL
    *good, bad = records_of(given)
    assert bad["input"] == str(film)
    assert "truncated" in bad["error"]
    assert all("error" not in record for record in good)
    assert describe_film(tmp_path / "out" / "cut.mp4").num_frames == len(good) > 10


def test_an_interrupted_prediction_leaves_a_whole_film(
    model: Any, dl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model()
    blobs.write_film(tmp_path / "way.mp4")
    written = []

    def write(self: Any, record: Any) -> None:
        written.append(record)
        if len(written) == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(predict.Writer, "write", write)
    given = dl("predict", "toy", str(tmp_path / "way.mp4"), "--batch-size", "4", "--save-dir", str(tmp_path / "out"))
    assert given.code == ExitCode.INTERRUPTED
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["way.mp4"]
    assert len(list(read_frames(tmp_path / "out" / "way.mp4"))) == 7


def test_frames_become_pre_labels_of_one_group(model: Any, dl: Any, tmp_path: Path) -> None:
    model(frame_step=10)
    blobs.write_film(tmp_path / "way.mp4")
    out = tmp_path / "out"
    assert dl("predict", "toy", str(tmp_path / "way.mp4"), "--save-dir", str(out), "--save-as", "coco").code == 0
    rows = json.loads((out / "annotations" / "instances_predicted.json").read_text())["images"]
    assert [row["file_name"] for row in rows] == ["images/way_000000.jpg", "images/way_000010.jpg"]
    assert {row["group"] for row in rows} == {"way.mp4"}
    assert all((out / row["file_name"]).is_file() for row in rows)


def test_a_folder_of_films_and_images_and_names_on_standard_input(model: Any, dl: Any, bench: Any) -> None:
    model(frame_step=10)
    blobs.write_film(bench.write("films/a.mp4"))
    bench.png("films/b.png", size=64)
    names = ["films/a.mp4#000000", "films/a.mp4#000010", "films/b.png"]
    assert [record["input"] for record in records_of(dl("predict", "toy", "films", "--jsonl"))] == names
    bench.patch.setattr("sys.stdin", bench.write("lines", "films/a.mp4\nfilms/b.png\n").open())
    assert [record["input"] for record in records_of(dl("predict", "toy", "-", "--jsonl"))] == names


def test_a_batch_holds_no_more_frames_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_PIXEL_BYTES", 3000)
    made = []

    def expand(_inputs: Any) -> Iterator[Source]:
        for number in range(9):
            made.append(number)
            yield Source(str(number), np.zeros((10, 30, 3), np.uint8) if number < 7 else Path("a.png"))

    batches = streams.source_batches(["film"], 64, expand, lambda lines: [], list)
    assert len(next(batches)) == 4
    assert made == [0, 1, 2, 3]
    assert [len(batch) for batch in batches] == [5]


def test_a_bar_shows_the_frames_of_each_film(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dlcli.cli import films
    from dlcli.core.console import Console
    from dlcli.engine.observers import progress

    events: list[Any] = []

    class Bar:
        def __init__(self, total: int) -> None:
            events.append(total)

        def show(self, description: str, done: int) -> None:
            events.append((description, done))

        def close(self) -> None:
            events.append("closed")

    monkeypatch.setattr(progress, "StepBar", Bar)
    monkeypatch.setattr(films, "has_colour", lambda stream: True)
    blobs.write_film(tmp_path / "a.mp4")
    codec = blobs.codec(frame_step=8)
    sources = [*codec.expand([str(tmp_path / "a.mp4")]), Source("b.png", Path("b.png"))]
    with films.film_progress(Console(), codec, prints=False) as show:
        for source in sources:
            show(source)
    assert events == [3, ("a.mp4", 1), ("a.mp4", 2), ("a.mp4", 3), "closed"]
    with films.film_progress(Console(is_quiet=True), codec, prints=False) as show:
        show(sources[0])
    assert events[-1] == "closed"
