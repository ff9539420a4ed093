"""Stop words that carry the label are named, those that do not are not."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.text.stop_words import StopWordCounter, read_stop_words, stop_word_warnings, strongest_class

CLASSES = ("negative", "positive")
TOTALS = np.array([1000, 1000])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_words_are_read_once_each_whatever_the_encoding(tmp_path, encoding):
    path = tmp_path / "停用词.txt"
    path.write_bytes("的\r\n了\n\n 的 \n——\n".encode(encoding))
    assert read_stop_words(path) == tuple(sorted(["的", "了", "——"]))


@pytest.mark.parametrize("content", ["", "\n \n", "很" * 500])
def test_what_is_no_list_of_words_is_refused(tmp_path, content):
    path = tmp_path / "words.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="stop words"):
        read_stop_words(path)


def test_a_word_of_one_class_is_named_and_an_even_one_is_not():
    [warning] = stop_word_warnings(
        ["的", "哈哈"], {"哈哈": np.array([20, 180]), "的": np.array([410, 400])}, TOTALS, CLASSES
    )
    assert "'哈哈' (90% of its 200 texts are positive)" in warning and "'的'" not in warning


def test_a_rare_word_proves_nothing():
    assert stop_word_warnings(["呵"], {"呵": np.array([0, 20])}, TOTALS, CLASSES) == []


def test_a_word_that_follows_the_shares_of_unequal_classes_is_not_named():
    totals = np.array([1900, 100])
    assert stop_word_warnings(["的"], {"的": np.array([950, 50])}, totals, CLASSES) == []


def test_negators_are_named():
    [warning] = stop_word_warnings(["不", "的", "Not"], {}, TOTALS, CLASSES)
    assert "不, Not" in warning and "的" not in warning


def test_the_odds_are_those_of_a_table_worked_by_hand():
    label, odds, score = strongest_class(np.array([10, 40]), np.array([100, 100]))
    assert label == 1
    assert odds == pytest.approx((40.5 * 90.5) / (10.5 * 60.5))
    assert score == pytest.approx(np.log(odds) / np.sqrt(1 / 40.5 + 1 / 10.5 + 1 / 60.5 + 1 / 90.5))


def test_the_counter_counts_a_word_once_a_text():
    counter = StopWordCounter(["的", "了"], 2)
    assert counter.without(["好", "的", "的", "书"], 1) == ["好", "书"]
    assert counter.without(["好"], 0) == ["好"]
    assert counter.without(["的"], 0) == []
    assert {word: counts.tolist() for word, counts in counter.texts_with().items()} == {"的": [1, 1]}
