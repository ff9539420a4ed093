"""Bad command lines about files of texts and tables: what they are, their encodings, their rows."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from bad_inputs.arrange import DATA, TEXTS, USAGE, Row

TABLE = "a,b,y\n" + "".join(f"{row % 7}.5,{row % 5}.25,{3 * row}.5\n" for row in range(40))
TEXT, CSV, JSONL = "prepare text-csv t.csv", "prepare table t.csv --target y", "prepare text-jsonl t.jsonl"


def write(content: bytes | str, name: str = "t.csv") -> Callable[[Any], object]:
    """Return an arrangement: one file."""
    return lambda bench: bench.write(name, content)


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def lines(*records: Any) -> str:
    """Return JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


WORKBOOK = zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<w/>"})
MANY = [{"body": {"words": f"fine {row}"}, "stars": row % 2} for row in range(40)]

READING = {
    "table in Parquet": Row(CSV, DATA, "Parquet", write(b"PAR1" + bytes(50))),
    "texts in Parquet": Row(TEXT, DATA, "read_parquet", write(b"PAR1" + bytes(50))),
    "table of old Excel": Row(CSV, DATA, "old Excel", write(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50))),
    "damaged workbook": Row(CSV, DATA, "damaged Excel workbook", write(WORKBOOK)),
    "texts in a damaged workbook": Row(TEXT, DATA, "damaged Excel workbook", write(WORKBOOK)),
    "pickle": Row(CSV, DATA, "can run code", write(pickle.dumps([1, 2]))),
    "trap in a pickle": Row(TEXT, DATA, "pickle", lambda bench: bench.write("t.csv", bench.trap())),
    "page of a web site": Row(CSV, DATA, "HTML", write("<!DOCTYPE html><html><body>404</body></html>")),
    "texts from a web site": Row(JSONL, DATA, "HTML", write("<html>404</html>", "t.jsonl")),
    "XML": Row(CSV, DATA, "XML", write('<?xml version="1.0"?><rows/>')),
    "PDF": Row(TEXT, DATA, "a PDF", write(b"%PDF-1.4\n")),
    "database": Row(CSV, DATA, "SQLite", write(b"SQLite format 3\0" + bytes(50))),
    "bzip2": Row(CSV, DATA, "bzip2", write(b"BZh91AY&SY")),
    "gzip cut off": Row(CSV, DATA, "t.csv: ", write(gzip.compress(TABLE.encode())[:-20])),
    "gzip of a picture": Row(TEXT, DATA, "", write(gzip.compress(b"\x89PNG\r\n\x1a\n\0\0\0\0" + bytes(99)))),
    "zip of two": Row(CSV, DATA, "2 files", write(zipped({"a.csv": TABLE, "b.csv": TABLE}))),
    "zip of none": Row(CSV, DATA, "0 files", write(zipped({}))),
    "zip of a workbook's parts": Row(CSV, DATA, "office document", write(zipped({"word/document.xml": "<w/>"}))),
    "zip cut off": Row(CSV, DATA, "unpacked", write(zipped({"a.csv": TABLE})[:200])),
    "named encoding that does not fit": Row(f"{CSV} --encoding ascii", DATA, "byte", write("名" + TABLE)),
    "encoding misspelt": Row(f"{CSV} --encoding gbk2", USAGE, "--encoding", write(TABLE)),
    "encoding that is none": Row(f"{TEXT} --encoding base64", USAGE, "base64", write(TEXTS)),
    "UTF-16 without a mark": Row(CSV, DATA, "utf-16-le", write(TABLE.encode("utf-16-le"))),
    "UTF-8 with a broken byte": Row(CSV, DATA, "byte 0xff", write("名,b,y\n好,2,3\n".encode() + b"\xff,1,2\n")),
    "table without rows": Row(CSV, DATA, "no rows", write("\n\n")),
    "header without rows": Row(CSV, DATA, "header but no rows", write("a,b,y\n")),
    "rows that are all ragged": Row(CSV, DATA, "4 cells, but 3 columns", write("a,b,y\n" + "1,2,3,\n" * 30)),
    "two columns of one name": Row(CSV, DATA, "two columns are named 'a'", write(TABLE.replace("b", "a", 1))),
    "quotation marks unclosed": Row(
        f"{CSV} --max-bad 0", DATA, "line 42: a quotation mark", write(f'{TABLE}"1,2,3\n4,5,6\n')
    ),
    "delimiter of another file": Row(f"{CSV} --delimiter pipe", DATA, "no column 'y'", write(TABLE)),
    "texts without known columns": Row(TEXT, DATA, "which column holds the texts", write("a,b,c\n1,2,3\n")),
    "texts and labels in one column": Row(
        f"{TEXT} --text-column label --label-column label", DATA, "cannot both", write(TEXTS)
    ),
    "column that is not there": Row(f"{TEXT} --text-column texts", DATA, "did you mean 'text'", write(TEXTS)),
    "two columns of texts of one name": Row(
        f"{TEXT} --text-column text", DATA, "2 columns are named", write("text,text,label\na,b,1\n")
    ),
    "number beyond the columns": Row(
        f"{TEXT} --text-column 1 --label-column 7", DATA, "no column 7", write("good,1\nbad,0\n")
    ),
    "texts of wrong lengths": Row(
        f"{TEXT} --max-bad 3", DATA, "3 columns, not 2", write("text,label\n" + "a,b,1\n" * 20)
    ),
    "texts without labels": Row(TEXT, DATA, "no label", write("text,label\n" + "fine,\n" * 20)),
    "labels that are all NaN": Row(
        JSONL, DATA, "missing or not a label", write('{"text": "a", "label": NaN}\n' * 20, "t.jsonl")
    ),
    "texts that are blank": Row(TEXT, DATA, "no text", write("text,label\n" + "\u3000,1\n\u200b,0\n" * 20)),
    "JSON array": Row(JSONL, DATA, "jq", write(json.dumps([{"text": "a", "label": 1}] * 9), "t.jsonl")),
    "JSON that is no object": Row(JSONL, DATA, "not a JSON object", write("[1]\n[2]\n", "t.jsonl")),
    "JSON that is cut off": Row(JSONL, DATA, "not JSON", write('{"text": "a"\n', "t.jsonl")),
    "nested without known names": Row(JSONL, DATA, "body.words", write(lines(*MANY), "t.jsonl")),
    "nested field that is no text": Row(
        f"{JSONL} --text-column body --label-column stars", DATA, "no column 'body'", write(lines(*MANY), "t.jsonl")
    ),
    "text that is a number": Row(
        JSONL, DATA, "line 1: 'text' is not a text", write(lines(*[{"text": 3, "label": 1}] * 5), "t.jsonl")
    ),
    "label that is a list": Row(
        JSONL, DATA, "not a label", write(lines(*[{"text": "a", "label": [1]}] * 5), "t.jsonl")
    ),
    "fifo": Row(CSV, DATA, "not a regular file", lambda bench: os.mkfifo(bench.home / "t.csv")),
    "stop words in Parquet": Row(
        f"{TEXT} --stopwords s.txt",
        DATA,
        "Parquet",
        lambda bench: (bench.write("t.csv", TEXTS), bench.write("s.txt", b"PAR1")),
    ),
}
