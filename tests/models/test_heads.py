from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from dlcli.models.heads import WithEmbedding, embedding_of, head_of, item_vectors, watching
from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.normalised import Normalised


def test_head_is_found_inside_a_wrapper() -> None:
    network = SmallCNN(num_classes=3, width=4)
    assert head_of(Normalised(network, [0.5], [0.5])) is network.head


def test_network_without_head_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer named"):
        head_of(nn.Sequential(nn.Linear(3, 3)))


def test_watching_sees_each_call_until_an_error_ends_it() -> None:
    layer = nn.Linear(2, 1)
    with pytest.raises(KeyError), watching(layer) as seen:
        layer(torch.ones(3, 2))
        layer(torch.zeros(1, 2))
        raise KeyError
    layer(torch.ones(3, 2))
    assert [inputs.tolist() for inputs in seen] == [[[1, 1]] * 3, [[0, 0]]]


def test_places_are_averaged_and_members_joined() -> None:
    maps = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]], [[0.0, 0.0], [2.0, 2.0]]]])
    assert item_vectors(maps).tolist() == [[4, 1]]
    members = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]], [[0.0, 9.0], [9.0, 0.0]]])
    assert item_vectors(members).tolist() == [[1, 2, 5, 6, 0, 9], [3, 4, 7, 8, 9, 0]]


def test_embedding_has_length_one_in_any_number_format_and_zero_remains_zero() -> None:
    found = embedding_of([torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-3, 0.0]], dtype=torch.bfloat16)])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]]))


def test_embedding_over_several_passes_is_that_of_their_mean() -> None:
    found = embedding_of([torch.tensor([[6.0, 0.0]]), torch.tensor([[0.0, 8.0]])])
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8]]))


class TwoAnswers(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(images)
        return logits, logits.argmax(1)


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_the_embedding_comes_after_the_outputs_also_in_a_copy(is_wrapped: bool) -> None:
    network = SmallCNN(num_classes=3, width=4).eval()
    images = torch.randn(5, 1, 12, 12)
    outer = WithEmbedding(TwoAnswers(network) if is_wrapped else network, head_of(network))
    with torch.no_grad():
        *outputs, embedding = outer(images)
        twin = copy.deepcopy(outer)
        network.head.weight.zero_()  # of the original alone
        assert torch.equal(twin(images)[0], outputs[0])
        assert torch.equal(twin(images)[-1], embedding)
    assert len(outputs) == (2 if is_wrapped else 1)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))


def test_a_head_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="does not contain the head"):
        WithEmbedding(SmallCNN(num_classes=3, width=4), nn.Linear(2, 2))
