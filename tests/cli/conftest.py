"""Command lines run in this process, in a folder of their own, with one small trained run to ask."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlcli.cli.app import run

RUN = "digits-lenet-1"
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")

QUICK = ("--epochs", "1", "--batch-size", "512", "--precision", "fp32", "--threads", "1", "--quiet")
TABLE = [
    "size,colour,price,kind",
    *(f"{7 * r % 41},{('red', 'blue')[r % 2]},{3 * r}.5,{'ab'[r % 2]}" for r in range(40)),
]
TEXTS = ["label,review", *(f"{('bad', 'good')[r % 2]},{('so dull', 'how fine')[r % 2]} {r}" for r in range(40))]


@dataclass(frozen=True)
class Answer:
    """What a command line did."""

    code: int
    out: str
    err: str


class Bench:
    """A folder that commands are run in, and the means to fill it with good and bad things."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, trained: Callable[[], Path]) -> None:
        self.home = home
        self.patch = patch
        self._trained = trained

    def run(self, name: str = RUN) -> Path:
        """Give the folder the trained run, with the data it was trained on; return the run."""
        origin = self._trained()
        run_path = self.home / "runs" / name
        shutil.copytree(origin / "runs" / RUN, run_path)
        (self.home / "runs" / "latest").write_text(name + "\n")
        self.digits()
        return run_path

    def digits(self) -> None:
        """Give the folder the prepared digits, which no test may change."""
        link = self.home / "data" / "digits"
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(self._trained() / "data" / "digits")

    def write(self, name: str, content: bytes | str = b"") -> Path:
        """Write a file, with the folders above it."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def png(self, name: str, value: int = 128, size: int = 8) -> Path:
        """Write a grey picture with a bright dot in it."""
        path = self.write(name)
        pixels = np.full((size, size), value % 256, np.uint8)
        pixels[value % size, 0] = 255
        Image.fromarray(pixels).save(path)
        return path

    def photos(self, name: str, classes: tuple[str, ...] = ("cat", "dog"), count: int = 8, size: int = 8) -> Path:
        """Write a folder of pictures by class."""
        for index, label in enumerate(classes):
            for number in range(count):
                self.png(f"{name}/{label}/{number}.png", 10 * number + 100 * index, size)
        return self.home / name

    def cifar(self, name: str, count: int = 4, **changes: Any) -> Path:
        """Write small CIFAR-10 batches in the layout of the published ones; `changes` go into data_batch_1."""
        rng = np.random.default_rng(0)
        for batch_name in CIFAR_BATCHES:
            labels = [row % 10 for row in range(count)]
            batch: dict[bytes, Any] = {
                b"batch_label": batch_name.encode(),
                b"labels": labels,
                b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
                b"filenames": [f"{batch_name}_s_{row:06d}.png".encode() for row in range(count)],
            }
            if batch_name == "data_batch_1":
                batch |= {key.encode(): value for key, value in changes.items()}
            self.write(f"{name}/{batch_name}", pickle.dumps(batch, protocol=2))
        meta = {b"label_names": [label.encode() for label in CIFAR_CLASSES], b"num_cases_per_batch": count}
        self.write(f"{name}/batches.meta", pickle.dumps(meta, protocol=2))
        return self.home / name

    def mnist(self, name: str, *, magic: bytes = b"\0\0\x08\x03", cut: int = 0) -> Path:
        """Write small gzipped idx files; `magic` and `cut` damage the training images."""
        for stem, count in (("train", 20), ("t10k", 10)):
            is_train = stem == "train"
            head = (magic if is_train else b"\0\0\x08\x03") + struct.pack(">3I", count, 28, 28)
            pixels = np.random.default_rng(0).integers(0, 256, count * 784, dtype=np.uint8).tobytes()
            images = gzip.compress(head + pixels)
            self.write(f"{name}/{stem}-images-idx3-ubyte.gz", images[: len(images) - (cut if is_train else 0)])
            labels = b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(row % 10 for row in range(count))
            self.write(f"{name}/{stem}-labels-idx1-ubyte.gz", gzip.compress(labels))
        return self.home / name

    def trap(self) -> bytes:
        """Return a pickle that writes the file `sprung` when it is run."""

        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return (os.system, ("touch sprung",))

        return pickle.dumps(Trap(), protocol=2)

    def huge_png(self, name: str, side: int = 60_000) -> Path:
        """Write a PNG of a few bytes whose header promises gigabytes."""

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
        return self.write(name, b"\x89PNG\r\n\x1a\n" + body)

    def files(self) -> Mapping[str, str]:
        """Return every path under the folder with its content's digest; what links lead to is left out."""
        found = {}
        for path in self.home.rglob("*"):
            is_plain = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(self.home))] = hashlib.sha256(path.read_bytes()).hexdigest() if is_plain else ""
        return found


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """A function that returns a folder with data/digits and a finished run on it, made when first asked for."""
    made: list[Path] = []

    def folder() -> Path:
        if not made:
            home = tmp_path_factory.mktemp("trained")
            here = Path.cwd()
            os.chdir(home)
            try:
                line = "train digits --epochs 1 --model lenet --precision fp32 --batch-size 512 --threads 1 --quiet"
                assert run(line.split()) == 0
            finally:
                os.chdir(here)
            made.append(home)
        return made[0]

    return folder


