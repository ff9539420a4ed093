"""For each task small original data in its real format, and a run of it that went through every command.

A new task adds its line to `ORIGINALS`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dlcli.cli.app import run as run_line
from dlcli.core.registry import TaskSpec, all_tasks, load_object

CLASSES = ("airplane", "cat", "dog")


@dataclass(frozen=True)
class Original:
    """How a task's data comes to be, and what suits it.

    Attributes:
        dataset: what `dl prepare` is told; `dl train` too.
        make: writes the original files into a new folder.
        train: options of a training of a few small epochs.
        interrupt_at: the training step in which a signal arrives: in the middle of an epoch.
        inputs: (folder, prepared data) -> what `dl predict` is asked, relative to the folder.
        count: the number of items that a batch's losses are the mean of.
        pictures: name -> options after the run; `INPUT` stands for the first input.
        is_slow: takes more than some seconds.
        prepare: what `dl prepare` is told beside the source.
    """

    dataset: str
    make: Callable[[Path], None]
    train: tuple[str, ...]
    interrupt_at: int
    inputs: Callable[[Path, str], list[str]]
    count: Callable[[Mapping[str, Any]], int]
    pictures: Mapping[str, tuple[str, ...]]
    is_slow: bool = False
    prepare: tuple[str, ...] = ()


def pattern(label: int, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Return an (H, W, 3) image whose colour and stripes tell its class, under noise."""
    height, width = size
    image = random.integers(0, 60, (height, width, 3)).astype(np.int64)
    image[:, :, label] += 120
    image[:: label + 2] += 60
    return np.clip(image, 0, 255).astype(np.uint8)


def make_cifar10(folder: Path) -> None:
    """Write the six batches and batches.meta, 15 images each."""
    folder.mkdir()
    for seed, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        random = np.random.default_rng(seed)
        labels = [row % len(CLASSES) for row in range(15)]
        images = np.stack([pattern(label, (32, 32), random) for label in labels])
        batch = {
            "batch_label": name,
            "labels": labels,
            "data": images.transpose(0, 3, 1, 2).reshape(15, -1),
            "filenames": [f"{CLASSES[label]}_{seed}_{row:03d}.png" for row, label in enumerate(labels)],
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    meta = {"label_names": list(CLASSES), "num_cases_per_batch": 15, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))


