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
    # Of 200 texts 50 hold the word: 25 are expected in each class, with variance 50 * 1/2 * 1/2 * 150/199.
    assert score == pytest.approx((40 - 25) / np.sqrt(12.5 * 150 / 199))


def test_the_counter_counts_a_word_once_a_text():
    counter = StopWordCounter(["的", "了"], 2)
    assert counter.without(["好", "的", "的", "书"], 1) == ["好", "书"]
    assert counter.without(["好"], 0) == ["好"]
    assert counter.without(["的"], 0) == []
    assert {word: counts.tolist() for word, counts in counter.texts_with().items()} == {"的": [1, 1]}


def test_mirrored_classes_give_the_mirrored_class_with_the_same_odds():
    counts, totals = np.array([10, 40]), np.array([120, 90])
    label, odds, score = strongest_class(counts, totals)
    assert strongest_class(counts[::-1], totals[::-1]) == (1 - label, pytest.approx(odds), pytest.approx(score))


def test_of_several_classes_each_is_held_against_all_others():
    label, odds, _ = strongest_class(np.array([5, 1, 30]), np.array([50, 40, 60]))
    assert label == 2
    assert odds == pytest.approx((30.5 * 84.5) / (6.5 * 30.5))


def test_a_word_of_one_class_alone_has_finite_odds():
    label, odds, score = strongest_class(np.array([0, 50]), np.array([50, 50]))
    assert label == 1
    assert np.isfinite([odds, score]).all()


@pytest.mark.parametrize("count", [1, 10, 11])
def test_at_most_ten_words_are_named_the_most_telling_first(count):
    words = {f"w{number:02d}": np.array([0, 100 + number]) for number in range(count)}
    [warning] = stop_word_warnings([], words, TOTALS, CLASSES)
    named = [word for word in words if repr(word) in warning]
    assert named == sorted(words)[-10:]
    assert ("..." in warning) is (count > 10)
    assert warning.index(repr(max(words))) == min(warning.index(repr(word)) for word in named)


def test_nul_bytes_are_no_part_of_a_word_and_too_many_words_are_no_list(tmp_path, monkeypatch):
    path = tmp_path / "words.txt"
    path.write_bytes("的\0\n\0\n了".encode())
    assert read_stop_words(path) == tuple(sorted(["的", "了"]))
    monkeypatch.setattr("dlcli.data.text.stop_words.MAX_WORDS", 1)
    with pytest.raises(DataError, match=r"words\.txt"):
        read_stop_words(path)


def test_a_word_of_one_class_alone_tells_more_than_one_with_exceptions():
    scores = [strongest_class(np.array([exceptions, 100 - exceptions]), TOTALS)[2] for exceptions in (0, 1, 5, 20)]
    assert scores == sorted(scores, reverse=True)
    [warning] = stop_word_warnings(["哈哈"], {"哈哈": np.array([0, 100])}, TOTALS, CLASSES)
    assert "'哈哈' (100% of its 100 texts are positive)" in warning


@pytest.mark.parametrize(("counts", "totals"), [([50, 50], [50, 50]), ([3, 0], [50, 0]), ([1], [1])])
def test_a_word_that_cannot_tell_has_no_score(counts, totals):
    assert strongest_class(np.array(counts), np.array(totals))[2] == 0


def test_the_score_is_scipys_hypergeometric_deviation():
    from scipy.stats import hypergeom

    counts, totals = np.array([5, 1, 30]), np.array([50, 40, 60])
    chance = hypergeom(totals.sum(), totals[2], counts.sum())
    assert strongest_class(counts, totals)[2] == pytest.approx((30 - chance.mean()) / chance.std())
