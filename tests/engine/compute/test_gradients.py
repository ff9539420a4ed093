"""Gradients divided and clipped: dense ones as torch does it, sparse ones as if they were dense."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dlcli.engine.compute.gradients import add_l1_gradients, clip_gradients, divide_gradients, gradient_norm

WORDS = torch.tensor([1, 3, 3, 3])  # a row that a batch names three times


def with_gradients(*, sparse: bool) -> list[torch.Tensor]:
    """Return the parameters of an embedding and a layer, with the gradients of one batch; the bias has none."""
    torch.manual_seed(0)
    embedding, layer = nn.Embedding(6, 4, sparse=sparse), nn.Linear(4, 2)
    layer(embedding(WORDS)).square().sum().backward()
    layer.bias.grad = None
    return [embedding.weight, layer.weight, layer.bias]


def dense(parameters: list[torch.Tensor]) -> list[torch.Tensor | None]:
    return [None if p.grad is None else p.grad.to_dense() for p in parameters]


def assert_same(first: list[torch.Tensor], second: list[torch.Tensor]) -> None:
    for one, other in zip(dense(first), dense(second), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("sparse", [False, True])
def test_every_gradient_is_divided_and_a_missing_one_stays_missing(sparse):
    before, after = with_gradients(sparse=sparse), with_gradients(sparse=sparse)
    divide_gradients(after, 4.0)
    for one, other in zip(dense(before), dense(after), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert torch.equal(one / 4, other)
    assert after[0].grad.is_sparse == sparse


@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e6])
def test_dense_gradients_are_clipped_as_torch_clips_them(max_norm):
    ours, torchs = with_gradients(sparse=False), with_gradients(sparse=False)
    norm = clip_gradients(ours, max_norm)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(torchs, max_norm))
    assert_same(ours, torchs)


@pytest.mark.parametrize("max_norm", [1e-3, 1e6])
def test_a_row_that_is_named_three_times_counts_with_its_sum(max_norm):
    sparse, ordinary = with_gradients(sparse=True), with_gradients(sparse=False)
    torch.testing.assert_close(clip_gradients(sparse, max_norm), clip_gradients(ordinary, max_norm))
    assert_same(sparse, ordinary)


def test_gradients_below_the_norm_stay_as_they_are_to_the_bit():
    before = with_gradients(sparse=False)
    after = copy.deepcopy(before)
    for one, other in zip(before, after, strict=True):
        other.grad = None if one.grad is None else one.grad.clone()
    clip_gradients(after, 1e9)
    assert all(one.grad is None or torch.equal(one.grad, other.grad) for one, other in zip(before, after, strict=True))


def test_without_any_gradient_the_norm_is_zero():
    parameter = nn.Parameter(torch.ones(3))
    assert clip_gradients([parameter], 1.0) == 0
    divide_gradients([parameter], 2.0)
    assert parameter.grad is None


@pytest.mark.parametrize("sparse", [False, True])
def test_the_l1_gradient_is_that_of_the_penalty_on_matrices(sparse: bool) -> None:
    parameters, by_hand = with_gradients(sparse=sparse), with_gradients(sparse=False)
    add_l1_gradients(parameters, 0.3)
    (0.3 * sum(p.abs().sum() for p in by_hand if p.ndim >= 2 and p.grad is not None)).backward()
    assert_same(parameters, by_hand)


def test_the_norm_of_no_gradient_is_zero_and_else_torchs() -> None:
    parameters = with_gradients(sparse=False)
    assert gradient_norm(parameters) == torch.nn.utils.get_total_norm(
        [p.grad for p in parameters if p.grad is not None]
    )
    assert gradient_norm([torch.zeros(3, requires_grad=True)]) == 0


def test_the_norm_sums_a_row_that_is_named_three_times_and_leaves_the_gradients_as_they_are() -> None:
    sparse = with_gradients(sparse=True)
    torch.testing.assert_close(gradient_norm(sparse), gradient_norm(with_gradients(sparse=False)))
    assert sparse[0].grad is not None
    assert sparse[0].grad._nnz() == len(WORDS)