@pytest.fixture(scope="session")
def onnx_file(trained: Callable[[], Path]) -> Path:
    """The trained run as an ONNX file, which answers in a process without torch."""
    home = trained()
    here = Path.cwd()
    os.chdir(home)
    try:
        assert run(["export", RUN, "--quiet", "--out", "model.onnx"]) == 0
    finally:
        os.chdir(here)
    return home / "model.onnx"


TRAINED = ("classification", "sentiment", "regression", "table-classification")
"""Tasks that train in a second; the others are trained in `tests/contract`."""


@pytest.fixture(scope="session")
def every_task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an evaluated run of each of `TRAINED`, named as the task, its data, and an input for each."""
    home = tmp_path_factory.mktemp("every_task")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        Path("t.csv").write_text("\n".join(TABLE))
        Path("q.csv").write_text("\n".join(TABLE[:3]))
        Path("s.csv").write_text("\n".join(TEXTS))
        Image.new("L", (8, 8), 99).save("cat.png")
        words = ("--tokenizer", "whitespace", "--min-count", "1")
        for line in (
            ("prepare", "table", "t.csv", "--target", "price", "--out", "data/r"),
            ("prepare", "table", "t.csv", "--target", "kind", "--out", "data/c"),
            ("prepare", "text-csv", "s.csv", *words, "--out", "data/s"),
            ("train", "digits", "--model", "lenet", *QUICK, "--name", "classification"),
            ("train", "./data/s", "--model", "lstm", *QUICK, "--name", "sentiment"),
            ("train", "./data/r", *QUICK, "--name", "regression"),
            ("train", "./data/c", *QUICK, "--name", "table-classification"),
            *(
                ("eval", task, "--quiet")
                for task in ("classification", "sentiment", "regression", "table-classification")
            ),
        ):
            assert run(list(line)) == 0, line
    return home


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Callable[[], Path]) -> Bench:
    """An empty folder to run commands in; it is the current one."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return Bench(home, monkeypatch, trained)


@pytest.fixture
def dl(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """A function that runs one command line in this process."""

    def call(*args: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["dl", *args])
        capfd.readouterr()
        code = run(list(args))
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a whole process: `dl` on the path, no sign of a CI or of a wish for colours."""
    dropped = ("CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    # Idle threads sleep in place of spinning: the machine may have other work to do.
    kept["OMP_WAIT_POLICY"] = "PASSIVE"
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}", "TERM": "xterm"}
