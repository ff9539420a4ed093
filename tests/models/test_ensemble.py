"""An ensemble answers with the mean of its members' probabilities, brought back to logits."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dlcli.models.ensemble import Ensemble, first_equal, mean_of_classes, mean_of_labels, members_of
from dlcli.models.heads import WithEmbedding, head_of, heads_of, item_vectors, watching
from dlcli.models.images.lenet import SmallCNN


def networks(count: int = 3) -> list[nn.Module]:
    torch.manual_seed(0)
    return [SmallCNN(num_classes=4, width=4).eval() for _ in range(count)]


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 2, 4, 6, 7)], ids=["items", "pixels"])
def test_probabilities_of_classes_are_the_mean_of_the_members(shape: tuple[int, ...]) -> None:
    logits = 5 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = mean_of_classes(logits)
    torch.testing.assert_close(found.softmax(1), logits.softmax(2).mean(0))
    torch.testing.assert_close(found.exp().sum(1), torch.ones_like(found[:, 0]))


def test_probabilities_of_labels_are_the_mean_of_the_members_and_opposite_ones_cancel() -> None:
    logits = 5 * torch.randn((3, 5, 4), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(mean_of_labels(logits).sigmoid(), logits.sigmoid().mean(0))
    assert mean_of_labels(torch.tensor([[[2.0]], [[-2.0]]])).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("combine", [mean_of_classes, mean_of_labels])
def test_sure_members_of_any_number_format_give_finite_logits_and_gradients(combine) -> None:
    logits = torch.tensor([[[3e4, -3e4]], [[3e4, -3e4]]], dtype=torch.bfloat16, requires_grad=True)
    found = combine(logits)
    assert found.dtype == torch.float32 and bool(found.isfinite().all())
    found.sum().backward()
    assert logits.grad is not None and bool(logits.grad.isfinite().all())


@pytest.mark.parametrize("combine", [mean_of_classes, mean_of_labels])
def test_an_ensemble_of_equal_members_answers_as_one_of_them(combine) -> None:
    [network] = networks(1)
    images = torch.randn(5, 1, 12, 12)
    ensemble = Ensemble([network, copy.deepcopy(network)], combine)
    with torch.no_grad():
        expected = network(images) if combine is mean_of_labels else network(images).log_softmax(1)
        torch.testing.assert_close(ensemble(images), expected)
        assert ensemble.members(images).shape == (2, 5, 4)


def test_members_with_equal_weights_are_found() -> None:
    several = networks()
    assert first_equal(several) is None
    assert first_equal([*several, copy.deepcopy(several[1])]) == (1, 3)


def test_any_other_model_is_its_only_member() -> None:
    several = networks()
    assert members_of(Ensemble(several)) == several
    assert members_of(several[0]) == [several[0]]


def test_the_embedding_joins_what_the_heads_of_all_members_see_also_in_a_copy() -> None:
    several = networks()
    ensemble, images = Ensemble(several), torch.randn(5, 1, 12, 12)
    each = []
    with torch.no_grad():
        for network in several:
            with watching(head_of(network)) as seen:
                network(images)
            each.append(seen[0])
        with watching(heads_of(ensemble)) as seen:
            ensemble(images), ensemble(images[:2])
        assert [tuple(one.shape) for one in seen] == [(3, 5, each[0].shape[1]), (3, 2, each[0].shape[1])]
        joined = torch.cat(each, 1)
        assert torch.equal(item_vectors(seen[0]), joined)
        exported = copy.deepcopy(WithEmbedding(ensemble, heads_of(ensemble)))
        several[0].head.weight.zero_()  # type: ignore[union-attr, operator]
        logits, embedding = exported(images)
    torch.testing.assert_close(embedding, joined / joined.norm(dim=1, keepdim=True))
    assert logits.shape == (5, 4)
