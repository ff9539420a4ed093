"""Small prepared tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table

CITIES = ("Lyon", "Nice", "Brest")


def write_lines(count: int = 60, seed: int = 0) -> list[str]:
    """Return the lines of a CSV in which the price follows from size and city, and the kind from the price."""
    random = np.random.default_rng(seed)
    lines = ["size,city,age,price,kind"]
    for row in range(count):
        size, city = random.uniform(20, 120), row % 3
        price = 3 * size + 40 * city
        age = "" if row % 7 == 0 else f"{random.integers(1, 90)}"
        lines.append(f"{size:.2f},{CITIES[city]},{age},{price:.2f},{'dear' if price > 250 else 'cheap'}")
    return lines


@pytest.fixture
def table_lines() -> list[str]:
    """The lines of the CSV that `make_table` prepares by itself."""
    return write_lines()


@pytest.fixture
def make_table(tmp_path):
    """Write a prepared table from the lines of a CSV."""

    def make(target: str = "price", *, lines: list[str] | None = None, name: str = "table", drop=()) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        other = {"price": "kind", "kind": "price"}[target]
        text = "\n".join(lines or write_lines())
        request = TableRequest(target, drop=dict.fromkeys((other, *drop), "asked for"))
        card = write_table(parse_sheet(text, "x"), request, folder, name, "x")
        (folder / "dataset.json").write_text(json.dumps(card.to_json()), encoding="utf-8")
        return folder

    return make


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks are slower on two threads when anything else runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
