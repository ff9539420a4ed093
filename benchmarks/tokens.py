"""CPU time of jieba's tokens for the weibo file: jieba against our implementation.

    python benchmarks/tokens.py WEIBO.csv [--rounds N]

A: `jieba.lcut`, text by text.
B: `cut_many` on blocks of 1,000 texts, as in preparing a file.
C: `cut`, text by text, as in predicting for a stream.
D: rjieba's own `cut` (HMM on), whose tokens differ: the lower bound for B and C, without any repair.

A, B, C and D are interleaved on the same texts. The time is `time.process_time`, which does not count waiting. It
excludes reading the file, and loading dictionaries and models, which is printed separately. Before anything is timed,
the tokens of A, B and C are compared for every text; a difference ends the run.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from dlcli.data.text.tokenizing import jieba_tokens

_BLOCK = 1000

Cut = Callable[[list[str]], list[list[str]]]


def by_jieba(texts: list[str]) -> list[list[str]]:
    """Return the reference's tokens."""
    return [jieba_tokens.reference()(text) for text in texts]


def one_by_one(texts: list[str]) -> list[list[str]]:
    """Return our tokens, cut one text at a time."""
    return [jieba_tokens.cut(text) for text in texts]


def by_rjieba(texts: list[str]) -> list[list[str]]:
    """Return the tokens of unmodified jieba-rs."""
    import rjieba

    return [rjieba.cut(text) for text in texts]


def forget() -> None:
    """Clear the caches of words, so that no round profits from the one before."""
    from dlcli.data.text.tokenizing import viterbi

    viterbi._remembered.cache_clear()
    jieba_tokens._rust.cache_clear()


def measure(cut: Cut, blocks: list[list[str]]) -> float:
    """Return the CPU time of cutting all blocks, in seconds."""
    forget()
    start = time.process_time()
    for block in blocks:
        cut(block)
    return time.process_time() - start


def loading(work: Cut) -> float:
    """Return the CPU time of the first text, in seconds."""
    start = time.process_time()
    work(["小明硕士毕业于中国科学院计算所"])
    return time.process_time() - start


def main() -> None:
    """Compare the tokens, run the interleaved rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weibo", type=Path, help="a CSV file with the texts in the column review")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with arguments.weibo.open(encoding="utf-8-sig", newline="") as stream:
        texts = [row["review"] for row in csv.DictReader(stream)]
    blocks = [texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK)]
    num_characters = sum(map(len, texts))
    ways: dict[str, Cut] = {
        "A jieba.lcut": by_jieba,
        "B cut_many": jieba_tokens.cut_many,
        "C cut": one_by_one,
        "D rjieba.cut": by_rjieba,
    }
    loads = {name: loading(cut) for name, cut in ways.items()}
    same = dict.fromkeys(ways, 0)
    for block in blocks:
        expected = by_jieba(block)
        for name, cut in ways.items():
            same[name] += sum(ours == theirs for ours, theirs in zip(cut(block), expected, strict=True))
    if not same["A jieba.lcut"] == same["B cut_many"] == same["C cut"] == len(texts):
        sys.exit(f"the tokens differ: equal texts of {len(texts)}: {same}")

    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, cut in ways.items():
            times[name].append(measure(cut, blocks))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores{load}, {platform.system()}, Python {platform.python_version()}"
    )
    print(", ".join(f"{name} {version(name)}" for name in ("jieba", "rjieba", "numpy")))
    print(f"{len(texts):,} texts, {num_characters:,} characters; n = {arguments.rounds}, interleaved; CPU seconds")
    print(f"{'':14}{'median':>8}{'min':>8}{'max':>8}{'M char/s':>10}{'A / it':>8}{'equal texts':>13}{'first text':>12}")
    base = times["A jieba.lcut"]
    for name, values in times.items():
        median = statistics.median(values)
        ratio = statistics.median(a / b for a, b in zip(base, values, strict=True))
        row = f"{name:14}{median:8.2f}{min(values):8.2f}{max(values):8.2f}{num_characters / median / 1e6:10.2f}"
        print(f"{row}{ratio:8.2f}{same[name] / len(texts):13.4%}{loads[name]:12.3f}")


if __name__ == "__main__":
    main()
