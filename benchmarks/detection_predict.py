"""Predicting with ONNX Runtime, end to end: `dl predict FILE.onnx` beside ultralytics' `yolo predict`.

    dl prepare voc BCCD --out data/bccd --to yolo
    python benchmarks/detection_predict.py data/bccd [--rounds 3] [--minutes 1] [--copies 4]

Both nets are trained for a minute (`detection.py` says how), exported to ONNX, and then asked by their own command
line, from files of photos to answers: JSON lines here, ultralytics' `Results` there, nothing drawn or saved. A command
answers one photo, which is its start-up, or all test photos, some times over; the rate is that of the photos after the
first. Seconds are those of the processor, over all threads; the ways take turns. Pin it to one core (`taskset -c 1`).

A photo of 640 x 480 is a canvas of 320 x 256 here and of 320 x 320 there; suppression is in our graph, and runs in
torch after theirs.
"""

from __future__ import annotations

import argparse
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from detection import SIDE, by_dl, by_ultralytics
from detection_speed import ALONE, require

PACKAGES = ("torch", "onnxruntime", "ultralytics")


def commands_of(data: Path, minutes: float, folder: Path) -> dict[str, list[str]]:
    """Train and export both nets; return their commands, to which the place of the photos is appended."""
    run, ours = by_dl(data, minutes, 0, 1, folder, ()), folder / "wren.onnx"
    subprocess.run([sys.executable, "-m", "dlcli", "export", str(run), "--out", str(ours), "--quiet"], check=True)
    theirs = by_ultralytics(data, minutes, 0, 1, folder).export(format="onnx", imgsz=SIDE, verbose=False)
    yolo = "from ultralytics.cfg import entrypoint; entrypoint()"
    fixed = [f"model={theirs}", f"imgsz={SIDE}", "conf=0.25", "device=cpu", "save=False", "verbose=False"]
    return {
        "dl": [sys.executable, "-m", "dlcli", "predict", str(ours), "--jsonl", "--quiet"],
        "ultralytics": [sys.executable, "-c", yolo, "detect", "predict", *fixed],
    }


def copies_of(photos: Sequence[Path], count: int, folder: Path) -> Path:
    """Copy photos so many times into a new folder; return it."""
    folder.mkdir()
    for number in range(count):
        for photo in photos:
            shutil.copy(photo, folder / f"{number}-{photo.name}")
    return folder


def seconds_of(command: Sequence[str], way: str, photos: Path) -> float:
    """Return the CPU seconds of a command on a folder of photos."""
    place = f"source={photos}" if way == "ultralytics" else str(photos)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, place], capture_output=True, text=True, env=ALONE, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{way}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def report(starts: Mapping[str, Sequence[float]], rates: Mapping[str, Sequence[float]]) -> None:
    """Print both medians of each way with their ranges, and the ratios to ours."""
    for unit, found in (("CPU s of one photo", starts), ("images/CPU s after it", rates)):
        for way, values in found.items():
            spread = f"{min(values):.3g}-{max(values):.3g}, n = {len(values)}"
            ratio = median(values) / median(found["dl"])
            print(f"{way:12} {median(values):8.3g} {unit} ({spread})  {ratio:.2f}x")


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=1, help="of training, of each net")
    parser.add_argument("--copies", type=int, default=4, help="of the test photos")
    given = parser.parse_args()
    require("ultralytics")
    photos = sorted((given.data / "images" / "test").iterdir())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = commands_of(given.data, given.minutes, folder)
        one, many = copies_of(photos[:1], 1, folder / "one"), copies_of(photos, given.copies, folder / "many")
        print(platform.machine(), *(f"{package} {version(package)}" for package in PACKAGES), sep=", ")
        starts: dict[str, list[float]] = {way: [] for way in commands}
        rates: dict[str, list[float]] = {way: [] for way in commands}
        for _ in range(given.rounds):
            for way, command in commands.items():
                first, whole = (seconds_of(command, way, place) for place in (one, many))
                starts[way].append(first)
                rates[way].append((len(photos) * given.copies - 1) / (whole - first))
    report(starts, rates)


if __name__ == "__main__":
    main()
