"""A stratified part keeps every class's share."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.splitting import stratified_part


@given(st.lists(st.integers(0, 4), max_size=80), st.floats(0.01, 0.9), st.integers(0, 99))
def test_every_class_keeps_its_share_and_its_last_item(labels, fraction, seed):
    labels = np.array(labels, np.int64)
    is_part = stratified_part(labels, fraction, seed)
    np.testing.assert_array_equal(is_part, stratified_part(labels, fraction, seed))
    for label in np.unique(labels):
        size, taken = np.sum(labels == label), np.sum(is_part & (labels == label))
        assert taken < size
        assert taken == 0 if size == 1 else 1 <= taken <= max(1, fraction * size + 0.5)


def test_another_seed_gives_another_part():
    labels = np.repeat(np.arange(3), 50)
    assert not np.array_equal(stratified_part(labels, 0.2, 0), stratified_part(labels, 0.2, 1))
