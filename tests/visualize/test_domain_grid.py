"""Samples of two domains as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys.domains import picture, write_own, write_prepared

from dlcli.core.errors import UsageError
from dlcli.visualize import domain_grid
from dlcli.visualize.canvas import letterbox
from dlcli.visualize.domain_grid import CELL_PX, draw_domains


def test_each_domain_is_a_row_and_a_pair_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_prepared(tmp_path, {"train": (9, 9), "test": (2, 2)}, paired=True)
    drawn: list[tuple[dict[str, list[np.ndarray]], str]] = []

    def record(samples: Any, title: str) -> np.ndarray:
        drawn.append((samples, title))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(domain_grid, "draw_samples", record)
    draw_domains(root, "train", 3)
    [(samples, title)] = drawn
    assert title == "night2day, train, pairs" and list(samples) == ["night", "day"]
    for domain, images in enumerate(samples.values()):
        for image, number in zip(images, (0, 4, 8), strict=True):
            np.testing.assert_array_equal(image, letterbox(picture(domain, number), CELL_PX))


def test_a_folder_of_ones_own_is_drawn_and_an_unknown_split_named(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 3, "trainB": 1})
    assert draw_domains(root, "train", 8).shape[2] == 3
    with pytest.raises(UsageError, match="no split 'test'"):
        draw_domains(root, "test", 8)
