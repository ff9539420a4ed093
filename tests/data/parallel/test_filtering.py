"""Each filter drops what it names, and counts it."""

from __future__ import annotations

import pytest

from dlcli.data.parallel.filtering import filter_pairs, num_words

GOOD = [("他在家", "He is at home"), ("我好", "I am fine"), ("你好吗", "How are you")]


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("", "a"), "empty"),
        (("好", ""), "empty"),
        (("ok", "ok"), "identical"),
        (("好" * 31, "good"), "too_long"),
        (("好", "x" * 10_000), "too_long"),
        (("好", "good " * 25), "unequal"),
        (("一" * 25, "one"), "unequal"),
        (GOOD[1], "duplicates"),
    ],
)
def test_what_is_of_no_use_is_dropped_and_counted(pair, reason):
    found = filter_pairs([*GOOD, pair], ("zh", "en"), max_length=30, max_ratio=4)
    assert found.pairs == GOOD
    assert {name for name, count in found.counts.items() if count} == {reason} and found.counts[reason] == 1


def test_lengths_are_compared_at_one_mean():
    pairs = [("字" * 8, "word word")] * 3 + [("词" * 16, "four four four four"), ("词" * 20, "too few")]
    assert filter_pairs(pairs, ("zh", "en"), max_length=99, max_ratio=1.5).counts["unequal"] == 1
    assert filter_pairs(pairs, ("zh", "en"), max_length=99, max_ratio=99).counts["unequal"] == 0
    assert filter_pairs([], ("zh", "en"), max_length=9, max_ratio=9).pairs == []


def test_words_are_counted_in_characters_where_there_are_no_blanks():
    assert num_words("two words", "en") == 2 and num_words("十个字", "zh") == 3
    assert num_words("a" * 31, "en") == 4
