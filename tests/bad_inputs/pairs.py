"""Bad command lines about sentence pairs: what the files are, their columns, languages, lines and sizes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

from bad_inputs.arrange import DATA, USAGE, Row

TSV, ANKI, TEXT = "prepare pairs-tsv t.tsv", "prepare anki t.tsv", "prepare pairs-text src"
GOOD = "".join(f"I have {row}.\t我有{row}个。\n" for row in range(40))


def write(content: bytes | str) -> Callable[[Any], object]:
    """Return an arrangement: one file of pairs."""
    return lambda bench: bench.write("t.tsv", content)


def aligned(
    source: bytes | str, target: bytes | str, names: tuple[str, str] = ("c.zh", "c.en")
) -> Callable[[Any], object]:
    """Return an arrangement: two files, one of each language."""
    return lambda bench: [bench.write(f"src/{name}", text) for name, text in zip(names, (source, target), strict=True)]


PAIRS = {
    "no file": Row(TSV, DATA, "t.tsv: no such file"),
    "no file of Anki's": Row("prepare anki", USAGE, "manythings.org"),
    "empty file": Row(TSV, DATA, "holds no rows", write("\n\n")),
    "one column": Row(TSV, DATA, "no line has 2 columns", write("Hello.\nBye.\n")),
    "one column among others": Row(f"{TSV} --max-bad 0", DATA, "line 41: 1 column", write(GOOD + "Hello.\n")),
    "empty sides": Row(f"{TSV} --columns 2,1", DATA, "2 empty", write("Hello.\t\n\t你好。\n")),
    "a long line": Row(TSV, DATA, "1 too long", write(f"{'x' * 10_000}\t{'字' * 10_000}\n")),
    "a line without an end": Row(TSV, DATA, "a line longer than", write("x" * (5 * 2**20))),
    "one pair": Row(TSV, DATA, "too few pairs, 1,", write("Hello.\t你好。\n")),
    "equal sides": Row(f"{TSV} --source en --target fr", DATA, "9 identical", write("Oui\tOui\n" * 9)),
    "wrong direction": Row(f"{TSV} --columns 1,2", DATA, "--columns 2,1, or exchange", write(GOOD)),
    "other languages": Row(f"{ANKI} --source ru", DATA, "column 2: Chinese characters", write(GOOD)),
    "a language misspelt": Row(f"{ANKI} --source chinese", USAGE, "not a language code", write(GOOD)),
    "one language": Row(f"{ANKI} --source cmn --target zh", USAGE, "--source zh --target en", write(GOOD)),
    "invalid UTF-8": Row(f"{TSV} --encoding utf-8", DATA, "byte 0xff", write(b"a\t\xff\n")),
    "UTF-8 with a broken byte": Row(TSV, DATA, "cannot be read as text", write(GOOD.encode() + b"a\t\xe5\xa5\n")),
    "a binary file": Row(TSV, DATA, "NUL", write(bytes(5000))),
    "a picture": Row("prepare anki cat.png", DATA, "cat.png: is a PNG image", lambda bench: bench.png("cat.png")),
    "columns that are none": Row(f"{TSV} --columns 1", USAGE, "--columns 2,1", write(GOOD)),
    "a column beyond": Row(
        f"{TSV} --columns 9,1 --max-bad 3",
        DATA,
        "more than 3 lines without 9 columns",
        write(GOOD + "\t".join("abcdefgh字")),
    ),
    "parts larger than the data": Row(f"{TSV} --test 30", DATA, "too few pairs, 40, for 34", write(GOOD)),
    "a part of half a pair": Row(f"{TSV} --test 1.5", USAGE, "--test 1.5", write(GOOD)),
    "a small vocabulary": Row(f"{TSV} --vocab-size 20", USAGE, "--vocab-size 20", write(GOOD)),
    "rare words alone": Row(f"{TSV} --tokenizer word --min-count 99", DATA, "lower --min-count", write(GOOD)),
    "joint words": Row(f"{TSV} --tokenizer word --joint", USAGE, "--joint", write(GOOD)),
    "words without blanks": Row(
        f"{TSV} --source th --tokenizer word",
        USAGE,
        "no words are known",
        write("".join(f"He {row}\tสวัสดี{row}\n" for row in range(40))),
    ),
    "files of unlike lengths": Row(
        TEXT, DATA, "src/c.zh has 2 lines, but src/c.en has 3", aligned("一\n二\n", "a\nb\nc\n")
    ),
    "gzip of unlike lengths": Row(
        TEXT,
        DATA,
        "c.zh.gz has 1 lines",
        aligned(gzip.compress("一\n".encode()), "a\nb\n", ("c.zh.gz", "c.en")),
    ),
    "exchanged files": Row(TEXT, DATA, "exchange the two files", aligned("a\nb\n", "一\n二\n")),
    "one file of two": Row(TEXT, DATA, "no files of target sentences", lambda bench: bench.write("src/c.zh", "一\n")),
    "several files": Row(
        TEXT, DATA, "2 files of source", lambda bench: [bench.write(f"src/{c}.zh", "一") for c in "ab"]
    ),
    "translation without data": Row("train translation", DATA, "dl prepare anki SOURCE"),
    "a target file that is none": Row(
        "prepare pairs-text t.tsv --target-file none.txt", DATA, "none.txt: no such file", write("一\n")
    ),
}
