"""Make what `test_stored.py` checks: for each task prepared data, a run, an export, and what they answered.

    python tests/stored/make.py tests/stored/0.1.0

Run it with the version of dl that the folder is named after, once; what is there is never made again, since it stands
for the runs that people have kept.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

DERIVED = ("tensorboard", "packed", "log.txt", "plots", "previous.pt", "eval")
"""What a run and prepared data do without."""


@dataclass(frozen=True)
class Kept:
    """How a task's part is made.

    Attributes:
        dataset: for `dl prepare` and `dl train`.
        make: writes the original into a new folder.
        prepare, train: more options.
        inputs: for `dl predict`, relative to the task's folder.
    """

    dataset: str
    make: Callable[[Path], None]
    prepare: Sequence[str]
    train: str
    inputs: Sequence[str]


def make_images(folder: Path) -> None:
    """Write 12 images a class to train on and 4 to test with, told apart by their stripes."""
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(("猫", "dog", "bird")):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                image = np.full((32, 32, 3), 40 + 4 * number, np.uint8)
                image[:: label + 2] = random.integers(120, 250, 3)
                (place / f"{number}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())


def make_texts(folder: Path) -> None:
    """Write 120 posts, half of them of each class."""
    folder.mkdir()
    random = np.random.default_rng(0)
    words = {1: ("开心", "喜欢", "漂亮"), 0: ("难过", "讨厌", "糟糕")}
    filler = ("今天", "我们", "天气", "电影", "觉得", "的")
    rows = ["label,review"]
    for number in range(120):
        label = number % 2
        chosen = [*random.choice(filler, random.integers(1, 12)), words[label][number % 3], str(number)]
        rows.append(f"{label},{''.join(random.permutation(chosen))}")
    (folder / "posts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def make_housing(folder: Path) -> None:
    """Write 90 rows in the format of housing.data."""
    folder.mkdir()
    random = np.random.default_rng(0)
    values = random.uniform(0.5, 9.5, (90, 14))
    values[:, 3] = random.integers(0, 2, 90)
    values[:, 13] = 20 + 2 * values[:, 5] - values[:, 12]
    lines = [" " + "  ".join(f"{value:.3f}" for value in row) for row in values]
    (folder / "housing.data").write_text("\n".join([*lines, ""]), encoding="ascii")


def make_table(folder: Path) -> None:
    """Write a CSV with numbers, categories, gaps and a class."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["高度,城市,价格,split,结果"]
    for row in range(90):
        height, city = random.uniform(1, 9), ("北京", "上海", "广州")[row % 3]
        price = "" if row % 11 == 0 else f"{random.uniform(0, 5):.2f}"
        label = "贵" if height + 3 * (city == "上海") > 6 else "便宜"
        lines.append(f"{height:.3f},{city},{price},{'test' if row % 5 == 0 else 'train'},{label}")
    (folder / "房价.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


ROWS = tuple(f"data/table.csv:{line}" for line in (2, 3, 5, 8))

KEPT = {
    "classification": Kept(
        "image-folder",
        make_images,
        (),
        "--model airnet --width 4 --epochs 3 --image-size 32 --batch-size 12 --val-fraction 0.2",
        ("data/test/猫/0.png", "data/test/dog/1.png", "data/test/bird/2.png"),
    ),
    "sentiment": Kept(
        "text-csv",
        make_texts,
        ("--text-column", "review", "--label-column", "label"),
        "--model gru --embedding-dim 8 --hidden 8 --epochs 8 --batch-size 8",
        ("今天开心", "我们觉得电影糟糕", "没见过的词"),
    ),
    "regression": Kept("housing", make_housing, (), "--hidden 8 --epochs 3 --ensemble 2 --batch-size 16", ROWS),
    "table-classification": Kept(
        "table", make_table, ("--target", "结果"), "--hidden 8 --epochs 3 --batch-size 16", ROWS
    ),
}


def dl(folder: Path, *words: str) -> str:
    """Return what a command answers on stdout."""
    line = [sys.executable, "-m", "dlcli", *words]
    return subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True).stdout


def make(name: str, kept: Kept, place: Path) -> None:
    """Make one task's part."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        kept.make(folder / "original")
        dl(folder, "prepare", kept.dataset, "original", *kept.prepare, "--out", "data")
        trained = ("train", name, "--data", "data", "--name", "run", "--precision", "fp32", "--threads", "1")
        dl(folder, *trained, "--lr", "0.01", *kept.train.split())
        dl(folder, "export", "runs/run", "--out", "model.onnx")
        (folder / "runs" / "run").rename(folder / "run")
        answers = {
            "inputs": list(kept.inputs),
            "records": json.loads(dl(folder, "predict", "run", *kept.inputs, "--json"))["records"],
            "metrics": json.loads(dl(folder, "eval", "run", "--data", "data", "--json"))["metrics"],
        }
        for derived in DERIVED:
            for path in sorted(folder.rglob(derived)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        place.mkdir(parents=True)
        for part in ("data", "run"):
            shutil.copytree(folder / part, place / part)
        shutil.copy(folder / "model.onnx", place)
        text = json.dumps(answers, ensure_ascii=False, indent=1)
        (place / "answers.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name, kept in KEPT.items():
        make(name, kept, Path(sys.argv[1]) / name)
