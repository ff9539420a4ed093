"""Rows of CSV files, and of standard input, to arrays and answers."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.tables.form import open_table
from dlcli.tasks.tables.codec import RegressionCodec, TableClassificationCodec
from dlcli.tasks.tables.columns import learn_columns

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


def test_a_file_is_its_rows_and_each_is_named_by_its_line(codec, write):
    path = write(HEADER, "50,Lyon,3", "", "60,Nice,4")
    sources = list(codec.expand([path]))
    assert sources == [f"{path}:2", f"{path}:4"]
    np.testing.assert_array_equal(codec.encode(sources[1]).arrays["numeric"], np.float32([60, 4]))


def test_one_row_can_be_asked_for_with_nothing_read_before(codec, write, assets):
    path = write(HEADER, "50,Lyon,3", "60,Nice,4")
    assert list(codec.expand([f"{path}:3"])) == [f"{path}:3"]
    first, second = codec.encode(f"{path}:3"), RegressionCodec(assets).encode(f"{path}:3")
    for name in ("numeric", "categories"):
        np.testing.assert_array_equal(first.arrays[name], second.arrays[name])
    assert codec.encode(f"{path}:9").error == "no row begins in line 9"


def test_columns_are_matched_by_name_and_others_are_said_once(codec, write):
    plain = write(HEADER, "50,Lyon,3", "60,Nice,4", name="a.csv")
    other = write("owner;age;city;size", "x;3;Lyon;50", "y;4;Nice;60", name="b.csv", encoding="gb18030")
    for one, two in zip(codec.expand([plain]), codec.expand([other]), strict=True):
        first, second = codec.encode(one), codec.encode(two)
        np.testing.assert_array_equal(first.arrays["numeric"], second.arrays["numeric"])
        np.testing.assert_array_equal(first.arrays["categories"], second.arrays["categories"])
    assert codec.encode(f"{other}:2").kept == {"note": "not used: owner"}
    assert codec.encode(f"{other}:3").kept == {}


def test_a_file_without_a_column_is_one_fault(codec, write):
    path = write("size,city", "50,Lyon", "60,Nice")
    [source] = codec.expand([path])
    assert source == path
    assert codec.encode(source).error == "lacks the column age"
    headless = write("50,1,3", "60,2,4", name="headless.csv")
    [source] = codec.expand([headless])
    assert "no header line" in codec.encode(source).error


def test_bad_rows_are_faults_and_the_others_are_answered(codec, write):
    path = write(HEADER, "tall,Lyon,3", "60,Nice,4", "1,2")
    encoded = [codec.encode(source) for source in codec.expand([path])]
    assert [item.error for item in encoded] == ["size is 'tall', no number", None, "2 cells under 3 names of columns"]


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
    assert sources == ["-:2", "-:3"]
    expected = codec.encode(f"{path}:3")
    np.testing.assert_array_equal(codec.encode("-:3").arrays["numeric"], expected.arrays["numeric"])


def test_lines_of_standard_input_are_answered_alike_in_any_portions(codec, assets):
    lines = [HEADER, '50,"Ly', 'on",3', "x", "60,Nice,4"]
    whole = codec.read_lines(lines)
    faults = [codec.encode(source).error for source in whole]
    other = RegressionCodec(assets)
    parts = []
    for line in lines:
        for source in other.read_lines([line]):
            parts.append((source, other.encode(source).error))
    assert parts == list(zip(whole, faults, strict=True))
    assert faults == [None, "1 cells under 3 names of columns", None]


def test_rows_of_standard_input_are_dropped_when_they_are_answered(codec):
    codec.read_lines([HEADER])
    for number in range(100):
        codec.read_lines([f"{number},Lyon,3"])
    assert len(codec._reader._rows) == 1


def test_standard_input_in_gb18030_is_read(codec):
    line = "50,里昂,3".encode("gb18030").decode("utf-8", "surrogateescape")
    codec.read_lines([HEADER])
    [source] = codec.read_lines([line])
    assert "'里昂'" in codec.encode(source).kept["note"]


def test_a_header_that_lacks_a_column_is_said_for_each_row(codec):
    sources = codec.read_lines(["size,city", "1,Lyon", "2,Nice"])
    assert [codec.encode(source).error for source in sources] == ["lacks the column age"] * 2


def test_answers_are_numbers_and_of_an_ensemble_with_their_spread(codec, assets):
    outputs = {"prediction": np.float32([1.5, 2.25])}
    assert codec.decode(outputs, 1) == [{"prediction": 1.5}, {"prediction": 2.25}]
    assert codec.fields == ("prediction", "note")
    several = RegressionCodec({**assets, "ensemble": 3})
    assert several.fields == ("prediction", "spread", "note")
    assert several.decode({**outputs, "spread": np.float32([0.5, 0])}, 1)[0] == {"prediction": 1.5, "spread": 0.5}


def test_a_class_comes_with_its_probability(assets):
    codec = TableClassificationCodec({**assets, "labels": ["cheap", "dear"]})
    [record] = codec.decode({"logits": np.log(np.float32([[0.25, 0.75]]))}, 2)
    assert (record["label"], record["probability"]) == ("dear", 0.75)


def test_a_row_is_drawn_with_its_answer(codec, write):
    [source] = codec.expand([write(HEADER, "50,Lyon,3")])
    one, other = (codec.draw(source, {"prediction": value}) for value in (1.0, 2.0))
    assert one.shape == other.shape
    assert (one != other).any()
