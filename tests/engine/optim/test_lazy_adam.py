"""LazyAdam is Adam where gradients are dense and SparseAdam where they are sparse; clipping knows both."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dlcli.engine.compute.gradients import clip_gradients, divide_gradients
from dlcli.engine.optim.lazy_adam import LazyAdam


def networks(count, *, sparse):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Embedding(20, 6, padding_idx=0, sparse=sparse), nn.Linear(6, 3))
    return [network, *(copy.deepcopy(network) for _ in range(count - 1))]


def train(network, optimizers, steps=6):
    for step in range(steps):
        tokens = torch.randint(0, 20, (4, 3), generator=torch.Generator().manual_seed(step))
        network(tokens).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def assert_same(first, second):
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_with_dense_gradients_it_is_adam():
    mine, theirs = networks(2, sparse=False)
    train(mine, [LazyAdam([{"params": list(mine.parameters())}], lr=0.01)])
    train(theirs, [torch.optim.Adam(theirs.parameters(), lr=0.01)])
    assert_same(mine, theirs)


def test_with_sparse_gradients_it_is_sparse_adam():
    mine, theirs = networks(2, sparse=True)
    before = mine[0].weight.detach().clone()
    train(mine, [LazyAdam([{"params": list(mine.parameters())}], lr=0.01)], steps=2)
    sparse = torch.optim.SparseAdam([theirs[0].weight], lr=0.01)
    train(theirs, [sparse, torch.optim.Adam(theirs[1].parameters(), lr=0.01)], steps=2)
    assert_same(mine, theirs)
    moved = (mine[0].weight != before).any(dim=1)
    seen = torch.cat(
        [torch.randint(0, 20, (12,), generator=torch.Generator().manual_seed(s)) for s in range(2)]
    ).unique()
    assert set(moved.nonzero()[:, 0].tolist()) == set(seen.tolist()) - {0}


def test_its_state_goes_through_a_checkpoint_exactly():
    mine, other = networks(2, sparse=True)
    optimizer = LazyAdam([{"params": list(mine.parameters())}], lr=0.01)
    train(mine, [optimizer], steps=3)
    other.load_state_dict(mine.state_dict())
    resumed = LazyAdam([{"params": list(other.parameters())}], lr=0.01)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(mine, [optimizer], steps=3)
    train(other, [resumed], steps=3)
    for one, second in zip(mine.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, second)


@pytest.mark.parametrize("max_norm", [0.1, 1e6])
@pytest.mark.parametrize("sparse", [False, True])
def test_clipping_is_torchs_whether_gradients_are_sparse_or_not(max_norm, sparse):
    mine, theirs = networks(2, sparse=False)
    mine[0].sparse = sparse
    tokens = torch.tensor([[1, 2, 2, 5]])
    for network in (mine, theirs):
        network(tokens).square().sum().backward()
    norm = clip_gradients(list(mine.parameters()), max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
    torch.testing.assert_close(norm, expected)
    divide_gradients(list(mine.parameters()), 4)
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad.to_dense(), other.grad / 4)


def test_without_gradients_nothing_is_clipped():
    assert float(clip_gradients([nn.Parameter(torch.zeros(3))], 1.0)) == 0
