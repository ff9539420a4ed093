"""From sources to answers: order, faults in their places, any sizes; and codecs of other kinds than the built-in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.answering.answers import answer
from dlcli.answering.opening import Opened
from dlcli.cli import predict
from dlcli.core.errors import ExitCode
from dlcli.data.codec import Answer, Encoded, Source, by_shape


class Sums:
    """A model that adds up each item, and remembers the shapes that it saw."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.shapes.append(arrays["images"].shape)
        return {"sums": arrays["images"].reshape(len(arrays["images"]), -1).sum(axis=1)}


class Pictures:
    """A codec of "HxW" texts: pictures of ones; its answers name the size, which only the context knows."""

    fields: tuple[str, ...] = ("sum", "size")
    listed: str | None = None

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        return (Source(text, text) for text in inputs)

    def encode(self, source: Source) -> Encoded:
        try:
            height, width = map(int, source.value.split("x"))
        except ValueError:
            return Encoded(source, None, "no size", kept={"id": 7})
        return Encoded(source, {"images": np.ones((height, width))}, kept={"id": 7}, context={"size": source.value})

    batches = staticmethod(by_shape)

    def decode(self, outputs: Mapping[str, np.ndarray], items: Sequence[Encoded]) -> list[Answer]:
        pairs = zip(outputs["sums"].tolist(), items, strict=True)
        return [Answer({"sum": value, "size": item.context["size"]}) for value, item in pairs]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        return np.full((4, 4, 3), int(answer.record["sum"]), np.uint8)


class Objects(Pictures):
    """A codec whose answers are lists: a box for each row of the picture but the first, with a point in a list."""

    fields = ("size", "count", "label", "box")
    listed = "objects"

    def decode(self, outputs: Mapping[str, np.ndarray], items: Sequence[Encoded]) -> list[Answer]:
        answers = []
        for item in items:
            assert item.arrays is not None
            count = len(item.arrays["images"]) - 1
            objects = [{"label": f"row {row}", "box": [row, 0.5]} for row in range(count)]
            answers.append(Answer({"size": item.context["size"], "count": count, "objects": objects}))
        return answers


class Draws(Pictures):
    """A codec that draws three numbers from nothing and answers with pictures of them."""

    fields = ("sum",)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        assert not list(inputs)
        return (Source(f"draw {number}", number) for number in range(3))

    def encode(self, source: Source) -> Encoded:
        return Encoded(source, {"images": np.full((1, 1), source.value)})

    def decode(self, outputs: Mapping[str, np.ndarray], items: Sequence[Encoded]) -> list[Answer]:
        sums = outputs["sums"].tolist()
        return [Answer({"sum": value}, np.full((2, 2, 3), 100 + value, np.uint8)) for value in sums]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        raise AssertionError("the answer is the picture")


def ask(*sizes: str) -> tuple[list[tuple[str, dict[str, Any]]], Sums]:
    codec, model = Pictures(), Sums()
    answers = answer(Opened("toy", codec, model), list(codec.expand(sizes)))
    return [(source.name, given.record) for source, given in answers], model


def test_answers_come_in_the_order_of_their_sources_whatever_the_batches() -> None:
    sizes = ["8x9", "8x7", "2x2", "8x9", "8x7"]
    answers, model = ask(*sizes)
    assert [name for name, _ in answers] == sizes
    assert [record["size"] for _, record in answers] == sizes
    assert [record["sum"] for _, record in answers] == [72, 56, 4, 72, 56]
    assert sorted(model.shapes) == [(1, 2, 2), (2, 8, 7), (2, 8, 9)]


def test_faults_stand_among_good_answers_in_their_places() -> None:
    answers, model = ask("one", "2x3", "two", "2x3")
    assert [record.get("error") for _, record in answers] == ["no size", None, "no size", None]
    assert [record.get("sum") for _, record in answers] == [None, 6, None, 6]
    assert all(record["id"] == 7 for _, record in answers), "what a record keeps of its input, it keeps on a fault"
    assert model.shapes == [(2, 2, 3)]


