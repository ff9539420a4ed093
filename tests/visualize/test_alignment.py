from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.alignment import MOST_TOKENS, draw_alignment


def test_more_weight_is_darker_and_stands_in_its_cell():
    weights = np.array([[1.0, 0.0], [0.0, 0.5]])
    picture = draw_alignment(weights, ["猫", "狗"], ["cat", "dog"], title="a cat")
    assert picture.dtype == np.uint8
    other = draw_alignment(weights[:, ::-1], ["猫", "狗"], ["cat", "dog"], title="a cat")
    changed = (picture != other).any(axis=2)
    columns = np.nonzero(changed)[1]
    middle = (columns.min() + columns.max()) // 2
    left, right = picture[:, :middle][changed[:, :middle]], picture[:, middle:][changed[:, middle:]]
    assert left.mean() < right.mean()  # the 1.0 is on the left, the 0.5 on the right


def test_long_sentences_are_cut_and_counted(monkeypatch):
    titles = []
    monkeypatch.setattr("dlcli.visualize.alignment.add_title", lambda picture, lines: titles.extend(lines))
    draw_alignment(np.full((3, 90), 1 / 90), ["天"] * 90, ["a"] * 3, title="long")
    assert titles == [f"long (the first {MOST_TOKENS} of 90 tokens)"]


@pytest.mark.parametrize(
    ("shape", "value", "fault"), [((2, 3), 0.1, "for 2 and 2"), ((2, 2), np.nan, "finite"), ((0, 0), 1.0, "weights")]
)
def test_weights_that_do_not_fit_are_refused(shape, value, fault):
    tokens = ["a"] * shape[0]
    with pytest.raises(ValueError, match=fault):
        draw_alignment(np.full(shape, value), tokens, tokens, title="")
