"""Sequences as batches: each whole, in order, with nothing behind its end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.export.plan import PARITY_BATCHES
from dlcli.export.sequences import as_tensors, padded, sequence_batches
from dlcli.tasks.language_model.search import SCORE_INPUTS
from dlcli.tasks.translation.search import ENCODER_INPUTS

NAMES = ("tokens", "lengths")
SEQUENCES = st.lists(st.lists(st.integers(1, 99), max_size=9), min_size=1, max_size=15)


@given(SEQUENCES)
def test_each_sequence_is_whole_and_zeros_stand_behind_its_end(given_sequences: list[list[int]]) -> None:
    batch = padded([np.array(each, np.int64) for each in given_sequences], NAMES)
    tokens, lengths = batch["tokens"], batch["lengths"]
    assert tokens.dtype == lengths.dtype == np.int64
    assert tokens.shape == (len(given_sequences), max(map(len, given_sequences)))
    assert lengths.tolist() == [len(each) for each in given_sequences]
    for row, length, each in zip(tokens, lengths, given_sequences, strict=True):
        assert row[:length].tolist() == each and not row[length:].any()


@given(SEQUENCES)
def test_batches_have_the_sizes_of_a_comparison_and_go_through_the_sequences_in_turn(found: list[list[int]]) -> None:
    batches = sequence_batches([np.array(each, np.int64) for each in found], NAMES)
    assert [len(batch["lengths"]) for batch in batches] == list(PARITY_BATCHES)
    rows = [
        row[:length].tolist()
        for batch in batches
        for row, length in zip(batch["tokens"], batch["lengths"], strict=True)
    ]
    assert rows == [found[number % len(found)] for number in range(sum(PARITY_BATCHES))]


@pytest.mark.parametrize("names", [SCORE_INPUTS, ENCODER_INPUTS])
def test_the_names_are_the_inputs_of_the_graphs_that_read_sequences(names: tuple[str, str]) -> None:
    batch = padded([np.array([3, 4], np.int64), np.array([5], np.int64)], names)
    assert tuple(batch) == names
    assert batch[names[0]].tolist() == [[3, 4], [5, 0]] and batch[names[1]].tolist() == [2, 1]


def test_tensors_are_copies_of_any_array() -> None:
    array = np.broadcast_to(np.arange(3), (2, 3))  # neither writable nor contiguous
    tensors = as_tensors({"a": array, "b": np.array([1.5], np.float32)})
    assert torch.equal(tensors["a"], torch.tensor([[0, 1, 2]] * 2)) and tensors["b"].dtype == torch.float32
    tensors["a"][0, 0] = 9
    assert array[0, 0] == 0
