from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from dlcli.data.images.sides import typical_side


def write(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes())


@pytest.mark.parametrize("place", ["", "train/", "val/"], ids=["class folders", "splits", "one other split"])
def test_the_side_is_the_median_of_the_shorter_ones(tmp_path, place):
    for number, (width, height) in enumerate([(100, 50), (60, 300), (70, 71), (80, 20), (90, 90)]):
        write(tmp_path / f"{place}{'ab'[number % 2]}" / f"{number}.png", width, height)
    assert typical_side(tmp_path) == 60


def test_unreadable_files_are_passed_over(tmp_path):
    write(tmp_path / "a" / "2.png", 40, 30)
    (tmp_path / "a" / "1.png").write_bytes(b"no image")
    write(tmp_path / "b" / "1.png", 40, 30)
    assert typical_side(tmp_path) == 30


def test_a_card_with_a_common_size_is_enough(tmp_path):
    card = {"schema": 1, "form": "images", "name": "x", "classes": ["a", "b"], "counts": {}}
    card["details"] = {"image_size": [28, 32]}
    (tmp_path / "dataset.json").write_text(json.dumps(card), encoding="utf-8")
    assert typical_side(tmp_path) == 28


@pytest.mark.parametrize("kind", ["missing", "empty", "damaged card", "a file"])
def test_where_there_is_no_image_there_is_no_answer(tmp_path, kind):
    folder = tmp_path / "photos"
    if kind == "a file":
        folder.write_bytes(b"")
    elif kind != "missing":
        folder.mkdir()
    if kind == "damaged card":
        (folder / "dataset.json").write_text("{", encoding="utf-8")
    assert typical_side(folder) is None
