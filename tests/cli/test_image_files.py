"""`dl visualize filters` and `histogram`: an image file is the subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcli.visualize import histogram
from dlcli.visualize.filters import FILTERS


def read(path: str) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def count_of(picture: np.ndarray, colour: tuple[int, ...]) -> int:
    return int((picture == colour).all(axis=2).sum())


def test_sheets_are_written_beside_the_terminal_under_names_that_differ(dl: Any, bench: Any) -> None:
    for folder in ("a", "b 里"):
        Path(folder).mkdir()
        bench.png(f"{folder}/猫.png")
    answer = dl("visualize", "filters", "a/猫.png", "b 里/猫.png", "--only", "flip, grey")
    assert (answer.code, answer.out) == (0, "filters-猫.png\nfilters-猫-2.png\n")
    assert count_of(read("filters-猫.png"), (255, 255, 255)) > 1000


def test_the_operations_are_listed(dl: Any, bench: Any) -> None:
    bench.png("cat.png")
    answer = dl("visualize", "filters", "cat.png", "--only", "list", "--json")
    assert [entry["name"] for entry in json.loads(answer.out)["filters"]] == list(FILTERS)
    assert not list(Path().glob("filters*"))


def test_a_kernel_alone_is_drawn_beside_the_image(dl: Any, bench: Any) -> None:
    Image.new("RGB", (200, 200), (200, 0, 0)).save("red.png")
    assert dl("visualize", "filters", "red.png", "--kernel", "0.5", "--out", "half.png").code == 0
    sheet = read("half.png")
    assert count_of(sheet, (200, 0, 0)) == count_of(sheet, (100, 0, 0)) == 200 * 200
    assert dl("visualize", "filters", "red.png", "--kernel", ";0,2;", "--only", "flip", "--out", "more.png").code == 0
    assert count_of(read("more.png"), (200, 0, 0)) == 4 * 200 * 200


def save(kind: str, path: str) -> None:
    """Write an image whose upper half is red, or white where there is no colour, and whose lower half is black."""
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[:100, :, 0] = 255
    grey = pixels[:, :, 0]
    if kind == "exif":  # stored on its side: orientation 6 is shown turned by 90 degrees clockwise
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(path, exif=exif)
    elif kind == "alpha":
        Image.fromarray(np.dstack([pixels, np.full_like(grey, 7)])).save(path)
    elif kind == "16 bits":
        Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(grey if kind == "grey" else pixels).save(path)


@pytest.mark.parametrize("kind", ["rgb", "exif", "alpha", "grey", "16 bits"])
def test_an_image_of_every_kind_is_turned_and_in_its_colours(
    kind: str, dl: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Drawing takes two seconds, and the figures are in the table.
    monkeypatch.setattr(histogram, "draw_histograms", lambda versions, title: versions["colour"])
    save(kind, "a.png")
    assert dl("visualize", "filters", "a.png", "--kernel", "1", "--out", "sheet.png").code == 0
    sheet = read("sheet.png")
    bright = (255, 255, 255) if kind in ("grey", "16 bits") else (255, 0, 0)
    black = np.argwhere((sheet == 0).all(axis=2))
    assert len(black) >= 2 * 100 * 200
    top = np.median(black[:, 0]) - 100  # in the middle of the upper halves
    assert (sheet[int(top), 30:150] == bright).all()
    answer = dl("visualize", "histogram", "a.png", "--json", "--out", "h.png")
    levels = json.loads(answer.out)["levels"]
    assert [(row["channel"], row["mean"]) for row in levels[:1]] == [("R", 127.5)]
    assert levels[2]["mean"] == (0.0 if bright == (255, 0, 0) else 127.5)


def test_the_histogram_s_table_stands_beside_the_answer(dl: Any, bench: Any) -> None:
    bench.png("cat.png")
    answer = dl("visualize", "histogram", "cat.png")
    assert (answer.code, answer.out) == (0, "histogram-cat.png\n")
    assert "each channel equalised" in answer.err
