"""A folder with small runs of an image, a text and two table tasks, all made by the Python interface."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dlcli

QUICK: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 512,
    "precision": "fp32",
    "threads": 1,
    "device": "cpu",
}
TABLE = [
    "size,colour,price,kind",
    *(f"{7 * r % 41},{('red', 'blue')[r % 2]},{3 * r}.5,{'ab'[r % 2]}" for r in range(40)),
]
TEXTS = ["label,review", *(f"{('bad', 'good')[r % 2]},{('so dull', 'how fine')[r % 2]} {r}" for r in range(40))]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs images, texts, prices and kinds, and an input for each."""
    home = tmp_path_factory.mktemp("made")
    here = Path.cwd()
    os.chdir(home)
    try:
        Path("t.csv").write_text("\n".join(TABLE))
        Path("q.csv").write_text("\n".join(TABLE[:4]))
        Path("s.csv").write_text("\n".join(TEXTS))
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save("grey.png")
        colours = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
        Image.fromarray(colours).save("colour.png")
        dlcli.train("digits", name="images", model="lenet", **QUICK)
        words = {"tokenizer": "whitespace", "min_count": 1}
        dlcli.train(dlcli.prepare("text-csv", "s.csv", out="data/s", **words), name="texts", **QUICK)
        dlcli.train(dlcli.prepare("table", Path("t.csv"), target="price", out="data/r"), name="prices", **QUICK)
        dlcli.train(dlcli.prepare("table", "t.csv", target="kind", out="data/c"), name="kinds", **QUICK)
    finally:
        os.chdir(here)
    return home


@pytest.fixture
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder with the runs, as the current one."""
    monkeypatch.chdir(made)
    return made
