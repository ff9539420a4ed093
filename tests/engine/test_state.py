"""Sums of an epoch: means over items, equal for any division into updates and processes."""

from __future__ import annotations

import pickle

import pytest
import torch

from dlcli.engine.state import Sums
from dlcli.engine.task import Update

VALUES = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])


def summed(*parts: slice) -> Sums:
    """Return the sums of these items, an update for each part."""
    sums = Sums()
    for part in parts:
        own = VALUES[part]
        sums.add(Update("network", {"loss": own.mean()}, len(own), {"share": (own > 2).float().mean()}))
    return sums


def test_means_are_over_items_however_they_are_divided() -> None:
    for parts in ([slice(0, 6)], [slice(0, 1), slice(1, 6)], [slice(0, 2), slice(2, 3), slice(3, 6)]):
        found = summed(*parts)
        assert found.means() == {"loss": pytest.approx(float(VALUES.mean()))}
        assert found.figure_means() == {"share": pytest.approx(4 / 6)}


def test_merging_processes_is_adding_their_items_and_changes_neither() -> None:
    first, second = summed(slice(0, 1)), summed(slice(1, 4), slice(4, 6))
    merged = first.merge([pickle.loads(pickle.dumps(second))])
    assert merged.means() == {"loss": pytest.approx(float(VALUES.mean()))} and merged.counts["loss"] == 6
    assert first.means() == {"loss": 3.0} and first.counts == {"loss": 1, "share": 1}


def test_a_loss_of_one_process_alone_is_kept() -> None:
    other = Sums()
    other.add(Update("generator", {"adversarial": torch.tensor(2.0)}, 3))
    assert summed(slice(0, 6)).merge([other]).means() == {
        "loss": pytest.approx(float(VALUES.mean())),
        "adversarial": 2.0,
    }


def test_sums_hold_no_graph_and_are_exact_in_float32() -> None:
    weight = torch.ones((), requires_grad=True)
    sums = Sums()
    for _ in range(100):
        sums.add(Update("network", {"loss": (weight * 0.1).to(torch.bfloat16)}, 128))
    total = sums.losses["loss"]
    assert not total.requires_grad and total.dtype == torch.float32
    assert sums.means()["loss"] == pytest.approx(float(torch.tensor(0.1).to(torch.bfloat16)), rel=1e-5)
