"""The jobs of docs/recipes.md: short, taken by `dl`, and run in a shell on small data."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from forked_dl import forked_dl
from grammar import ROOT, blocks_of, commands_of, fault_of

PAGE = ROOT / "docs" / "recipes.md"
BLOCKS = blocks_of(PAGE)
MAX_LINES = 6

# A training is shortened, but for the one that is stopped.
SHORTENED = """
if words[:1] == ["train"] and "--resume" not in words and "long" not in words:
    if "--budget" in words:
        del words[words.index("--budget") : words.index("--budget") + 2]
    words += ["--epochs", "1", "--max-steps", "3", "--precision", "fp32", "--threads", "1"]
"""


def test_jobs_are_numbered_and_have_at_most_six_lines() -> None:
    numbers = [int(number) for number in re.findall(r"\*\*(\d+)\. ", PAGE.read_text(encoding="utf-8"))]
    assert numbers == list(range(1, len(BLOCKS) + 1)) and len(numbers) >= 20
    assert max(len(block.strip().splitlines()) for block in BLOCKS) <= MAX_LINES


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_dl_takes_the_lines_of_a_job(number: int) -> None:
    lines = list(commands_of(BLOCKS[number]))
    assert lines
    assert {" ".join(words): fault for words in lines if (fault := fault_of(words))} == {}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the files that the jobs name, and a `dl` that trains three steps."""
    data = os.environ.get("DLCLI_DATA")
    if not data:
        pytest.skip("DLCLI_DATA names no folder of data")
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    write_shapes(folder)
    cells = Path(data) / "bccd"
    for path in sorted((cells / "JPEGImages").iterdir())[:24]:
        for kind, name in (("JPEGImages", path.name), ("Annotations", f"{path.stem}.xml")):
            (folder / "cells" / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(cells / kind / name, folder / "cells" / kind)
    reviews = (Path(data) / "hotel" / "hotel.csv").read_text(encoding="utf-8", errors="replace").splitlines()
    (folder / "reviews.csv").write_text("\n".join([reviews[0], *reviews[1:200], *reviews[-200:]]) + "\n")
    pairs = (Path(data) / "cmn-eng" / "cmn.txt").read_text(encoding="utf-8").splitlines()[:8000:10]
    (folder / "cmn.txt").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    (folder / "sentences.txt").write_text("\n".join(line.split("\t")[0] for line in pairs) + "\n")
    shutil.copy(Path(data) / "housing" / "housing.data", folder)
    random = np.random.default_rng(0)
    rows = [f"{size:.1f},{('north', 'south')[side]},{3 * size + 5 * side:.1f}" for size, side in sales(random)]
    (folder / "sales.csv").write_text("\n".join(["size,side,price", *rows]) + "\n")
    (folder / "new.csv").write_text("size,side\n12.5,north\n3.0,south\n")
    with forked_dl(folder / "bin" / "dl", SHORTENED):
        yield folder


def sales(random: np.random.Generator) -> list[tuple[float, int]]:
    return [(float(random.uniform(1, 20)), int(random.integers(2))) for _ in range(200)]


def write_shapes(folder: Path) -> None:
    """Write discs and squares: images by class, and one folder with polygons in COCO's form."""
    images, annotations = [], []
    (folder / "shapes" / "images").mkdir(parents=True)
    (folder / "shapes" / "annotations").mkdir()
    for number in range(24):
        canvas = np.full((72, 96, 3), 120 + number, np.uint8)
        kind, x, y = number % 2, 30 + number, 36
        corners = cv2.ellipse2Poly((x, y), (14, 14), 45 * kind, 0, 360, 90 if kind else 12)
        cv2.fillPoly(canvas, [corners], (10 * number, 200, 30))
        cv2.imwrite(str(folder / "shapes" / "images" / f"{number}.png"), canvas)
        place = folder / "photos" / ("disc", "square")[kind]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number}.png"), canvas)
        left, top, width, height = cv2.boundingRect(corners)
        box = {"bbox": [left, top, width, height], "area": width * height, "iscrowd": 0}
        polygon = [[float(value) for value in corners.ravel()]]
        images.append({"id": number + 1, "file_name": f"{number}.png", "width": 96, "height": 72})
        annotations.append(
            {"id": number + 1, "image_id": number + 1, "category_id": kind + 1, "segmentation": polygon, **box}
        )
    classes = [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]
    document = {"images": images, "annotations": annotations, "categories": classes}
    (folder / "shapes" / "annotations" / "instances.json").write_text(json.dumps(document))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=lambda number: f"job {number + 1}")
def test_a_job_ends_well(home: Path, number: int) -> None:
    if "curl" in BLOCKS[number] and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    environment = {
        **os.environ,
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", BLOCKS[number]]
    found = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
