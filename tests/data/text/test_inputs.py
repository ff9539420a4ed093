"""Texts to answer are found in any file of texts; every line has its text or its fault, in order."""

from __future__ import annotations

import gzip
import json

import pytest

from dlcli.core.errors import DataError
from dlcli.data.text.columns import CSV, FILE, JSONL, TSV, Reading
from dlcli.data.text.inputs import (
    Text,
    TextReader,
    text_of_argument,
    text_of_file,
    texts_of_document,
    texts_of_file,
)

OWN = Reading(CSV, "review", ("review", "label"))


def found(path, reading=None):
    return [(text.text, text.fault) for text in texts_of_file(path, reading)]


def fed(lines, reading=None):
    reader = TextReader(reading)
    return [*(text for line in lines for text in reader.feed_bytes(line)), *reader.close()]


@pytest.fixture
def write(tmp_path):
    def run(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return path

    return run


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_and_line_ends_change_nothing(write, end, encoding):
    path = write("n.txt", end.join(["很好", "", "太差"]), encoding)
    assert found(path) == [("很好", ""), ("", "line 2: an empty text"), ("太差", "")]


def test_a_csv_is_read_by_the_column_that_the_run_was_trained_on(write):
    path = write("n.csv", 'label,review,id\n1,"good, very\ngood",7\n0,bad,8\n')
    first, second = texts_of_file(path, OWN)
    assert first == Text("good, very\ngood", {"label": "1", "id": "7"})
    assert second.kept == {"label": "0", "id": "8"}


@pytest.mark.parametrize(
    ("name", "content", "reading"),
    [
        ("n.csv", "text,stars\ngood,1\n", OWN),
        ("n.csv", "text,stars\ngood,1\n", None),
        ("n.csv", "text\ngood\n", None),
        ("n.csv", "stars;review\n1;good\n", OWN),
        ("n.tsv", "review\tlabel\ngood\t1\n", None),
        ("n.txt", "review\tlabel\ngood\t1\n", Reading(TSV, "review", ("review", "label"), "\t")),
        ("n.txt", "label,review\n1,good\n", OWN),
        ("n.csv", "good,1\n", Reading(CSV, "1")),
        ("n.csv", "1,good\n", Reading(CSV, "2")),
        ("n.jsonl", '{"text": "good", "id": 1}\n', None),
        ("n.jsonl", '{"review": "good"}\n', Reading(JSONL, "review")),
        ("n.jsonl", '{"content": "good"}\n', Reading(JSONL, "review")),
        ("n.jsonl", '{"data": {"text": "good"}}\n', Reading(JSONL, "data.text")),
        ("n.ndjson", '{"data": {"text": "good"}}\n', None),
        ("n.csv.gz", gzip.compress(b"review,label\ngood,1\n", mtime=0), OWN),
        ("n.jsonl.gz", gzip.compress(b'{"text": "good"}\n', mtime=0), None),
        ("n.csv.gz", gzip.compress(b"stars,text\n1,good\n", mtime=0), None),
        ("n.txt", "good\n", OWN),
    ],
)
def test_the_text_is_found(write, name, content, reading):
    assert [text.text for text in texts_of_file(write(name, content), reading)] == ["good"]


def test_faults_keep_their_places_and_lines(write):
    path = write("n.csv", 'review,label\ngood,1\n\nbad\n"open,1\nfine,0\n')
    assert found(path, OWN) == [
        ("good", ""),
        ("", "line 3: an empty line"),
        ("bad", "line 4: 1 columns, not 2"),
        ('"open,1', "line 5: a quotation mark is not closed"),
        ("fine", ""),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{broken", "line 1: not JSON"),
        ("[1]", "line 1: not a JSON object"),
        ("{}", "line 1: no field 'text'"),
        ('{"text": 3}', "line 1: 'text' is not a text"),
        ('{"review": "good", "content": "bad"}', "line 1: no field 'text'"),
    ],
)
def test_a_line_of_json_says_why_it_holds_no_text(write, line, fault):
    [(_, reason)] = found(write("n.jsonl", line + "\n"))
    assert reason.startswith(fault)


def test_fields_beside_the_text_are_kept(write):
    path = write("n.jsonl", json.dumps({"id": 7, "text": "good", "label": "gold", "n": {"a": None}}) + "\n")
    [text] = texts_of_file(path, None)
    assert text.kept == {"id": 7, "label": "gold", "n": {"a": None}}


def test_a_csv_without_a_column_of_texts_is_refused(write):
    with pytest.raises(DataError, match="which column holds the texts") as caught:
        list(texts_of_file(write("n.csv", "a,b\n1,2\n"), OWN))
    assert caught.value.details == ("columns: 'a', 'b'",)
    assert "'review'" in caught.value.hint


def test_an_encoding_that_is_a_guess_is_refused_unless_it_is_the_runs(write):
    path = write("n.txt", "C'était délicieux et très généreux\n", "cp1252")
    with pytest.raises(DataError, match=r"not certain to be Windows-1252"):
        list(texts_of_file(path, OWN))
    assert found(path, Reading(CSV, "review", (), codec="cp1252")) == [("C'était délicieux et très généreux", "")]


def test_a_json_array_is_refused(write):
    with pytest.raises(DataError, match="JSON array"):
        list(texts_of_file(write("n.json", '[{"text": "good"}]'), None))


def test_standard_input_is_plain_texts_or_the_file_of_the_run():
    lines = ["review,label", '"good, very",1', "bad,0"]
    assert [text.text for text in fed(lines, OWN)] == ["good, very", "bad"]
    assert [text.text for text in fed(lines, None)] == lines
    assert [text.text for text in fed(["review", "good"], OWN)] == ["review", "good"]
    assert [text.text for text in fed(["I review, label it", "good"], OWN)] == ["I review, label it", "good"]


def test_every_line_of_standard_input_is_answered():
    lines = ["good", "", "\u3000", '{"text": "bad"}', '{"a": 1}', "{", "\udcff\udcfe", "a\0b"]
    texts = fed(lines)
    assert [text.fault for text in texts] == [
        "",
        "line 2: an empty text",
        "line 3: an empty text",
        "",
        "line 5: no field 'text'",
        "",
        "line 7: neither UTF-8 nor GB18030",
        "",
    ]
    assert [text.text for text in texts if not text.fault] == ["good", "bad", "{", "ab"]


def test_bytes_in_no_encoding_are_a_fault_of_their_row():
    texts = fed(["review,label", "good,1", "\udcff\udcfe,0", "bad,0"], OWN)
    assert [text.fault for text in texts] == ["", "line 3: neither UTF-8 nor GB18030", ""]
    assert fed(["good,1", '"a', "b,0"], Reading(CSV, "7"))[0].text == "good,1"


def test_bytes_of_standard_input_are_read_in_the_runs_encoding():
    line = "très bon".encode("cp1252").decode("utf-8", "surrogateescape")
    assert [text.text for text in fed([line], Reading(CSV, "1", codec="cp1252"))] == ["très bon"]


def test_an_argument_has_no_line():
    assert text_of_argument("") == Text("", fault="an empty text")
    assert text_of_argument('{"text": "good", "id": 1}') == Text("good", {"id": 1})
    assert text_of_argument("two\nlines") == Text("two\nlines")


def test_the_text_of_a_file_is_cut_off_where_those_were_that_the_run_was_trained_on(write):
    path = write("n.txt", "好" * 50 + "\n")
    reading = Reading(FILE, "", max_chars=20)
    assert text_of_file(path, reading) == Text("好" * 20)
    assert texts_of_document(path.read_bytes(), reading) == [Text("好" * 20)]
    assert len(text_of_file(path, Reading(FILE, "")).text) == 51
    assert text_of_file(write("blank.txt", " " * 30 + "x"), reading).fault == "an empty text"
