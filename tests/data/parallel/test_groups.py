"""Parts that share no sentence: components against a slow reference, exact sizes, and a proof that can fail."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.parallel.groups import draw_parts, group_pairs, sentence_numbers, shared_sentences

PAIRS = st.lists(st.tuples(st.integers(0, 9).map(str), st.integers(0, 9).map(str)), max_size=14)


def reference(pairs):
    """Merge groups until no two pairs with an equal side differ."""
    groups = list(range(len(pairs)))
    changed = True
    while changed:
        changed = False
        for one in range(len(pairs)):
            for two in range(len(pairs)):
                is_linked = pairs[one][0] == pairs[two][0] or pairs[one][1] == pairs[two][1]
                if is_linked and groups[one] != groups[two]:
                    groups = [min(groups[one], groups[two]) if g in (groups[one], groups[two]) else g for g in groups]
                    changed = True
    return groups


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_groups_are_the_components(pairs):
    found, expected = group_pairs(pairs).tolist(), reference(pairs)
    assert [[a == b for b in found] for a in found] == [[a == b for b in expected] for a in expected]


def test_equal_words_of_the_two_sides_link_nothing():
    assert group_pairs([("a", "b"), ("b", "c")]).tolist() == [0, 1]
    assert sentence_numbers(["x", "y", "x"]).tolist() == [0, 1, 0]
    assert group_pairs([]).tolist() == []


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.integers(0, 5), st.integers(0, 5), st.integers(0, 3))
def test_no_sentence_is_in_two_parts_and_every_pair_in_one(pairs, valid, test, seed):
    pairs = list(dict.fromkeys(pairs))
    parts = draw_parts(group_pairs(pairs), {"valid": valid, "test": test}, seed)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(pairs)))
    assert len(parts["valid"]) <= valid and len(parts["test"]) <= test
    splits = {part: [pairs[row] for row in rows.tolist()] for part, rows in parts.items()}
    assert all(not any(counts.values()) for counts in shared_sentences(splits).values())


def test_sizes_are_exact_where_single_pairs_are_many_and_a_large_group_trains():
    pairs = [*((f"s{n}", f"t{n}") for n in range(60)), *(("one", f"many {n}") for n in range(15))]
    groups = group_pairs(pairs)
    parts = draw_parts(groups, {"valid": 10, "test": 12}, 0)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 53, "valid": 10, "test": 12}
    assert set(range(60, 75)) <= set(parts["train"].tolist())
    same, other = (draw_parts(groups, {"valid": 10, "test": 12}, seed) for seed in (0, 1))
    assert all(parts[part].tolist() == same[part].tolist() for part in parts)
    assert parts["test"].tolist() != other["test"].tolist()


def test_the_proof_counts_what_is_shared():
    splits = {"train": [("a", "x"), ("b", "y")], "test": [("a", "z"), ("c", "y"), ("b", "x"), ("d", "w")]}
    assert shared_sentences(splits) == {"test in train": {"source": 2, "target": 2, "either": 3}}
    assert shared_sentences({"train": splits["train"]}) == {}
