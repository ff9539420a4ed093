"""What padding is, and that it is in no mean and no maximum."""

from __future__ import annotations

import pytest
import torch

from dlcli.models.text.masking import EMBEDDING_STD, is_token, masked_max, masked_mean, new_embedding

LENGTHS = torch.tensor([3, 1, 5])
FEATURES = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0)) - 2  # mostly below the 0 of padding


def test_the_first_places_of_each_text_hold_its_tokens() -> None:
    mask = is_token(torch.zeros(3, 5, dtype=torch.int64), LENGTHS)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[place < length for place in range(5)] for length in LENGTHS.tolist()]


@pytest.mark.parametrize("padding", [0.0, 1e9, -1e9])
def test_mean_and_maximum_are_those_of_each_text_alone(padding: float) -> None:
    mask = is_token(FEATURES[..., 0], LENGTHS)
    features = FEATURES.masked_fill(~mask[:, :, None], padding)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(masked_mean(features, mask)[row], FEATURES[row, :length].mean(0))
        assert torch.equal(masked_max(features, mask)[row], FEATURES[row, :length].amax(0))


@pytest.mark.parametrize("sparse", [False, True])
def test_new_vectors_are_small_and_those_of_the_padding_zero(sparse: bool) -> None:
    embedding = new_embedding(4000, 8, sparse=sparse)
    assert embedding.sparse is sparse
    assert not embedding.weight[0].any()
    assert float(embedding.weight[1:].detach().std()) == pytest.approx(EMBEDDING_STD, rel=0.02)
    embedding(torch.tensor([[0, 3]])).sum().backward()
    gradient = embedding.weight.grad.to_dense()
    assert (gradient[0].any(), gradient[3].all(), gradient[4].any()) == (False, True, False)


def test_vectors_without_padding_have_no_row_of_zeros() -> None:
    assert new_embedding(5, 3, sparse=False, padding=None).weight.all(dim=1).all()
