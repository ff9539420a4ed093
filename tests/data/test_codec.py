"""Batches of encoded inputs: every item in one of them, its values unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.codec import Encoded, Source, by_shape, pad_sequences


def item(number, **shapes):
    """Return an item whose arrays hold its number throughout."""
    arrays = {name: np.full(shape, number, np.float32) for name, shape in shapes.items()}
    return Encoded(Source(str(number), number), arrays)


@pytest.mark.parametrize("batches", [by_shape, pad_sequences])
def test_nothing_makes_no_batch(batches):
    assert list(batches([])) == []


def test_pictures_of_unequal_sizes_are_in_batches_of_their_own():
    sizes = [(3, 8, 9), (3, 8, 7), (3, 8, 9), (3, 7, 8)]
    found = list(by_shape([item(number, images=size) for number, size in enumerate(sizes)]))
    assert [list(indices) for indices, _ in found] == [[0, 2], [1], [3]]
    assert [arrays["images"].shape for _, arrays in found] == [(2, 3, 8, 9), (1, 3, 8, 7), (1, 3, 7, 8)]


def test_a_batch_is_alike_in_every_array():
    items = [item(0, a=(2,), b=(1,)), item(1, a=(2,), b=(3,)), item(2, a=(2,), b=(1,))]
    assert [list(indices) for indices, _ in by_shape(items)] == [[0, 2], [1]]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=12))
def test_every_item_is_in_one_batch_by_its_index(sizes):
    items = [item(number, images=size) for number, size in enumerate(sizes)]
    seen = []
    for indices, arrays in by_shape(items):
        for index, array in zip(indices, arrays["images"], strict=True):
            np.testing.assert_array_equal(array, items[index].arrays["images"])
            seen.append(index)
    assert sorted(seen) == list(range(len(sizes)))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_sequences_are_one_batch_with_zeros_behind_their_ends(lengths):
    items = [item(number + 1, tokens=(length, 2), lengths=()) for number, length in enumerate(lengths)]
    [(indices, arrays)] = pad_sequences(items)
    assert list(indices) == list(range(len(lengths)))
    assert arrays["tokens"].shape == (len(lengths), max(lengths), 2)
    assert arrays["lengths"].tolist() == [number + 1 for number in range(len(lengths))]
    for number, (row, length) in enumerate(zip(arrays["tokens"], lengths, strict=True)):
        assert (row[:length] == number + 1).all()
        assert (row[length:] == 0).all()


def test_padding_keeps_the_type_of_numbers():
    items = [Encoded(Source("", None), {"tokens": np.arange(length)}) for length in (2, 5)]
    [(_, arrays)] = pad_sequences(items)
    assert arrays["tokens"].dtype == np.arange(1).dtype
