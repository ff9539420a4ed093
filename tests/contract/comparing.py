"""How answers are compared: exactly, aligned, or by the share of values that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

Compare = Callable[[Any, Any], None]
Item = Callable[[Mapping[str, Tensor], int], dict[str, Tensor]]


def row_of(outputs: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    """Return one item of outputs of which each row is whole."""
    return {name: value[index] for name, value in outputs.items()}


def assert_equal(first: Any, second: Any) -> None:
    """Compare batches: tensors, arrays, lists and mappings of them, exactly."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_equal(first[name], second[name])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    elif isinstance(first, Tensor):
        torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)  # a gap in a table is a NaN
    else:
        assert np.array_equal(first, second)


def assert_close(first: Any, second: Any, within: float = 1e-4) -> None:
    """Compare records: names and texts exactly, numbers within a distance."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_close(first[name], second[name], within)
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_close(one, other, within)
    elif isinstance(first, float):
        assert first == pytest.approx(second, abs=within)
    else:
        assert first == second


def assert_same_shares(first: Any, second: Any) -> None:
    """Compare records of label maps: a class may win or lose a hundredth of the pixels, so their masks may differ."""
    for one, other in zip(first, second, strict=True):
        shares = [{entry["label"]: entry["share"] for entry in record["classes"]} for record in (one, other)]
        for label in shares[0] | shares[1]:
            assert shares[0].get(label, 0) == pytest.approx(shares[1].get(label, 0), abs=0.01)
        names = ("input", "width", "height")
        assert [one[name] for name in names] == [other[name] for name in names]


def aligned(listed: str, within: float = 1e-4) -> Compare:
    """Return a comparison of records as `assert_close`, in which the entries of a list may come in any order."""

    def compare(first: Any, second: Any) -> None:
        assert_close(
            [{name: value for name, value in record.items() if name != listed} for record in first],
            [{name: value for name, value in record.items() if name != listed} for record in second],
        )
        for one, other in zip(first, second, strict=True):
            left = list(other[listed])
            for entry in one[listed]:
                found = [candidate for candidate in left if _is_close(entry, candidate, within)]
                assert found, f"{entry} is not among {left}"
                left.remove(found[0])
            assert left == []

    return compare


def _is_close(first: Any, second: Any, within: float) -> bool:
    try:
        assert_close(first, second, within)
    except AssertionError:
        return False
    return True


def assert_alike(first: np.ndarray, second: np.ndarray, share: float) -> None:
    """Compare pictures (H, W, 3) uint8, of whose values at most a share may differ."""
    assert first.shape == second.shape
    assert np.count_nonzero(first != second) <= share * first.size
