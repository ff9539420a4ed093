"""Rows of CSV files, and of standard input, to arrays and answers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from dlcli.data.codec import Answer
from dlcli.data.tables.form import open_table
from dlcli.data.tables.rows import read_sheet
from dlcli.tasks.inference import ClassInference
from dlcli.tasks.tables import inputs as module
from dlcli.tasks.tables.codec import RegressionCodec, TableClassificationCodec
from dlcli.tasks.tables.learning import learn_columns

HEADER = "size,city,age"


@pytest.fixture
def assets(make_table):
    form = open_table(make_table())
    return {"columns": learn_columns(form, form.split_rows("train"), 4).to_json(), "ensemble": 1}


@pytest.fixture
def codec(assets):
    return RegressionCodec(assets)


@pytest.fixture
def write(tmp_path):
    def run(*lines, name="q.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
        return str(path)

    return run


def names(sources):
    return [source.name for source in sources]


def one(codec, text):
    """Return what the only source that an argument means is encoded to."""
    [source] = codec.expand([text])
    return codec.encode(source)


def test_a_file_is_its_rows_and_each_is_named_by_its_line(codec, write):
    path = write(HEADER, "50,Lyon,3", "", "60,Nice,4")
    sources = list(codec.expand([path]))
    assert names(sources) == [f"{path}:2", f"{path}:3", f"{path}:4"]
    assert codec.encode(sources[1]).error == "an empty line"
    np.testing.assert_array_equal(codec.encode(sources[2]).arrays["numeric"], np.float32([60, 4]))


def test_one_row_can_be_asked_for_with_nothing_read_before(codec, write, assets):
    path = write(HEADER, "50,Lyon,3", "60,Nice,4")
    whole = list(codec.expand([path]))
    [alone] = RegressionCodec(assets).expand([f"{path}:3"])
    assert alone == whole[1]
    assert one(codec, f"{path}:9").error == "no row begins on line 9"


def test_a_file_is_read_once_for_the_rows_that_are_named_in_turn(codec, write, monkeypatch):
    path, other = write(HEADER, "50,Lyon,3", "60,Nice,4"), write(HEADER, "1,Lyon,1", name="other.csv")
    read = []
    monkeypatch.setattr(module, "read_sheet", lambda place, **how: read.append(str(place)) or read_sheet(place, **how))
    assert names(codec.expand([f"{path}:2", f"{path}:3", path, other])) == [
        f"{path}:2",
        f"{path}:3",
        f"{path}:2",
        f"{path}:3",
        f"{other}:2",
    ]
    assert read == [path, other]


def test_columns_are_matched_by_name_and_others_are_said_once(codec, write):
    plain = write(HEADER, "50,Lyon,3", "60,Nice,4", name="a.csv")
    other = write("owner;age;city;size", "x;3;Lyon;50", "y;4;Nice;60", name="b.csv", encoding="gb18030")
    for pair in zip(codec.expand([plain]), codec.expand([other]), strict=True):
        first, second = map(codec.encode, pair)
        np.testing.assert_array_equal(first.arrays["numeric"], second.arrays["numeric"])
        np.testing.assert_array_equal(first.arrays["categories"], second.arrays["categories"])
    assert [codec.encode(source).kept for source in codec.expand([other])] == [{"note": "not used: owner"}, {}]


def test_a_decimal_comma_is_read_where_semicolons_part_the_cells(codec, write, assets):
    lines = ("size;city;age", "50,25;Lyon;3", "1,125;Nice;4", "1.250,5;Nice;4")
    path = write(*lines)
    stdin = RegressionCodec(assets).read_lines(list(lines))
    for sources in (list(codec.expand([path])), stdin):
        numbers = [codec.encode(source).arrays["numeric"][0] for source in sources]
        assert numbers == [50.25, 1.125, 1250.5]
    quoted = write(HEADER, '"50,25",Lyon,3', name="quoted.csv")
    assert one(codec, f"{quoted}:2").error == "size is '50,25', not a number"


def test_a_row_holds_only_what_is_read(codec, write):
    lines = [f"{HEADER},note", "50,Lyon,3,x"]
    for sources in (list(codec.expand([write(*lines)])), codec.read_lines(lines)):
        assert sources[0].value.cells == {"size": "50", "age": "3", "city": "Lyon"}


def test_a_file_without_a_column_is_one_fault(codec, write):
    path = write("size,city", "50,Lyon", "60,Nice")
    [source] = codec.expand([path])
    assert source.name == path
    assert codec.encode(source).error == "lacks the column age"
    headless = write("50,1,3", "60,2,4", name="headless.csv")
    [source] = codec.expand([headless])
    assert "no header line" in codec.encode(source).error


def test_bad_rows_are_faults_and_the_others_are_answered(codec, write):
    path = write(HEADER, "tall,Lyon,3", "60,Nice,4", "1,2")
    encoded = [codec.encode(source) for source in codec.expand([path])]
    assert [item.error for item in encoded] == ["size is 'tall', not a number", None, "2 cells, but 3 columns"]


@pytest.mark.parametrize("name", ["nothing.csv", "nothing.csv:2", "no row"])
def test_what_is_not_there_is_a_fault(codec, tmp_path, name):
    [source] = codec.expand([str(tmp_path / name)])
    assert codec.encode(source).error


def test_a_file_that_is_no_table_is_a_fault(codec, tmp_path):
    (tmp_path / "cat.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)))
    [source] = codec.expand([str(tmp_path / "cat.csv")])
    assert codec.encode(source).error


def test_standard_input_is_a_csv_with_its_header_first(codec, write):
    lines = [HEADER, "50,Lyon,3", "60,Nice,4"]
    [path] = [write(*lines)]
    assert codec.read_lines(lines[:1]) == []
    sources = [*codec.read_lines(lines[1:2]), *codec.read_lines(lines[2:])]
    assert names(sources) == ["-:2", "-:3"]
    assert [source.value for source in sources] == [source.value for source in codec.expand([path])]


def test_lines_of_standard_input_are_answered_alike_in_any_portions(codec, assets):
    lines = [HEADER, '50,"Ly', 'on",3', "x", "60,Nice,4"]
    whole = codec.read_lines(lines)
    faults = [codec.encode(source).error for source in whole]
    other = RegressionCodec(assets)
    parts = []
    for line in lines:
        for source in other.read_lines([line]):
            parts.append((source.name, other.encode(source).error))
    assert parts == list(zip(names(whole), faults, strict=True))
    assert faults == [None, "1 cells, but 3 columns", None]


def test_a_long_standard_input_is_not_held_in_memory(codec):
    codec.read_lines([HEADER])
    before = pickle.dumps(codec._reader)
    for number in range(10, 99):
        codec.read_lines([f"{number},Lyon,3"])
    assert len(pickle.dumps(codec._reader)) <= len(before) + 8


def test_what_is_not_used_of_standard_input_is_said_once(codec):
    sources = codec.read_lines(["owner,size,city,age", "x,1,Lyon,2", "y,3,Nice,4"])
    assert [codec.encode(source).kept for source in sources] == [{"note": "not used: owner"}, {}]


def test_marks_inside_cells_of_standard_input_lose_no_row_in_silence(codec):
    assert codec.read_lines([HEADER, '"1,Lyon,2', "3,Nice,4"]) == []
    first, second = codec.finish_lines()
    assert "quotation mark" in codec.encode(first).error
    assert codec.encode(second).error is None
    assert names([first, second]) == ["-:2", "-:3"]


def test_standard_input_in_gb18030_is_read(codec):
    line = "50,里昂,3".encode("gb18030").decode("utf-8", "surrogateescape")
    codec.read_lines([HEADER])
    [source] = codec.read_lines([line])
    assert "'里昂'" in codec.encode(source).kept["note"]


def test_bytes_in_no_encoding_are_a_fault_of_their_row(codec):
    sources = codec.read_lines([HEADER, "1,Lyon,2", "\udcff\udcfe,Lyon,3", "", "4,Nice,5"])
    assert names(sources) == ["-:2", "-:3", "-:4", "-:5"]
    errors = [codec.encode(source).error for source in sources]
    assert errors == [None, "neither UTF-8 nor GB18030", "an empty line", None]


def test_a_header_that_lacks_a_column_is_said_for_each_row(codec):
    sources = codec.read_lines(["size,city", "1,Lyon", "2,Nice"])
    assert [codec.encode(source).error for source in sources] == ["lacks the column age"] * 2


def test_two_columns_of_one_name_are_refused_wherever_a_table_comes_from(codec, write):
    lines = ["size,city,age,size", "1,Lyon,2,3", "1,Lyon,2"]
    of_file = one(codec, write(*lines)).error
    assert of_file == "two columns are named 'size'"
    of_lines = [codec.encode(source).error for source in codec.read_lines(lines)]
    assert of_lines == [of_file, "3 cells, but 4 columns"]
    in_body = codec.values.sources_of_file("q.csv", "\n".join(lines[:2]).encode())
    assert [(source.name, codec.encode(source).error) for source in in_body] == [("q.csv:2", of_file)]


def test_a_long_name_of_two_columns_is_not_repeated_whole_for_each_row(codec):
    name = "x" * 100_000
    [source] = codec.read_lines([f"{name},{name}", "1,2"])
    assert len(codec.encode(source).error) < 150


def test_answers_are_numbers_and_of_an_ensemble_with_their_spread(codec, assets):
    outputs, items = {"prediction": np.float32([1.5, 2.25])}, [None, None]
    assert codec.decode(outputs, items) == [Answer({"prediction": 1.5}), Answer({"prediction": 2.25})]
    assert codec.fields == ("prediction", "note")
    several = RegressionCodec({**assets, "ensemble": 3})
    assert several.fields == ("prediction", "spread", "note")
    first, _ = several.decode({**outputs, "spread": np.float32([0.5, 0])}, items)
    assert first.record == {"prediction": 1.5, "spread": 0.5}


def test_a_class_comes_with_its_probability(assets):
    codec = TableClassificationCodec({**assets, "labels": ["cheap", "dear"]}, ClassInference(top_k=2))
    [answer] = codec.decode({"logits": np.log(np.float32([[0.25, 0.75]]))}, [None])
    assert (answer.record["label"], answer.record["probability"]) == ("dear", 0.75)
    assert [entry["label"] for entry in answer.record["top"]] == ["dear", "cheap"]


def test_a_row_is_drawn_with_its_answer(codec, write):
    [source] = codec.expand([write(HEADER, "50,Lyon,3")])
    first, second = (codec.draw(source, Answer({"prediction": value})) for value in (1.0, 2.0))
    assert first.shape == second.shape
    assert (first != second).any()


def test_predictions_are_counted_from_the_offset_in_float64(assets):
    assets["columns"]["target"]["offset"] = 1_700_000_000_000.0
    [answer] = RegressionCodec(assets).decode({"prediction": np.float32([1.25])}, [])
    assert answer.record == {"prediction": 1_700_000_000_001.25}
