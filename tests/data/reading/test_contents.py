"""Files are told by their first bytes: a text in another file is read, anything else is named with advice."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.reading.contents import GZIP, ZIP, is_json_array, kind_of, open_bytes, refuse_json_array, suffix_of_text
from dlcli.data.tables.rows import read_sheet

TEXT = "a,b\n1,2\n名,3\n".encode()


def image(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, kind)
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def read(path):
    with open_bytes(path) as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", TEXT),
        ("t.csv.gz", gzip.compress(TEXT, mtime=0)),
        ("t.csv", gzip.compress(TEXT, mtime=0)),
        ("t.zip", zipped(**{"t.csv": TEXT})),
        ("t.zip", zipped(**{"data/": b"", "data/t.csv": TEXT, "__MACOSX/._t.csv": b"x"})),
    ],
)
def test_a_text_is_read_wherever_it_is(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    assert read(path) == TEXT
    assert read_sheet(path).rows == [["1", "2"], ["名", "3"]]


@pytest.mark.parametrize(
    ("data", "what", "advice"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "old Excel", "CSV"),
        (b"PAR1" + bytes(99), "Parquet", "pandas.read_parquet('x.csv')"),
        (b"ARROW1\0\0", "Feather", "read_feather"),
        (pickle.dumps({"a": 1}), "pickle", "CSV"),
        (pickle.dumps({"a": 1}, protocol=2), "pickle", "CSV"),
        (npy(), "NumPy", "savetxt"),
        (b"\x89HDF\r\n\x1a\n", "HDF5", "read_hdf"),
        (b"SQLite format 3\0", "SQLite", "CSV"),
        (b"BZh91AY&SY", "bzip2", "decompress"),
        (b"\xfd7zXZ\0\0", "xz", "decompress"),
        (b"(\xb5/\xfd\0", "zstd", "decompress"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip", "unpack"),
        (b"Rar!\x1a\x07\0", "RAR", "unpack"),
        (b"%PDF-1.7\n", "PDF", "text"),
        (b"{\\rtf1 x}", "RTF", "plain text"),
        (image("PNG"), "PNG", "image-folder"),
        (image("JPEG"), "JPEG", "image-folder"),
        (image("GIF"), "GIF", "image-folder"),
        (image("TIFF"), "TIFF", "image-folder"),
        (image("WEBP"), "WebP", "image-folder"),
        (b"\n <!DOCTYPE html><html>", "HTML", "browser"),
        (b"\xef\xbb\xbf<HTML><body>", "HTML", "browser"),
        (b'<?xml version="1.0"?><a/>', "XML", "CSV"),
        (b"\x7fELF\x02", "program", "right file"),
        (zipped(**{"a.csv": TEXT, "b.csv": TEXT}), "2 files", "unpack"),
        (zipped(), "0 files", "unpack"),
        (zipped(**{"a.png": image("PNG")}), "PNG", "unpack"),
        (zipped(**{"word/document.xml": b"<w/>"}), "office document", "CSV"),
        (zipped(mimetype=b"application/vnd.oasis"), "office document", "CSV"),
    ],
)
def test_what_is_no_text_is_named_with_advice(tmp_path, data, what, advice):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(path)
    assert what in caught.value.message
    assert advice in caught.value.hint
    assert len(caught.value.lines()) <= 6


@pytest.mark.parametrize(
    "data",
    [gzip.compress(TEXT * 9, mtime=0)[:-9], zipped(**{"t.csv": TEXT * 99})[:60], gzip.compress(TEXT, mtime=0)[:12]],
    ids=["gzip", "zip", "short gzip"],  # an archive holds the time, so the names of two workers' tests would differ
)
def test_what_is_cut_off_is_damaged(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"t\.csv: (truncated|damaged|cannot be unpacked)"):
        read(path)


def test_what_is_not_there_or_no_file_is_said(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "no.csv")
    with pytest.raises(DataError, match="directory"):
        read(tmp_path)
    with pytest.raises(DataError, match="null byte"):
        read(tmp_path / "a\0b")


@pytest.mark.parametrize("text", [b"a,b\n1,2\n", b"{}", b"", b"<3 good film", b"PKO,b\n", "名,b\n".encode("gb18030")])
def test_texts_are_not_taken_for_anything_else(text):
    assert kind_of(text) is None


@pytest.mark.parametrize(
    ("name", "data", "suffix"),
    [
        ("t.CSV", TEXT, ".csv"),
        ("t.jsonl.gz", gzip.compress(TEXT, mtime=0), ".jsonl"),
        ("t.csv", gzip.compress(TEXT, mtime=0), ".csv"),
        ("t.zip", zipped(**{"data/t.tsv": TEXT, "__MACOSX/._t.tsv": b""}), ".tsv"),
        ("t.zip", zipped(), ""),
        ("t.xlsx", zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), ".csv"),
    ],
)
def test_the_suffix_is_that_of_the_text_inside(tmp_path, name, data, suffix):
    path = tmp_path / name
    path.write_bytes(data)
    assert suffix_of_text(path) == suffix


def test_containers_are_told():
    assert (kind_of(gzip.compress(b"")), kind_of(zipped())) == (GZIP, ZIP)


def test_a_json_array_is_no_json_lines(tmp_path):
    assert is_json_array(b' [\n {"a": 1}]')
    assert not is_json_array(b'[1, 2]\n{"a": 1}')
    path = tmp_path / "t.json"
    path.write_text('[{"text": "a"}]')
    with pytest.raises(DataError, match="JSON array") as caught:
        refuse_json_array(path)
    assert "t.json > data.jsonl" in caught.value.hint