def make_class_folders(folder: Path) -> None:
    """Write photos of unequal sizes, too large to be packed, in one folder a class, with a test part."""
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(CLASSES):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                image = pattern(label, (70 + 3 * number, 90), random)
                (place / f"{name} {number}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())


def test_images(folder: Path, data: str) -> list[str]:
    """Return two images of each class of the test part."""
    root = folder / data / "test"
    return [str(path.relative_to(folder)) for place in sorted(root.iterdir()) for path in sorted(place.iterdir())[:2]]


IMAGE_PICTURES: Mapping[str, tuple[str, ...]] = {
    "features": ("INPUT", "--max-channels", "4"),
    "kernels": (),
    "cam": ("INPUT",),
    "grid": ("--per-class", "2"),
    "curves": (),
    "confusion": (),
}


def make_housing(folder: Path) -> None:
    """Write 90 rows in the format of housing.data: 14 columns set apart by blanks, an empty line at the end."""
    folder.mkdir()
    random = np.random.default_rng(0)
    values = random.uniform(0.5, 9.5, (90, 14))
    values[:, 3] = random.integers(0, 2, 90)
    values[:, 13] = 20 + 2 * values[:, 5] - values[:, 12] + random.normal(0, 0.3, 90)
    lines = [" " + "  ".join(f"{value:.4f}" for value in row) for row in values]
    (folder / "housing.data").write_text("\n".join([*lines, "", ""]), encoding="ascii")


def make_table(folder: Path) -> None:
    """Write a CSV with numbers, categories, gaps and a class, its split in a column."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["高度,城市,价格,split,结果"]
    for row in range(90):
        height, city = random.uniform(1, 9), ("北京", "上海", "广州")[row % 3]
        price = "" if row % 11 == 0 else f"{random.uniform(0, 5):.2f}"
        label = "贵" if height + 3 * (city == "上海") > 6 else "便宜"
        lines.append(f"{height:.3f},{city},{price},{'test' if row % 5 == 0 else 'train'},{label}")
    (folder / "房价.csv").write_text("\n".join(lines) + "\n", encoding="gb18030")


def rows_of_table(folder: Path, data: str) -> list[str]:
    """Return some rows of the prepared table, by their lines."""
    return [f"{data}/table.csv:{line}" for line in (2, 3, 5, 8, 13, 21)]


TABLE_PICTURES: Mapping[str, tuple[str, ...]] = {"curves": ()}


GOOD = ("真开心", "太好了", "喜欢", "不错", "漂亮", "好吃")
BAD = ("真难过", "太差了", "讨厌", "糟糕", "难看", "难吃")
ANY = ("今天", "我们", "天气", "电影", "这家店", "的", "觉得", "北京", "http://t.cn/abc", "@小明 ", "[哈哈]", "2018.4")


def make_weibo(folder: Path) -> None:
    """Write posts in the format of weibo_senti_100k.csv, sorted by label, some longer than others."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = ["label,review"]
    for number in range(120):
        words = [*random.choice(ANY, random.integers(1, 30)), (BAD, GOOD)[number < 60][number % 6], f"{number}"]
        rows.append(f"{int(number < 60)},{''.join(random.permutation(words))}")
    (folder / "weibo_senti_100k.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def some_texts(folder: Path, data: str) -> list[str]:
    """Return texts of one word and of many."""
    return ["今天真开心", "难吃", "我们觉得这家店的电影太差了 [哈哈]", "好" * 60]


ORIGINALS: Mapping[str, Sequence[Original]] = {
    "sentiment": (
        Original(
            "weibo",
            make_weibo,
            ("--model", "lstm-attention", "--epochs", "3", "--batch-size", "16", "--embedding-dim", "16"),
            8,  # six steps an epoch
            some_texts,
            lambda batch: len(batch["labels"]),
            {
                "attention": ("INPUT",),
                "embeddings": ("--words", "20"),
                "lengths": (),
                "curves": (),
                "confusion": (),
            },
        ),
    ),
    "classification": (
        Original(
            "cifar10",
            make_cifar10,
            ("--model", "cnn", "--epochs", "3", "--batch-size", "16", "--optimizer", "adamw", "--lr", "0.01"),
            6,  # four steps an epoch
            test_images,
            lambda batch: len(batch["labels"]),
            IMAGE_PICTURES,
        ),
        Original(
            "image-folder",
            make_class_folders,
            ("--model", "lenet", "--image-size", "32", "--epochs", "2", "--batch-size", "8", "--lr", "0.01"),
            6,
            test_images,
            lambda batch: len(batch["labels"]),
            IMAGE_PICTURES,
            is_slow=True,
        ),
    ),
    "regression": (
        Original(
            "housing",
            make_housing,
            ("--epochs", "3", "--batch-size", "16", "--lr", "0.01", "--ensemble", "2"),
            6,  # four steps an epoch
            rows_of_table,
            lambda batch: len(batch["targets"]),
            TABLE_PICTURES,
        ),
    ),
    "table-classification": (
        Original(
            "table",
            make_table,
            ("--epochs", "3", "--batch-size", "16", "--lr", "0.01"),
            6,
            rows_of_table,
            lambda batch: len(batch["labels"]),
            {**TABLE_PICTURES, "confusion": ()},
            prepare=("--target", "结果"),
        ),
    ),
}

FORMATS = {"onnx": ".onnx", "torchscript": ".torchscript"}


@dataclass(frozen=True)
class Answer:
    """What a command line answered."""

    code: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The last line of stdout."""
        return self.stdout.splitlines()[-1]

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Shell:
    """`dl` in a folder."""

    folder: Path

    def __call__(self, *words: str, expect: int = 0) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["dl", *words])
            patch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)  # one thread: the networks are tiny
            code = run_line(words)
        assert code == expect, f"dl {' '.join(words)}: exit {code}\n{out.getvalue()}\n{err.getvalue()}"
        return Answer(code, out.getvalue(), err.getvalue())


@dataclass
class House:
    """A folder in which a task went the whole way.

    Attributes:
        spec, original: the task, and how its data came to be.
        dl: the command line, in the folder.
        data: the prepared data, relative to the folder.
        run: the run, relative to the folder.
        inputs: what `dl predict` is asked, relative to the folder.
        answers: what each step answered.
    """

    spec: TaskSpec
    original: Original
    dl: Shell
    data: str = ""
    run: str = ""
    inputs: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.dl.folder

    def exported(self, format: str) -> str:
        return f"{self.run}/exports/{Path(self.run).name}{FORMATS[format]}"


@contextlib.contextmanager
def _terminated_at(spec: TaskSpec, step: int) -> Iterator[None]:
    """Send this process a SIGTERM within the training step of that number."""
    task_class, count = load_object(spec.task), 0
    original_step = task_class.training_step

    def training_step(self: Any, batch: Any) -> Any:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from original_step(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_class, "training_step", training_step)
        yield


def _cases() -> list[Any]:
    cases = []
    for name in all_tasks():
        originals = ORIGINALS.get(name) or [None]
        for original in originals:
            marks = [pytest.mark.slow] if original is not None and original.is_slow else []
            label = f"{name}-{original.dataset}" if original is not None else name
            cases.append(pytest.param((name, original), id=label, marks=marks))
    return cases


@pytest.fixture(scope="session", params=_cases())
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A task prepared, trained with an interruption, evaluated and exported in both formats."""
    name, original = request.param
    if original is None:
        pytest.fail(f"the task {name!r} has no original data: add it to ORIGINALS in tests/contract/conftest.py")
    folder = tmp_path_factory.mktemp(f"房 {name}")
    original.make(folder / "original")
    house = House(all_tasks()[name], original, Shell(folder))
    dl, answers = house.dl, house.answers
    answers["prepare"] = dl("prepare", original.dataset, "original", *original.prepare)
    house.data = answers["prepare"].line
    train = ("train", original.dataset, *original.train, "--precision", "fp32", "--threads", "1")
    answers["whole"] = dl(*train, "--name", "whole")
    with _terminated_at(house.spec, original.interrupt_at):
        answers["interrupted"] = dl(*train, expect=143)
    [cut] = [path.name for path in (folder / "runs").iterdir() if path.is_dir() and path.name != "whole"]
    answers["resumed"] = dl("train", "--resume", cut)
    house.run = answers["resumed"].line
    answers["eval"] = dl("eval", house.run, "--json")
    for format in FORMATS:
        answers[format] = dl("export", house.run, "--format", format, "--json")
    house.inputs = original.inputs(folder, house.data)
    return house


@pytest.fixture
def moved(house: House, tmp_path: Path) -> House:
    """The run alone, in another folder; the inputs beside it, the data nowhere."""
    shutil.copytree(house.folder / house.run, tmp_path / "moved run")
    inputs = []
    for number, source in enumerate(house.inputs):
        name, colon, line = source.partition(":")  # a row of a table is named by its file and line
        path = house.folder / name
        if path.is_file():
            shutil.copy(path, tmp_path / f"{number}{path.suffix}")
            source = f"{number}{path.suffix}{colon}{line}"
        inputs.append(source)
    return House(house.spec, house.original, Shell(tmp_path), run="moved run", inputs=inputs)


@pytest.fixture(scope="session")
def originals() -> Mapping[str, Sequence[Original]]:
    """The table."""
    return ORIGINALS