def test_the_model_is_not_run_for_nothing() -> None:
    assert ask()[1].shapes == ask("x")[1].shapes == []


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that lets `dl predict` open a codec in place of whatever it is told."""

    def use(codec: Any) -> None:
        monkeypatch.setattr(predict, "open_model", lambda text, **options: Opened(text, codec, Sums()))

    return use


def test_a_codec_that_draws_from_nothing_needs_no_input_and_its_pictures_are_written(
    toy: Any, dl: Any, tmp_path: Path
) -> None:
    from PIL import Image

    toy(Draws())
    given = dl("predict", "toy", "--json", "--save-dir", str(tmp_path / "drawn"))
    assert given.code == 0
    assert json.loads(given.out)["records"] == [{"input": f"draw {number}", "sum": number} for number in range(3)]
    written = sorted((tmp_path / "drawn").iterdir())
    assert [path.name for path in written] == ["draw_0.png", "draw_1.png", "draw_2.png"]
    assert [np.unique(np.asarray(Image.open(path))).tolist() for path in written] == [[100], [101], [102]]


def test_draws_are_no_lines_of_standard_input(toy: Any, dl: Any, bench: Any) -> None:
    toy(Pictures())
    bench.patch.setattr("sys.stdin", bench.write("lines", "2x3\n\n1x1\n").open())
    records = [json.loads(line) for line in dl("predict", "toy", "4x4", "-", "5x1", "--jsonl").out.splitlines()]
    assert [record["input"] for record in records] == ["4x4", "2x3", "1x1", "5x1"]


def test_without_input_a_codec_that_reads_says_so(toy: Any, dl: Any) -> None:
    toy(Pictures())
    given = dl("predict", "toy")
    assert (given.code, given.out) == (ExitCode.USAGE, "")
    assert given.err.startswith("error: no input was given")


def test_where_the_answer_is_no_picture_it_is_drawn(toy: Any, dl: Any, tmp_path: Path) -> None:
    from PIL import Image

    toy(Pictures())
    assert dl("predict", "toy", "2x3", "x", "--save-dir", str(tmp_path / "drawn")).code == ExitCode.PARTIAL
    [path] = (tmp_path / "drawn").iterdir()
    assert np.unique(np.asarray(Image.open(path))).tolist() == [6]


def test_every_entry_of_a_list_is_a_row_of_the_csv(toy: Any, dl: Any) -> None:
    toy(Objects())
    rows = list(csv.DictReader(io.StringIO(dl("predict", "toy", "3x1", "x", "1x5", "2x2", "--csv").out)))
    assert [(row["input"], row["count"], row["label"]) for row in rows] == [
        ("3x1", "2", "row 0"),
        ("3x1", "2", "row 1"),
        ("x", "", ""),
        ("1x5", "0", ""),
        ("2x2", "1", "row 0"),
    ]
    assert [json.loads(row["box"]) for row in rows if row["box"]] == [[0, 0.5], [1, 0.5], [0, 0.5]]
    assert [row["error"] for row in rows] == ["", "", "no size", "", ""]


def test_every_entry_of_a_list_is_a_line_of_the_table_and_repeats_nothing(toy: Any, dl: Any) -> None:
    toy(Objects())
    lines = [line.split() for line in dl("predict", "toy", "3x1", "x", "1x5").out.splitlines()]
    assert lines == [
        ["input", "size", "count", "label", "box"],
        ["3x1", "3x1", "2", "row", "0", "[0,", "0.5]"],
        ["row", "1", "[1,", "0.5]"],
        ["x", "error:", "no", "size"],
        ["1x5", "1x5", "0"],
    ]


def test_json_has_the_list_as_it_is(toy: Any, dl: Any) -> None:
    toy(Objects())
    [record] = json.loads(dl("predict", "toy", "2x1", "--json").out)["records"]
    assert record == {
        "input": "2x1",
        "id": 7,
        "size": "2x1",
        "count": 1,
        "objects": [{"label": "row 0", "box": [0, 0.5]}],
    }
