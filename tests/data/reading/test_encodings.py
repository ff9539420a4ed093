"""An encoding is found from the whole file, and a fault is told with its place."""

from __future__ import annotations

import codecs

import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.reading import encodings
from dlcli.data.reading.encodings import detect_encoding, open_text, require_encoding

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


REVIEWS = {
    "big5hkscs": "這部電影非常精彩，演員的表演令人感動\n劇情拖沓無聊，看完非常失望\n",
    "cp932": "とても面白い映画でした\n退屈でつまらない映画だった\n",
    "euc_jp": "とても面白い映画でした\n退屈でつまらない映画だった\n",
    "cp949": "정말 재미있는 영화였습니다\n지루하고 실망스러운 영화\n",
    "cp1252": "C'était délicieux et très généreux\nDégoûtant, j'ai été déçu\n",
    "cp1250": "Bardzo dobry film, świetna gra aktorów\nNudny i rozczarowujący żart\n",
    "cp1251": "Очень хороший фильм\nУжасный и скучный фильм\n",
}


@pytest.mark.parametrize("num_copies", [1, 40])
@pytest.mark.parametrize("codec", REVIEWS)
def test_another_encoding_is_a_guess_with_a_sample(tmp_path, codec, num_copies):
    path = tmp_path / "t.txt"
    path.write_bytes((REVIEWS[codec] * num_copies).encode(codec))
    encoding = detect_encoding(path)
    assert encoding.codec == codec
    assert encoding.sample
    assert encoding.sample[:8] in REVIEWS[codec].replace("\n", " ")
    assert "--encoding" in encoding.warning(path)
    with open_text(path, encoding=encoding) as stream:
        assert stream.read() == REVIEWS[codec] * num_copies


@pytest.mark.parametrize(
    "text", ["这部电影非常精彩\n剧情拖沓无聊\n", "标签,内容\n1,很好！\n", "颜色\n红\n蓝\n", "名,b\n猫,1\n"]
)
def test_common_chinese_characters_are_certain(tmp_path, text):
    path = tmp_path / "t.txt"
    path.write_bytes(text.encode("gb18030"))
    encoding = detect_encoding(path)
    assert (encoding.codec, encoding.sample, encoding.warning(path)) == ("gb18030", "", "")


def test_the_encoding_of_a_runs_file_is_tried_before_any_guess(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(REVIEWS["cp1252"].encode("cp1252"))
    assert detect_encoding(path, ["latin-1"]).codec == "iso8859-1"


def test_a_named_encoding_is_used_or_refused(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("très".encode("cp1252"))
    assert require_encoding(path, "cp1252").codec == "cp1252"
    assert require_encoding(path, "auto").codec == "cp1252"
    with pytest.raises(DataError, match="byte 0xe8 at offset 2") as caught:
        require_encoding(path, "utf-8")
    assert "--encoding" in caught.value.hint
    for name in ("klingon", "base64", "", "rot13"):
        with pytest.raises(UsageError, match="--encoding"):
            require_encoding(path, name)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-8-sig", "UTF8"),
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32-le"),
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("utf-16-le", "utf-16-le"),
    ],
)
def test_a_byte_order_mark_is_no_character_of_a_text_in_the_named_encoding(tmp_path, written, named):
    path = tmp_path / "t.csv"
    path.write_bytes("age,高度\n".encode(written))
    with open_text(path, encoding=require_encoding(path, named)) as stream:
        assert stream.read() == "age,高度\n"
