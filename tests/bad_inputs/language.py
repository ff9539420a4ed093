"""Bad command lines about language models: texts without labels, draws, and answers that cannot be."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

from bad_inputs.arrange import DATA, RUN_CODE, USAGE, Row, prepare_texts
from dlcli.cli.app import run

LINES = "prepare text-lines t.txt"
GOOD = "".join(f"we saw {row} dogs\n" for row in range(40))
WORDS = ("--tokenizer", "whitespace", "--min-count", "1", "--quiet")


def write(content: bytes | str) -> Callable[[Any], object]:
    """Return an arrangement: one file of texts."""
    return lambda bench: bench.write("t.txt", content)


def prepared(bench: Any) -> None:
    """Prepare texts without labels as data/text-lines."""
    bench.write("t.txt", GOOD)
    assert run([*LINES.split(), *WORDS]) == 0


def counted(bench: Any) -> None:
    """Prepare such texts, and fit an n-gram model to them as the run `lm`."""
    prepared(bench)
    assert run(["train", "language-model", "--model", "ngram", "--name", "lm", "--threads", "1", "--quiet"]) == 0


LANGUAGE = {
    "no file": Row(LINES, DATA, "t.txt: no such file"),
    "empty file": Row(LINES, DATA, "no usable line", write("")),
    "blank lines": Row(LINES, DATA, "no usable line", write("\n  \n\u200b\n")),
    "one text": Row(LINES, DATA, "one text is left", write("alone\nalone\n")),
    "a picture": Row("prepare text-lines cat.png", DATA, "is a PNG image", lambda bench: bench.png("cat.png")),
    "a cut archive": Row(
        "prepare text-lines t.txt.gz",
        DATA,
        "t.txt.gz",
        lambda bench: bench.write("t.txt.gz", gzip.compress(GOOD.encode())[:-12]),
    ),
    "a column beyond": Row(f"{LINES} --column 3 --max-bad 3", DATA, "none with the number 3", write(GOOD)),
    "column 0": Row(f"{LINES} --column 0", USAGE, "--column", write(GOOD)),
    "rare words alone": Row(f"{LINES} --min-count 99", DATA, "lower --min-count", write(GOOD)),
    "too few pieces": Row(f"{LINES} --tokenizer bpe --max-vocab 20", USAGE, "--max-vocab 20", write(GOOD)),
    "stems of pieces": Row(f"{LINES} --tokenizer bpe --stem english", USAGE, "--stem: not with", write(GOOD)),
    "no labels to classify": Row(
        "train sentiment --data data/text-lines", DATA, "`dl train language-model --data data/text-lines`", prepared
    ),
    "a network misspelt": Row("train language-model --model ngramm", USAGE, "'ngram'", prepared),
    "heads of counts": Row("train language-model --model ngram --heads 2", USAGE, "--model transformer", prepared),
    "an order of none": Row("train language-model --model ngram --order 0", USAGE, "--order", prepared),
    "a start of nowhere": Row("train sentiment --data data/t --pretrained nowhere", RUN_CODE, "nowhere", prepare_texts),
    "nothing to generate": Row("predict lm we --generate 0", USAGE, "--generate", counted),
    "a negative temperature": Row("predict lm we --generate 2 --temperature -1", USAGE, "--temperature", counted),
    "a probability above 1": Row("predict lm we --generate 2 --top-p 1.5", USAGE, "--top-p", counted),
    "a probability of 0": Row("predict lm we --generate 2 --top-p 0", USAGE, "--top-p", counted),
    "unknown tokens alone": Row("predict lm zebra --jsonl", DATA, "none of its tokens is known", counted, answers=1),
    "no text": Row("predict lm", USAGE, "INPUT", counted),
    "counts as a graph": Row("export lm", USAGE, "a table of counts and no graph", counted),
    "attention of counts": Row("visualize attention lm we", USAGE, "--model transformer", counted),
}
