"""Batches of pairs: each sentence as it is, framed on the target's side, nothing but padding behind it."""

from __future__ import annotations

import numpy as np
import torch

from dlcli.data.order import Order
from dlcli.data.parallel.loader import SideArrays, parallel_loader

RANDOM = np.random.default_rng(0)


def side(size):
    lengths = RANDOM.integers(1, 12, 40)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return SideArrays(RANDOM.integers(4, size, offsets[-1]).astype(np.int32), offsets)


SOURCE, TARGET = side(50), side(90)


def sentence(arrays, row):
    return arrays.ids[arrays.offsets[row] : arrays.offsets[row + 1]].tolist()


def test_every_pair_comes_as_it_is_with_start_and_end_on_the_target():
    loader = parallel_loader(SOURCE, TARGET, Order(np.arange(40), 7, seed=3))
    rows = []
    for batch in loader.batches(1):
        assert set(batch) == {"source", "target", "source_lengths", "target_lengths", "rows"}
        assert all(values.dtype == torch.int64 for values in batch.values())
        assert batch["source"].shape[1] == batch["source_lengths"].max()
        assert batch["target"].shape[1] == batch["target_lengths"].max()
        for place, row in enumerate(batch["rows"].tolist()):
            rows.append(row)
            for name, expected in (("source", sentence(SOURCE, row)), ("target", [1, *sentence(TARGET, row), 2])):
                length = int(batch[f"{name}_lengths"][place])
                assert batch[name][place, :length].tolist() == expected
                assert not batch[name][place, length:].any()
    assert sorted(rows) == list(range(40))


def test_long_sentences_are_truncated_and_still_end():
    loader = parallel_loader(SOURCE, TARGET, Order(np.arange(40), 40, seed=None), max_length=5)
    [batch] = loader.batches()
    assert batch["source"].shape[1] == 5 and batch["target"].shape[1] == 7
    for row in range(40):
        assert batch["source"][row][batch["source"][row] > 0].tolist() == sentence(SOURCE, row)[:5]
        assert batch["target"][row][batch["target"][row] > 0].tolist() == [1, *sentence(TARGET, row)[:5], 2]
    assert SOURCE.lengths(5).tolist() == batch["source_lengths"].tolist()


def test_sentences_come_along_for_evaluation():
    pairs = [(f"s{row}", f"t{row}") for row in range(40)]
    loader = parallel_loader(
        SOURCE, TARGET, Order(np.array([5, 3]), 2, seed=None), sentences=lambda rows: [pairs[row] for row in rows]
    )
    [batch] = loader.batches()
    assert (batch["source_texts"], batch["target_texts"]) == (["s5", "s3"], ["t5", "t3"])
