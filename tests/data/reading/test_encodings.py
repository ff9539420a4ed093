"""An encoding is found from the whole file, and a fault is told with its place."""

from __future__ import annotations

import codecs

import pytest

from dlcli.core.errors import DataError
from dlcli.data.reading import encodings
from dlcli.data.reading.encodings import detect_encoding, open_text

TEXT = "标签,内容\n1,很好！😀\n0,不好\n"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TEXT.encode(), "UTF-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "UTF-8 with a byte order mark"),
        (TEXT.encode("gb18030"), "GB18030"),
        ("很好\n".encode("gbk"), "GB18030"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), "UTF-32"),
        (b"", "UTF-8"),
    ],
)
def test_each_encoding_is_found_and_gives_the_text_back(tmp_path, data, name):
    path = tmp_path / "文件.csv"
    path.write_bytes(data)
    assert detect_encoding(path).name == name
    with open_text(path) as stream:
        assert stream.read() in (TEXT, "很好\n", "")
    with open_text(path, newline="") as stream:
        assert not stream.read(1).startswith("\ufeff")


@pytest.mark.parametrize("block", [1, 2, 3, 7, 2**20])
def test_a_fault_is_told_with_its_byte_and_line_wherever_blocks_end(tmp_path, monkeypatch, block):
    monkeypatch.setattr(encodings, "_BLOCK", block)
    before = "好\n很好\n".encode()
    path = tmp_path / "a.txt"
    path.write_bytes(before + b"x\xff\xff\xff\n")
    with pytest.raises(DataError, match="cannot be read as text") as caught:
        detect_encoding(path)
    assert caught.value.details == (f"not UTF-8: byte 0xff at offset {len(before) + 1:,}, line 3",)


def test_a_cut_off_character_at_the_end_is_a_fault(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("好好".encode()[:-1])
    with pytest.raises(DataError) as caught:
        detect_encoding(path)
    assert caught.value.details[0] == "not UTF-8: byte 0xe5 at offset 3, line 1"


def test_a_marked_file_is_not_tried_as_another(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(codecs.BOM_UTF8 + "好".encode("gb18030"))
    with pytest.raises(DataError) as caught:
        detect_encoding(path)
    assert len(caught.value.details) == 1


def test_unmarked_utf16_and_a_missing_file_are_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("label,text\n".encode("utf-16-le"))
    with pytest.raises(DataError, match="NUL"):
        detect_encoding(path)
    with pytest.raises(DataError, match=r"no\.txt"):
        detect_encoding(tmp_path / "no.txt")
