"""Rows are cut alike however their lines arrive; a broken one costs its line, and none is lost."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.reading import delimited
from dlcli.data.reading.delimited import RowSplitter, split_rows, swallowed_note

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
LINE = st.text(st.sampled_from('a1",; \\\t'), max_size=10)


def rows(text: str, delimiter: str = ",", **how: bool) -> list[tuple[int, list[str], str]]:
    return [(row.line, list(row.cells), row.fault) for row in split_rows(text.split("\n"), delimiter, **how)]


@settings(max_examples=150)
@given(st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_what_the_csv_module_writes_is_read_back(written, delimiter):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(written)
    read = [list(row.cells) for row in split_rows(stream.getvalue().removesuffix("\n").split("\n"), delimiter)]
    assert read == written


@settings(max_examples=200)
@given(st.lists(LINE, max_size=8))
def test_every_line_belongs_to_exactly_one_row_in_order(lines):
    found = list(split_rows(lines, ","))
    starts = [row.line for row in found]
    assert starts == sorted(set(starts))
    assert (starts[:1] == [1]) is any(line.strip() for line in lines)
    text = "\n".join(lines)
    letters = "".join(cell for row in found for cell in row.cells)
    assert [c for c in letters if c in "a1"] == [c for c in text if c in "a1"]


@settings(max_examples=100)
@given(st.lists(LINE, max_size=8))
def test_lines_one_by_one_are_cut_as_all_together(lines):
    splitter = RowSplitter(",")
    pieces = [row for line in lines for row in splitter.feed(line)]
    assert [*pieces, *splitter.close()] == list(split_rows(lines, ","))


def test_a_line_break_inside_quotes_belongs_to_the_cell():
    assert rows('a,b\n"x\n\ny",2\nz,3') == [(1, ["a", "b"], ""), (2, ["x\n\ny", "2"], ""), (5, ["z", "3"], "")]


def test_blanks_behind_a_delimiter_and_around_quotes_are_ignored():
    assert rows('"a", "b" ,c\n1,  "2, 3"\t, 4')[0][1] == ["a", "b", "c"]
    assert rows('1,  "2, 3"\t, 4')[0][1] == ["1", "2, 3", "4"]


def test_a_backslash_escapes_a_quotation_mark_where_doubling_makes_no_row():
    assert rows('"say \\"hi\\", he said",1\n"no",2') == [(1, ['say "hi", he said', "1"], ""), (2, ["no", "2"], "")]
    assert rows('"C:\\",5') == [(1, ["C:\\", "5"], "")]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('a,b\n"6,30\n7,40', 2, "not closed"),
        ('"6,30\n7,"40"', 1, "expected after"),
        ('x,"y"z\n7,40', 1, "expected after"),
    ],
)
def test_a_broken_row_loses_only_its_first_line(text, line, reason):
    found = rows(text)
    [(place, cells, fault)] = [row for row in found if row[2]]
    assert (place, cells) == (line, [text.split("\n")[line - 1]])
    assert reason in fault
    assert len(found) == text.count("\n") + 1


def test_an_unclosed_quotation_mark_holds_no_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_CHARACTERS", 100)
    splitter = RowSplitter(",")
    found = splitter.feed('"a,1')
    for number in range(60):
        found += splitter.feed(f"x,{number}")
    assert found[0].fault == "a quotation mark is not closed"
    assert [row.line for row in found] == list(range(1, 62))


@pytest.mark.parametrize(
    ("first", "line"), [('0,"unclosed,x', '1,"",y'), ('0,"<p class=""a"">', '<b class=""b"">,'), ('0,"', 'a "" b')]
)
def test_a_long_cell_is_parsed_a_few_times_and_not_once_for_each_line(monkeypatch, first, line):
    parsed: list[int] = []
    parse = RowSplitter._parse

    def counted(self, lines, **dialect):
        parsed.append(sum(map(len, lines)))
        return parse(self, lines, **dialect)

    monkeypatch.setattr(RowSplitter, "_parse", counted)
    lines = [first, *[line] * 400, '"']
    assert [row.fault for row in split_rows(lines, ",")] == [""]
    assert sum(parsed) < 3 * sum(map(len, lines))


def test_lines_behind_an_unclosed_quotation_mark_are_read_as_rows_again(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_CHARACTERS", 100)
    found = rows("\n".join(['0,"unclosed,x', *['1,"",y'] * 20]))
    assert found[0] == (1, ['0,"unclosed,x'], "a quotation mark is not closed")
    assert found[1:] == [(line, ["1", "", "y"], "") for line in range(2, 22)]


def test_a_line_beyond_the_limit_is_broken(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_CHARACTERS", 10)
    [row] = RowSplitter(",").feed("x" * 11)
    assert row.fault == "a line of 11 characters, more than 10"


def test_a_cell_may_be_longer_than_the_csv_modules_limit():
    [row] = RowSplitter(",").feed(f'"{"x" * 200_000}",1')
    assert len(row.cells[0]) == 200_000


def test_rows_inside_a_cell_are_noticed():
    [row] = split_rows(['1,"foo', "2,bar", "3,baz", '9,5 inch"'], ",")
    assert row.num_swallowed == 2
    assert swallowed_note(row) == "line 1: a cell encloses 2 lines that look like rows: an unclosed quote?"
    [poem] = split_rows(['1,"roses', "are red", "violets", 'are blue"'], ",")
    assert swallowed_note(poem) == ""


def test_empty_lines_are_empty_rows_except_behind_the_last():
    assert rows("a\n\n  \nb\n\n") == [(1, ["a"], ""), (2, [], ""), (3, [], ""), (4, ["b"], "")]
    assert rows("\n\n") == []


def test_without_quoting_a_line_is_a_row():
    assert rows('"a\t1\nb"\t"2"', "\t", has_quotes=False) == [(1, ['"a', "1"], ""), (2, ['b"', '"2"'], "")]
