"""Lines come without their ends and NUL; those of standard input are decoded one by one."""

from __future__ import annotations

import io

import pytest

from dlcli.core.errors import DataError
from dlcli.data.reading import lines as module
from dlcli.data.reading.lines import Lines, decode_line, lines_of_document


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
    assert lines_of_document("一\r\ntwo\r\rthree\n".encode()) == ["一", "two", "", "three"]
    assert lines_of_document("\ufeffa\nb".encode()) == ["a", "b"]
    assert lines_of_document("é\n".encode("utf-16")) == ["é"]
    assert lines_of_document(b"") == []
    [line] = lines_of_document("开心".encode("gb18030"))
    assert decode_line(line, ["gb18030"]) == "开心"
