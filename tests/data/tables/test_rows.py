"""Reading CSV and its kin: encoding, delimiter and header are found, and every row keeps its line."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import DataError
from dlcli.data.tables.rows import Reading, is_missing, parse_sheet, read_sheet, to_number

TEXT = "name,age,city\nann,30,巴黎\nbob,41,北京\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_encoding_gives_the_same_table(tmp_path, codec):
    path = tmp_path / "表.csv"
    path.write_bytes(TEXT.encode(codec))
    sheet = read_sheet(path)
    assert sheet.names == ("name", "age", "city")
    assert [list(row) for row in sheet.rows] == [["ann", "30", "巴黎"], ["bob", "41", "北京"]]
    assert list(sheet.lines) == [2, 3]


@pytest.mark.parametrize(("name", "character"), [("comma", ","), ("tab", "\t"), ("semicolon", ";"), ("pipe", "|")])
def test_the_delimiter_is_found(name, character):
    sheet = parse_sheet(TEXT.replace(",", character), "x")
    assert sheet.delimiter == name
    assert sheet.column("city") == ["巴黎", "北京"]


def test_a_delimiter_inside_quotation_marks_parts_nothing():
    sheet = parse_sheet('a;b\n"1,2,3";4\n"5,6,7";8\n', "x")
    assert (sheet.delimiter, sheet.rows[0]) == ("semicolon", ["1,2,3", "4"])


def test_a_row_over_several_lines_is_named_by_its_first():
    sheet = parse_sheet('a,b\n"x\ny",1\n\nz,2\n', "x")
    assert [list(row) for row in sheet.rows] == [["x\ny", "1"], ["z", "2"]]
    assert list(sheet.lines) == [2, 5]


def test_cells_are_as_written_where_semicolons_part_columns_and_the_decimal_mark_is_a_comma():
    sheet = parse_sheet("a;b\n1,5;x,y\n-2,25;z\n", "x")
    assert (sheet.rows, sheet.decimal) == ([["1,5", "x,y"], ["-2,25", "z"]], ",")
    assert parse_sheet("a;b\n1.5;x,y\n", "x").decimal == "."
    assert parse_sheet('a,b\n"1,5",x\n', "x").decimal == "."  # commas part the columns, so they mark no decimals


@pytest.mark.parametrize(
    ("text", "has_header"),
    [
        ("a,b\n1,2\n", True),
        ("1,2\n3,4\n", False),
        ("red,round\nblue,round\n", False),  # "round" recurs below
        ("colour,shape\nblue,round\nred,round\n", True),
        (",b\n0,2\n1,3\n", True),  # as pandas writes its index
        ("c,y\na,1\nc,2\n", True),  # a category that is called as its column
    ],
)
def test_the_header_is_told_from_rows(text, has_header):
    sheet = parse_sheet(text, "x")
    assert sheet.has_header is has_header
    assert sheet.names[0] == (text.split(",")[0] if has_header and text[0] != "," else "column_1")


def test_columns_set_apart_by_blanks_are_read_where_asked_for():
    sheet = parse_sheet(" 1.0   2\n 3.0   4\n\n", "x", delimiter="spaces", header=False)
    assert [list(row) for row in sheet.rows] == [["1.0", "2"], ["3.0", "4"]]


def test_names_in_quotes_may_hold_blanks_between_columns_of_blanks():
    lines = [f'{n}.0   8   3{n}7.0  1\t"buick skylark {n}"' for n in range(10, 20)]
    sheet = parse_sheet("\n".join(lines), "x")
    assert (sheet.delimiter, sheet.has_header) == ("spaces", False)
    assert sheet.rows[3] == ["13.0", "8", "3137.0", "1", "buick skylark 13"]
    assert parse_sheet("1 234;5 678;9 012\n2 234;6 678;8 012\n", "x").delimiter == "semicolon"
    assert parse_sheet("so it is\nas it was\n", "x").delimiter == "comma"


def test_rows_of_another_length_are_named_and_left_out():
    sheet = parse_sheet("a,b\n1,2\n3\n4,5,6\n7,8\n", "x")
    assert sheet.broken == ((3, "1 cells, but 2 columns"), (4, "3 cells, but 2 columns"))
    assert list(sheet.lines) == [2, 5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("\n\n", "no rows"),
        ("a,b\n", "a header but no rows"),
        ('"a,b', "no rows"),
    ],
)
def test_what_is_no_table_is_refused(text, says):
    with pytest.raises(DataError, match=says):
        parse_sheet(text, "x")


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="'a'"):
        parse_sheet("a,a\n1,2\n", "x", header=True)


def test_numbers_are_finite_and_gaps_are_nan():
    assert [to_number(cell) for cell in ("1e3", "-.5", "1_000", "inf", "1e999", "x")] == [1e3, -0.5, *[None] * 4]
    assert all(math.isnan(to_number(cell)) for cell in ("", "NA", "n/a", "?", "NaN", "None"))


CELLS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).map(str.strip).filter(bool)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8))
def test_whatever_was_written_as_csv_is_read_again(rows):
    stream = io.StringIO()
    csv.writer(stream).writerows([["a", "b", "c"], *rows])
    sheet = parse_sheet(stream.getvalue(), "x", delimiter="comma", header=True)
    assert [list(row) for row in sheet.rows] == rows


def test_a_column_is_found_by_its_name_and_may_be_renamed():
    sheet = parse_sheet("名,b\n x , 1\ny,2\n", "x")
    assert sheet.column("名") == ["x", "y"]
    renamed = sheet.renamed(["first", "second"])
    assert renamed.column("second") == ["1", "2"]
    assert (renamed.rows, renamed.lines, sheet.names) == (sheet.rows, sheet.lines, ("名", "b"))
    with pytest.raises(ValueError, match="tuple"):
        renamed.column("名")


@pytest.mark.parametrize("cell", ["", "?", "-", "NA", "n/a", "#N/A", "<NA>", "NaN", "NULL", "None"])
def test_what_pandas_reads_as_missing_is_missing(cell):
    assert is_missing(cell)
    assert is_missing(cell.lower())
    assert is_missing(cell.upper())


@pytest.mark.parametrize("cell", ["0", "no", "--", "nan?", "缺", " "])
def test_a_word_like_missing_is_a_value(cell):
    assert not is_missing(cell)


@settings(max_examples=40)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_exactly(value):
    assert to_number(repr(value)) == value
    assert to_number(f"{value:+.17e}") == value


@pytest.mark.parametrize(
    ("text", "delimiter", "names"),
    [
        ("a;b\n1;2,5\n3;4,5\n5;6\n", "semicolon", ("a", "b")),
        ("a;b,c\n1;2,5\n3;4,5\n", "comma", ("a;b", "c")),  # both cut alike: the comma is preferred
        ("a\tb\n1\t2\n", "tab", ("a", "b")),
        ("only\n1\n2\n", "comma", ("only",)),
        ("a|b|c\n1|2,2|3\n4|5|6\n", "pipe", ("a", "b", "c")),
    ],
)
def test_the_delimiter_that_cuts_all_rows_alike_wins(text, delimiter, names):
    sheet = parse_sheet(text, "x", header=True)
    assert (sheet.delimiter, sheet.names) == (delimiter, names)


def test_quotation_marks_keep_a_comma_where_commas_part_columns():
    assert parse_sheet('a,b\n"3,14",x\n', "x", header=True).column("a") == ["3,14"]


def test_columns_without_a_name_are_called_by_their_places():
    assert parse_sheet(",b,\n1,2,3\n", "x", header=True).names == ("column_1", "b", "column_3")
    assert parse_sheet("1,2\n", "x", header=False).names == ("column_1", "column_2")
    with pytest.raises(DataError, match="'column_2'"):
        parse_sheet("column_2,\n1,2\n", "x", header=True)


def test_lines_are_those_of_the_file_where_rows_are_empty_or_long():
    sheet = parse_sheet('a,b\n\n1,"two\nlines"\n,\n3,4\n', "x", header=True)
    assert list(sheet.lines) == [3, 5, 6]
    assert sheet.blank == (2,)
    assert sheet.column("b") == ["two\nlines", "", "4"]


def test_an_unclosed_quotation_mark_breaks_only_its_row():
    sheet = parse_sheet('a,b\n1,2\n"3,4\n5,6', "x")
    assert sheet.rows == [["1", "2"], ["5", "6"]]
    assert sheet.broken == ((3, "a quotation mark is not closed"),)


def test_nul_bytes_are_removed_and_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,\x002\n3,4\n")
    sheet = read_sheet(path)
    assert sheet.rows == [["1", "2"], ["3", "4"]]
    assert sheet.notes == ("1 NUL bytes were removed",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_change_nothing(tmp_path, end):
    path = tmp_path / "t.csv"
    path.write_bytes(end.join(["a,b", "1,2", "", "3,4"]).encode())
    sheet = read_sheet(path)
    assert (sheet.rows, sheet.lines) == ([["1", "2"], ["3", "4"]], [2, 4])


def test_semicolons_and_decimal_commas_are_found_without_a_word():
    sheet = parse_sheet("x;y\n" + "".join(f"{number},5;{number},25\n" for number in range(9)), "x")
    assert sheet.delimiter == "semicolon"
    assert sheet.rows[1] == ["1,5", "1,25"]
    headless = parse_sheet("1,5;2,5\n3,5;4,5\n", "x")
    assert (headless.has_header, headless.rows) == (False, [["1,5", "2,5"], ["3,5", "4,5"]])
    assert parse_sheet("1.234,50;118,37\n2.345,00;99,50\n", "x").rows[0] == ["1.234,50", "118,37"]


def test_a_reading_survives_json_and_damage_is_none():
    reading = parse_sheet("a;b\n1;2\n", "x").reading
    assert reading == Reading("semicolon", has_header=True, codec="utf-8")
    assert Reading.from_json(json.loads(json.dumps(reading.to_json()))) == reading
    for damaged in (None, [], {}, {**reading.to_json(), "delimiter": "#"}, {**reading.to_json(), "has_header": 1}):
        assert Reading.from_json(damaged) is None


def test_a_table_in_a_file_knows_its_encoding_and_a_missing_file_is_named(tmp_path):
    path = tmp_path / "表.csv"
    path.write_bytes("名,b\n猫,1\n".encode("gb18030"))
    sheet = read_sheet(path)
    assert (sheet.encoding.name, sheet.column("名")) == ("GB18030", ["猫"])
    with pytest.raises(DataError, match=r"无\.csv"):
        read_sheet(tmp_path / "无.csv")
