"""Parts of sentence pairs that share no sentence: connected components over equal sentences, and the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from dlcli.data.parallel.writer import SIDES

Pairs = Sequence[tuple[str, str]]


def sentence_numbers(sentences: Sequence[str]) -> np.ndarray:
    """Return a number for each sentence, (N,) int64 from 0 in order of appearance; equal ones have the same."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(sentence, len(numbers)) for sentence in sentences], dtype=np.int64)


def group_pairs(pairs: Pairs) -> np.ndarray:
    """Return the group of each pair, (N,) int64 from 0.

    Two pairs with an equal source or an equal target are in one group, and so is what several such steps link.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not pairs:
        return np.zeros(0, np.int64)
    sources = sentence_numbers([source for source, _ in pairs])
    targets = sentence_numbers([target for _, target in pairs]) + sources.max() + 1
    size = int(targets.max()) + 1
    graph = coo_array((np.ones(len(pairs), np.int8), (sources, targets)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    return np.unique(component[sources], return_inverse=True)[1].astype(np.int64)


def draw_parts(groups: np.ndarray, sizes: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """Return the rows of each part, shuffled, and of "train", which holds the rest.

    Groups are dealt in random order to the first part that has room for the whole of them, so a group that is larger
    than a part stays in training. The parts have exactly their sizes where there are enough groups of one pair.

    Args:
        groups: (N,) group of each pair; N different ones split at random.
        sizes: part -> number of pairs.
        seed: seed of the order.
    """
    random = np.random.default_rng([seed, 0x9A125])
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    members = np.split(order, starts[1:]) if len(order) else []
    room = dict(sizes)
    rows: dict[str, list[np.ndarray]] = {part: [] for part in ("train", *sizes)}
    for number in random.permutation(len(members)).tolist():
        count = len(members[number])
        part = next((name for name, left in room.items() if count <= left), "train")
        if part in room:
            room[part] -= count
        rows[part].append(members[number])
    empty = np.zeros(0, np.int64)
    return {part: random.permutation(np.concatenate([empty, *found])) for part, found in rows.items()}


def shared_sentences(splits: Mapping[str, Pairs]) -> dict[str, dict[str, int]]:
    """Return how many pairs have a sentence in common with another split: "test in train" -> side -> count.

    The first of the two is the one that is counted; "either" counts pairs of which one side or both occur there.
    """
    known = {split: [{pair[place] for pair in pairs} for place in range(len(SIDES))] for split, pairs in splits.items()}
    found = {}
    for earlier, later in combinations(splits, 2):
        is_shared = np.array(
            [[pair[place] in known[earlier][place] for place in range(len(SIDES))] for pair in splits[later]],
            dtype=bool,
        ).reshape(-1, len(SIDES))
        counts = dict(zip(SIDES, is_shared.sum(axis=0).tolist(), strict=True))
        found[f"{later} in {earlier}"] = {**counts, "either": int(is_shared.any(axis=1).sum())}
    return found
