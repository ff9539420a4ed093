"""The batches that a benchmark gives to models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcli.answering.benchmark_inputs import MAX_BATCHES, MAX_BYTES, Inputs, rows_of
from dlcli.answering.timing_worker import peak_memory_mb, read_batches, write_batches


class Sorted:
    """Batches of texts that grow longer."""

    def __init__(self, lengths: list[int], size: int) -> None:
        self.starts = range(0, len(lengths), size)
        self.lengths, self.size = lengths, size

    num_items = 0

    def __len__(self) -> int:
        return len(self.starts)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
        for first in self.starts[start:]:
            own = self.lengths[first : first + self.size]
            tokens = torch.zeros(len(own), max(own), dtype=torch.int64)
            for row, length in zip(tokens, own, strict=True):
                row[:length] = length
            yield {"tokens": tokens, "lengths": torch.tensor(own), "labels": torch.zeros(len(own))}


def lengths_of(batch: dict[str, np.ndarray]) -> list[int]:
    return batch["lengths"].tolist()


def test_items_come_from_places_spread_over_the_split_and_only_with_the_inputs() -> None:
    loader = Sorted(list(range(1, 101)), 5)
    rows = rows_of(loader, ("tokens", "lengths"), 16)
    assert len(rows) == 16
    assert set(rows[0]) == {"tokens", "lengths"}
    found = [int(row["lengths"][0]) for row in rows]
    assert min(found) == 1
    assert max(found) >= 96
    assert len(set(found)) == 16
    assert all(row["tokens"].shape[0] == 1 for row in rows)


def test_a_loader_without_batches_has_no_items() -> None:
    assert rows_of(Sorted([], 5), ("tokens",), 4) == []


def test_batches_of_texts_are_padded_to_their_longest_and_differ() -> None:
    rows = rows_of(Sorted(list(range(1, 41)), 4), ("tokens", "lengths"), 16)
    batches = Inputs(rows, "").batches(4)
    assert len(batches) == 4
    for batch in batches:
        assert batch["tokens"].shape == (4, batch["tokens"].shape[1])
        for tokens, length in zip(batch["tokens"], lengths_of(batch), strict=True):
            assert tokens[:length].tolist() == [length] * length
            assert not tokens[length:].any()
    assert len({tuple(lengths_of(batch)) for batch in batches}) == 4


def test_items_start_over_where_there_are_fewer_than_a_batch_needs() -> None:
    rows = rows_of(Sorted([3, 5], 2), ("tokens", "lengths"), 8)
    assert [lengths_of(batch) for batch in Inputs(rows, "").batches(5)] == [[3, 5, 3, 5, 3]]


def test_a_size_has_few_batches_and_few_bytes() -> None:
    small = [{"x": np.full((1, 2), number, np.float32)} for number in range(100)]
    assert len(Inputs(small, "").batches(1)) == MAX_BATCHES
    large = [{"x": np.zeros((1, MAX_BYTES // 2), np.uint8)} for _ in range(6)]
    assert len(Inputs(large, "").batches(1)) == 2
    assert len(Inputs(large, "").batches(4)) == 1


def test_items_of_unequal_shapes_are_rows_too() -> None:
    class Ragged(Sorted):
        def batches(self, epoch: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
            yield {"images": [torch.ones(3, side, 4) for side in (5, 7)]}

    rows = rows_of(Ragged([1, 1], 2), ("images",), 2)
    assert [row["images"].shape for row in rows] == [(1, 3, 5, 4), (1, 3, 7, 4)]
    assert Inputs(rows, "").batches(2)[0]["images"].shape == (2, 3, 7, 4)


def test_batches_survive_their_file(tmp_path: Path) -> None:
    batches = [{"a.b": np.arange(6).reshape(2, 3) + number, "c": np.ones(2, np.float32)} for number in range(12)]
    write_batches(tmp_path, 2, batches)
    found = read_batches(tmp_path, 2)
    assert len(found) == 12
    for one, other in zip(batches, found, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says")
def test_the_peak_of_memory_grows_with_what_was_held() -> None:
    before = peak_memory_mb()
    held = np.ones(int(before or 1) * 250_000 + 20_000_000)  # larger than all of the peak so far
    after = peak_memory_mb()
    assert before is not None
    assert after is not None
    assert after - before > 0
    assert after > held.nbytes / 1e6
