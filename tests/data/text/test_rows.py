"""Rows come out as they stand in the file, and a broken one is told with its line and costs no other."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import DataError
from dlcli.data.labels import label_text
from dlcli.data.reading import lines as reading_lines
from dlcli.data.text.columns import CSV, JSONL, TSV
from dlcli.data.text.rows import BrokenRow, TextRow, TextRows


def read(tmp_path, content, kind=CSV, **columns):
    path = tmp_path / f"data.{kind}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = TextRows(path, kind, **columns)
    return rows, list(rows)


def test_quotes_may_hold_commas_quotes_and_line_ends(tmp_path):
    _, rows = read(tmp_path, 'label,review\r\n1,"好, 很""好""\r\n真的"\r\n0,不好\r\n')
    assert rows == [TextRow(2, '好, 很"好"\n真的', "1"), TextRow(4, "不好", "0")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_and_line_ends_change_nothing(tmp_path, newline, encoding):
    content = newline.join(["label,text", "1,很好", "0,不好", ""]).encode(encoding)
    assert read(tmp_path, content)[1] == [TextRow(2, "很好", "1"), TextRow(3, "不好", "0")]


def test_a_quote_that_is_never_closed_costs_one_line(tmp_path):
    _, rows = read(tmp_path, 'label,text\n1,"好\n0,不好\n1,"很好"\n0,差\n')
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert isinstance(rows[0], BrokenRow) and "CSV" in rows[0].reason
    assert rows[1:] == [TextRow(3, "不好", "0"), TextRow(4, "很好", "1"), TextRow(5, "差", "0")]


def test_a_text_may_be_longer_than_a_field_of_the_csv_module(tmp_path):
    text = "好" * 140_000
    _, rows = read(tmp_path, f'label,text\n1,"{text}"\n0,不好\n')
    assert rows == [TextRow(2, text, "1"), TextRow(3, "不好", "0")]


def test_wrong_numbers_of_columns_are_broken_and_empty_lines_are_nothing(tmp_path):
    _, rows = read(tmp_path, "label,text\n1\n\n1,a,b\n0,c\n")
    assert rows == [BrokenRow(2, "1 columns, not 2"), BrokenRow(4, "3 columns, not 2"), TextRow(5, "c", "0")]


def test_nul_bytes_are_left_out_and_counted(tmp_path):
    rows, found = read(tmp_path, "label,text\n1,a\0b\0\n")
    assert found == [TextRow(2, "ab", "1")] and rows.num_nul == 2


def test_tsv_takes_quotation_marks_as_text(tmp_path):
    _, rows = read(tmp_path, 'text\tlabel\n"好\t1\n不"\t0\n', TSV)
    assert rows == [TextRow(2, '"好', "1"), TextRow(3, '不"', "0")]


def test_numbers_name_columns_where_there_is_no_header(tmp_path):
    rows, found = read(tmp_path, "好\t1\n不好\t0\n", TSV, text_column="1", label_column="2")
    assert found == [TextRow(1, "好", "1"), TextRow(2, "不好", "0")]
    assert (rows.columns.text, rows.columns.label) == ("1", "2")
    with pytest.raises(DataError, match="no column 3"):
        read(tmp_path, "好\t1\n", TSV, text_column="3", label_column="2")


def test_a_header_of_numbers_is_a_header(tmp_path):
    assert read(tmp_path, "0,1\n好,x\n", text_column="0", label_column="1")[1] == [TextRow(2, "好", "x")]


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [("label,review", "review", "label"), ("id,评论,标签", "评论", "标签"), ("Stars,Text", "Text", "Stars")],
)
def test_columns_are_found_by_name_or_as_the_other_of_two(tmp_path, header, text, label):
    rows, _ = read(tmp_path, f"{header}\n")
    assert (rows.columns.text, rows.columns.label) == (text, label)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("a,b", "which column holds the texts"),
        ("text,review,label", "which column holds the texts"),
        ("id,text,stars", "which column holds the labels"),
        ("text", "which column holds the labels"),
        ("text,text,label", "which column holds the texts"),
    ],
)
def test_columns_are_asked_for_where_there_are_several_choices(tmp_path, header, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, f"{header}\n")
    assert header.split(",")[0] in caught.value.details[0]


def test_a_column_that_is_not_there_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(DataError, match="reviews") as caught:
        read(tmp_path, "label,review\n", text_column="reviews")
    assert caught.value.hint == "did you mean 'review'?"
    with pytest.raises(DataError, match="cannot both"):
        read(tmp_path, "label,review\n", text_column="label", label_column="label")


def test_json_lines_give_texts_and_labels_of_any_simple_type(tmp_path):
    lines = [
        '{"text": "a\\nb", "label": 1, "id": 7}',
        "",
        "{broken",
        "[1]",
        '{"text": "c"}',
        '{"label": "x"}',
        '{"text": 3, "label": 1}',
        '{"text": "d", "label": [1]}',
        '{"text": "e", "label": true}',
        '{"text": "f", "label": 0.5}',
        "[" * 100_000,
    ]
    _, rows = read(tmp_path, "\n".join(lines), JSONL)
    assert [row for row in rows if isinstance(row, TextRow)] == [
        TextRow(1, "a\nb", "1"),
        TextRow(9, "e", "true"),
        TextRow(10, "f", "0.5"),
    ]
    assert [row.line for row in rows if isinstance(row, BrokenRow)] == [3, 4, 5, 6, 7, 8, 11]


@pytest.mark.parametrize(
    ("kind", "content"), [(CSV, ""), (TSV, "\n\n"), (JSONL, ""), (JSONL, "[1,\n2]\n"), (CSV, '"a')]
)
def test_a_file_without_rows_is_refused(tmp_path, kind, content):
    with pytest.raises(DataError, match="holds no rows"):
        read(tmp_path, content, kind)


def test_a_file_without_line_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading_lines, "MAX_LINE", 100)
    with pytest.raises(DataError, match="longer than 100 characters"):
        read(tmp_path, "label,text\n" + "x" * 101)


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD), max_size=8))
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *pairs])
    assert [(row.text, row.label) for row in TextRows(path, CSV)] == pairs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=8))
def test_what_the_json_module_writes_is_read_back(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    lines = [json.dumps({"text": text, "label": label}) for text, label in pairs]
    path.write_text("\n".join(lines), encoding="utf-8")
    labels = [label_text(label) for _, label in pairs]
    expected = [(text, label) for (text, _), label in zip(pairs, labels, strict=True)]
    assert [(row.text, row.label) for row in TextRows(path, JSONL)] == expected
