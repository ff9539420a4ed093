"""A run of each task that went through every command; what the tasks are made of stands in `originals.py`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from contract.originals import ORIGINALS, Original
from toys.shallow import add_shallow
from toys.terminating import terminated_at

from dlcli.cli.app import run as run_line
from dlcli.core import registry
from dlcli.core.registry import TaskSpec, get_task, load_object
from dlcli.models.generative.translators import RESNET_BLOCKS

TOYS = """\
[dlcli.forms]
toy-dots = toys.specs:GAN_FORM
toy-boxes = toys.specs:DETECTION_FORM
toy-pairs = toys.specs:TRANSLATION_FORM

[dlcli.tasks]
toy-gan = toys.specs:GAN
toy-detection = toys.specs:DETECTION
toy-translation = toys.specs:TRANSLATION

[dlcli.datasets]
toy-dots = toys.specs:DOTS
toy-boxes = toys.specs:BOXES
toy-pairs = toys.specs:PAIRS
"""
"""The entry points of tasks that are unlike every built-in one; nothing but these tests knows them."""

FORMATS = ("onnx", "torchscript")


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
        inputs: what `dl predict` gets, relative to the folder.
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

    @property
    def source(self) -> tuple[str, ...]:
        """What `dl prepare` is given."""
        where = ("original",) if self.original.make is not None else ()
        return (self.original.dataset, *where, *self.original.prepare)

    def records(self, model: str, *options: str) -> Any:
        """What `dl predict` answers to the inputs."""
        return self.dl("predict", model, *self.inputs, *options, "--json").json["records"]

    def exported(self, format: str) -> str:
        """Return the exported file, or the folder of several graphs or of weights; written when first asked for."""
        path: str = self.export(format).json["path"]
        return path

    def export(self, format: str) -> Answer:
        """What `dl export` answered."""
        if format not in self.answers:
            self.answers[format] = self.dl("export", self.run, "--format", format, "--json")
        return self.answers[format]


def _forget_plugins() -> None:
    for found in (registry._task_plugins, registry._dataset_plugins, registry._form_plugins):
        found.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The toys as an installed package: they are found by their entry points, as those of any plugin are."""
    site = tmp_path_factory.mktemp("site")
    info = site / "dl_toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dl-toys\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(TOYS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        add_shallow(patch)
        patch.setitem(RESNET_BLOCKS, "resnet_6", 1)  # each takes the exporter a second or two, and is like the others
        _forget_plugins()
        yield
    _forget_plugins()


def _cases() -> list[Any]:
    return [
        pytest.param(
            (name, original), id=f"{name}-{original.dataset}", marks=[pytest.mark.slow] if original.is_slow else []
        )
        for name, originals in ORIGINALS.items()
        for original in originals
    ]


@pytest.fixture(scope="module", params=_cases())
def house(toys: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A task prepared, trained with an interruption, evaluated and exported in both formats."""
    name, original = request.param
    folder = tmp_path_factory.mktemp(f"房 {name}")
    if original.make is not None:
        original.make(folder / "original")
    house = House(get_task(name), original, Shell(folder))
    dl, answers = house.dl, house.answers
    answers["prepare"] = dl("prepare", *house.source)
    house.data = answers["prepare"].line
    train = ("train", *original.trained, *original.train, "--precision", "fp32", "--threads", "1")
    answers["whole"] = dl(*train, "--name", "whole")
    with terminated_at(load_object(house.spec.task), original.interrupt_at):
        answers["interrupted"] = dl(*train, expect=143)
    [cut] = [path.name for path in (folder / "runs").iterdir() if path.is_dir() and path.name != "whole"]
    answers["resumed"] = dl("train", "--resume", cut)
    house.run = answers["resumed"].line
    answers["eval"] = dl("eval", house.run, "--json")
    for format in FORMATS:
        answers[format] = dl("export", house.run, "--format", format, "--json")
    house.inputs = original.inputs(folder, house.data) if original.inputs is not None else []
    return house


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with what the script beside an exported file needs, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "onnxruntime", "numpy", "pillow"], check=True)
    return python


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
        elif path.is_dir():
            shutil.copytree(path, tmp_path / str(number))
            source = str(number)
        inputs.append(source)
    return House(house.spec, house.original, Shell(tmp_path), run="moved run", inputs=inputs)


@pytest.fixture(scope="session")
def originals() -> Mapping[str, Sequence[Original]]:
    """The table."""
    return ORIGINALS
