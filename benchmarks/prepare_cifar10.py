"""CIFAR-10 to 60,000 PNG files: `dl prepare cifar10` against the usual loop.

    python benchmarks/prepare_cifar10.py BATCHES [--work FOLDER] [--rounds N]

A: the usual loop: unpickle, transpose, `cv2.imwrite` one by one.
B: `dl prepare cifar10`: PNG files, packed copy, card with SHA-256, statistics and leakage check.
C: the packed copy alone: B's code without PNG files.

A, B and C are interleaved. The time excludes the start of Python, and removing the folder afterwards. With `--work` on
a memory file system it is that of the tool, on a disk it includes the disk's.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcli.data.images import png
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.images.cifar import Cifar10Importer, Cifar10Options


def usual_loop(batches: Path, folder: Path) -> None:
    """Write the images as in most scripts."""
    classes = [name.decode() for name in _unpickled(batches / "batches.meta")[b"label_names"]]
    for split, names in (("train", [f"data_batch_{i}" for i in range(1, 6)]), ("test", ["test_batch"])):
        for name in classes:
            (folder / split / name).mkdir(parents=True)
        for batch_name in names:
            batch = _unpickled(batches / batch_name)
            for row, label, file_name in zip(batch[b"data"], batch[b"labels"], batch[b"filenames"], strict=True):
                image = row.reshape(3, 32, 32).transpose(1, 2, 0)
                path = folder / split / classes[label] / file_name.decode()
                cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def _unpickled(path: Path) -> Any:
    with path.open("rb") as stream:
        return pickle.load(stream, encoding="bytes")


def prepare(batches: Path, folder: Path) -> None:
    """Prepare the dataset as the command does."""
    importer = Cifar10Importer(Cifar10Options())
    prepare_dataset(importer, batches, folder, command="benchmark", force=True, report=lambda _line: None)


def packed_only(batches: Path, folder: Path) -> None:
    """Prepare the dataset as the command does, but without PNG files."""
    add, png.PngWriters.add = png.PngWriters.add, lambda *_job: None  # type: ignore[method-assign]
    threshold, png._WORTH_A_PROCESS = png._WORTH_A_PROCESS, 10**9
    try:
        prepare(batches, folder)
    finally:
        png.PngWriters.add, png._WORTH_A_PROCESS = add, threshold  # type: ignore[method-assign]


def measure(work: Callable[[Path, Path], None], batches: Path, parent: Path) -> float:
    """Return the wall time of one run in seconds."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    start = time.perf_counter()
    work(batches, folder / "cifar10")
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return seconds


def main() -> None:
    """Run the interleaved rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("batches", type=Path, help="the folder cifar-10-batches-py")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="where the images are written")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    ways = {"A usual loop": usual_loop, "B dl prepare": prepare, "C packed only": packed_only}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, work in ways.items():
            times[name].append(measure(work, arguments.batches, arguments.work))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.machine()} {_processor()}, {os.cpu_count()} cores{load}, {platform.system()}")
    print(f"Python {platform.python_version()}, numpy {np.__version__}, cv2 {cv2.__version__}")
    print(f"n = {arguments.rounds}, interleaved, {png.num_processes()} processes; seconds")
    print(f"{'':15}{'median':>8}{'min':>8}{'max':>8}{'ratio':>8}")
    base = statistics.median(times["A usual loop"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:15}{median:8.2f}{min(values):8.2f}{max(values):8.2f}{median / base:8.3f}")


def _processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()
