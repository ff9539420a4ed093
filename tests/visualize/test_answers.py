from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize import answers
from dlcli.visualize.answers import draw_answers

NAMES = ["cat", "a\nlong name", "猫"]


@pytest.fixture
def captions(monkeypatch):
    seen = {}
    tile, titled = answers.tile, answers.add_title
    monkeypatch.setattr(answers, "tile", lambda images, **o: seen.update(captions=o["captions"]) or tile(images, **o))
    monkeypatch.setattr(answers, "add_title", lambda image, lines: seen.update(title=lines) or titled(image, lines))
    return seen


def test_each_image_has_the_answer_and_a_wrong_one_the_truth(captions):
    images = [np.full((20, 30, 3), 40 * index, np.uint8) for index in range(3)]
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.9, 0.05, 0.05]]))
    picture = draw_answers(images, [0, 1, 2], logits + 100, NAMES)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert captions["captions"] == ["70% cat", "50% a long name", "90% cat\nwrong: 猫"]
    assert captions["title"] == ["validation images: 2 of these 3 are right"]


def test_grey_images_of_other_sizes_and_certain_answers_can_be_drawn(captions):
    picture = draw_answers([np.zeros((8, 8), np.uint8), np.zeros((9, 7, 1), np.uint8)], [0, 0], np.eye(2) * 1e4, NAMES)
    assert picture.size and captions["captions"] == ["100% cat", "100% a long name\nwrong: cat"]
