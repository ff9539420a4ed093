"""An opened model answers objects of a program as `dl predict` answers words, with the same records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dlcli
from dlcli.cli.app import run as run_line

KINDS = {
    "images": ["grey.png", "colour.png", "none.png"],
    "texts": ["how fine", "s.csv"],
    "prices": ["q.csv"],
    "kinds": ["q.csv:3"],
}


def predicted(capfd: pytest.CaptureFixture[str], *words: str) -> Any:
    capfd.readouterr()
    code = run_line(["predict", *words, "--json"])
    assert code in (0, 8)
    return json.loads(capfd.readouterr().out)["records"]


@pytest.mark.parametrize("run", KINDS)
def test_words_have_the_records_of_the_command_line(run: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert dlcli.load(run)(KINDS[run]) == predicted(capfd, run, *KINDS[run])


def test_a_checkpoint_an_export_and_a_run_s_object_are_opened_alike(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = dlcli.open_run("images")
    expected = run.predict("grey.png")
    assert dlcli.load(run.path / "checkpoints" / "best.pt")("grey.png") == expected
    assert run_line(["export", "images", "--quiet", "--out", "model.onnx"]) == 0
    model = dlcli.load(Path("model.onnx"), threads=1)
    assert (model.task, model.labels) == ("classification", tuple("0123456789"))
    assert model("grey.png")[0]["label"] == expected[0]["label"]
    program = "import sys, dlcli; dlcli.load('model.onnx')('grey.png'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_pictures_in_memory_are_answered_as_their_files(home: Path) -> None:
    model = dlcli.load("images", top_k=3)
    pixels = np.asarray(Image.open("grey.png"))
    opened = Image.open("grey.png")
    forms = ["grey.png", Path("grey.png"), Path("grey.png").read_bytes(), pixels, pixels[:, :, None], opened]
    records = model(forms)
    assert [record["input"] for record in records] == ["grey.png", "grey.png", "2", "3", "4", "grey.png"]
    assert len({json.dumps(record["top"]) for record in records}) == 1
    assert len(records[0]["top"]) == 3


def test_a_batch_of_pictures_is_each_of_them(home: Path) -> None:
    model = dlcli.load("images")
    batch = np.random.default_rng(2).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    together, apart = model(batch), model(list(batch))
    assert [record["input"] for record in together] == ["0.0", "0.1", "0.2"]
    assert [record["top"] for record in together] == [record["top"] for record in apart]


def test_rows_and_texts_may_be_mappings(home: Path) -> None:
    cells = {"size": 7, "colour": "blue", "kind": "b"}
    [row, other] = dlcli.load("prices")([cells, {**cells, "size": "7"}])
    assert row["prediction"] == other["prediction"] == dlcli.load("prices")("q.csv:3")[0]["prediction"]
    [text] = dlcli.load("texts")([{"text": "how fine", "id": 7}])
    assert (text["input"], text["id"]) == ("how fine", 7)
    assert text["label"] == dlcli.load("texts")("how fine")[0]["label"]
    [missing, good] = dlcli.load("prices")([{"size": 7, "kind": "a"}, {**cells, "size": float("nan")}])
    assert "lacks the column colour" in missing["error"]
    assert "prediction" in good


def test_the_rows_of_a_frame_are_those_of_its_file(home: Path) -> None:
    pandas = pytest.importorskip("pandas")
    for run in ("prices", "kinds"):
        model = dlcli.load(run)
        by_name, by_frame = model("q.csv"), model(pandas.read_csv("q.csv"))
        assert [record["input"] for record in by_frame] == ["0", "1", "2"]
        assert [{**record, "input": ""} for record in by_frame] == [{**record, "input": ""} for record in by_name]
    frame = pandas.read_csv("s.csv")
    by_column = dlcli.load("texts")(frame["review"])
    assert [each["label"] for each in dlcli.load("texts")(frame)] == [each["label"] for each in by_column]
    with pytest.raises(dlcli.UsageError, match="which column holds the texts"):
        dlcli.load("texts")(pandas.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(dlcli.UsageError, match="not read by a model of images"):
        dlcli.load("images")(frame)


def test_missing_cells_and_dates_of_pandas_are_cells_of_a_file(home: Path) -> None:
    pandas = pytest.importorskip("pandas")
    cells = {"size": pandas.NA, "colour": "red", "kind": pandas.NaT}
    with_none = {"size": None, "colour": "red", "kind": None}
    [row, plain] = dlcli.load("prices")([cells, with_none])
    assert row["prediction"] == plain["prediction"]
    [text] = dlcli.load("texts")([{"text": "how fine", "day": pandas.Timestamp("2026-01-02")}])
    assert text["day"] == "2026-01-02T00:00:00"


def test_the_content_of_a_table_s_file_is_its_rows(home: Path) -> None:
    model = dlcli.load("prices")
    by_name, by_content = model("q.csv"), model(Path("q.csv").read_bytes())
    assert [each["prediction"] for each in by_name] == [each["prediction"] for each in by_content]


def test_an_input_alone_that_cannot_be_read_raises_and_one_among_others_has_an_error(home: Path) -> None:
    model = dlcli.load("images")
    with pytest.raises(dlcli.DataError, match=r"^none\.png: cannot be read"):
        model("none.png")
    with pytest.raises(dlcli.DataError, match="none of the 2 inputs"):
        model(["none.png", b"no image"])
    records = model(["grey.png", "none.png"])
    assert [each["input"] for each in records.failed] == ["none.png"]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (3, "type int is not read"),
        ([], "no input was given"),
        (None, "no input was given"),
        ([{"size": 3}], "dict is not read by a model of images"),
        (np.zeros((8, 8)), "array of float64 is no picture"),
        (np.zeros((3, 8, 8), np.uint8), "array of 3x8x8 is no picture"),
        (np.zeros((0, 8, 3), np.uint8), "array of 0x8x3 is no picture"),
        ([object()], "object is not read"),
    ],
)
def test_what_is_no_input_is_refused_with_the_reason(value: Any, what: str, home: Path) -> None:
    with pytest.raises(dlcli.UsageError, match=what):
        dlcli.load("images")(value)


def test_options_are_the_task_s_and_are_checked(home: Path) -> None:
    with pytest.raises(dlcli.UsageError, match="classification has no option 'topk'") as caught:
        dlcli.load("images", topk=3)
    assert caught.value.hint == "did you mean 'top_k'?"
    assert caught.value.__notes__ == ["fix: did you mean 'top_k'?"]
    with pytest.raises(dlcli.UsageError, match=r"load\(\): top_k must be at least 1"):
        dlcli.load("images", top_k=0)
    with pytest.raises(dlcli.RunError, match="no run 'nothing'"):
        dlcli.load("nothing")
    with pytest.raises(dlcli.UsageError, match="int is no name and no path"):
        dlcli.load(3)  # type: ignore[arg-type]
    with pytest.raises(dlcli.UsageError, match="empty"):
        dlcli.load(" ")
    with pytest.raises(dlcli.UsageError, match="batch_size"):
        dlcli.load("images")("grey.png", batch_size=0)


def test_a_stream_gives_each_answer_before_the_next_batch_is_read(home: Path) -> None:
    model = dlcli.load("images")
    taken: list[int] = []

    def inputs() -> Any:
        for number in range(4):
            taken.append(number)
            yield np.zeros((8, 8), np.uint8)

    stream = model.stream(inputs(), batch_size=2)
    next(stream)
    assert taken == [0, 1]
    assert len(list(stream)) == 3


def test_the_vectors_of_the_inputs_are_given_on_request(home: Path) -> None:
    records = dlcli.load("images", embed=True)(["grey.png", "none.png", "colour.png"])
    vectors = records.embeddings
    assert vectors.shape[0] == 3
    assert np.allclose(np.linalg.norm(vectors[[0, 2]], axis=1), 1, atol=1e-5)
    assert np.isnan(vectors[1]).all()
    with pytest.raises(dlcli.UsageError, match="no vectors"):
        _ = dlcli.load("images")("grey.png").embeddings


def test_a_model_says_what_it_is(home: Path) -> None:
    assert repr(dlcli.load("images")) == "<dlcli model images: classification, 10 labels>"
    assert repr(dlcli.load("prices")) == "<dlcli model prices: regression>"
