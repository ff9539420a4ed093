"""Lines come without their ends and NUL; those of standard input are decoded one by one."""

from __future__ import annotations

import io

import pytest

from dlcli.core.errors import DataError
from dlcli.data.reading import lines as module
from dlcli.data.reading.lines import Lines, decode_line, lines_of_document, read_at_most


def test_ends_and_nul_bytes_are_removed_and_counted():
    lines = Lines(io.StringIO("a\0b\n\nc\0\0", newline=None), "x")
    assert list(lines) == ["ab", "", "c"]
    assert (lines.number, lines.num_nul) == (3, 3)


def test_a_line_beyond_the_limit_is_named(monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 5)
    with pytest.raises(DataError, match=r"x: a line longer than 5 characters, near line 2"):
        list(Lines(io.StringIO("abcde\nabcdef\n"), "x"))


@pytest.mark.parametrize(
    ("text", "codec"), [("好的", "gb18030"), ("très", "cp1252"), ("plain", "ascii"), ("好", "utf-8")]
)
def test_bytes_are_decoded_by_the_first_codec_that_fits(text, codec):
    line = text.encode(codec).decode("utf-8", "surrogateescape")
    assert decode_line(line, [codec, "latin-1"]) == text


def test_bytes_in_no_encoding_are_none():
    assert decode_line("\udcff\udcfe", ["gb18030"]) is None
    assert decode_line("\ud800", ["gb18030"]) == "\ud800"


def test_the_lines_of_a_document_are_those_of_standard_input():
    assert list(lines_of_document("一\r\ntwo\r\rthree\n".encode())) == ["一", "two", "", "three"]
    assert list(lines_of_document("\ufeffa\nb".encode())) == ["a", "b"]
    assert list(lines_of_document("é\n".encode("utf-16"))) == ["é"]
    assert list(lines_of_document(b"")) == []
    [line] = lines_of_document("开心".encode("gb18030"))
    assert decode_line(line, ["gb18030"]) == "开心"


def test_no_line_is_read_after_one_row_too_many():
    def lines():
        yield from ["a", "", "b", "c"]
        pytest.fail("another line was read")

    assert read_at_most(lines(), lambda line: [line] if line else [], 2) == ["a", "b", "c"]
    assert read_at_most(["a", "", "b"], lambda line: [line] * 3 if line else [], None) == ["a"] * 3 + ["b"] * 3


def test_many_lines_without_a_row_are_refused_only_where_rows_are_limited(monkeypatch):
    monkeypatch.setattr(module, "MAX_WITHOUT_ROW", 3)
    lines = ["a", "", "", "", "b", "", "", "", ""]
    assert read_at_most(lines[:-1], lambda line: [line] if line else [], 2) == ["a", "b"]
    with pytest.raises(DataError, match="4 lines without a row"):
        read_at_most(lines, lambda line: [line] if line else [], 2)
    assert read_at_most(lines, lambda line: [line] if line else [], 4) == ["a", "b"]
    assert read_at_most(lines, lambda line: [line] if line else [], None) == ["a", "b"]
