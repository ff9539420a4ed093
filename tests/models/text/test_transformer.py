"""The encoder against torch's own layer, and the codes of places against their formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.text.transformer import TextTransformer, sinusoids

SIZE = {"num_classes": 3, "vocab_size": 40, "embedding_dim": 16, "dropout": 0.0, "max_length": 12}


@pytest.mark.parametrize(("num", "size"), [(1, 2), (7, 8), (5, 9)])
def test_places_have_the_codes_of_section_3_5(num: int, size: int) -> None:
    codes = sinusoids(num, size)
    assert codes.shape == (num, size)
    for place in range(num):
        for index in range(size):
            angle = place / 10_000 ** ((index - index % 2) / size)
            expected = math.cos(angle) if index % 2 else math.sin(angle)
            assert float(codes[place, index]) == pytest.approx(0.1 * expected, abs=1e-5)


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 4)])
def test_the_encoder_equals_torchs_own_with_its_norms_before(layers: int, heads: int) -> None:
    network = TextTransformer(**SIZE, layers=layers, heads=heads).eval()
    tokens, lengths = torch.randint(1, 40, (3, 9)), torch.tensor([9, 4, 1])
    is_padding = torch.arange(9) >= lengths[:, None]
    states = network.embedding(tokens) + network.places[:9]
    for layer in network.layers:
        peer = nn.TransformerEncoderLayer(
            16, heads, 64, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        attention, state = peer.self_attn, dict(layer.named_parameters())
        pairs = [
            (attention.in_proj_weight, "project.weight"), (attention.in_proj_bias, "project.bias"),
            (attention.out_proj.weight, "merge.weight"), (attention.out_proj.bias, "merge.bias"),
            (peer.linear1.weight, "widen.weight"), (peer.linear1.bias, "widen.bias"),
            (peer.linear2.weight, "narrow.weight"), (peer.linear2.bias, "narrow.bias"),
            (peer.norm1.weight, "norm1.weight"), (peer.norm2.bias, "norm2.bias"),
        ]  # fmt: skip
        for theirs, name in pairs:
            theirs.data.copy_(state[name].data)
        states = peer(states, src_key_padding_mask=is_padding)
    kept = network.norm(states).masked_fill(is_padding[:, :, None], 0.0).sum(1) / lengths[:, None]
    torch.testing.assert_close(network(tokens, lengths), network.head(kept), rtol=1e-4, atol=1e-5)


def test_without_places_the_order_of_words_would_not_count() -> None:
    network, lengths = TextTransformer(**SIZE).eval(), torch.tensor([5])
    tokens = torch.tensor([[3, 9, 27, 5, 8]])
    turned = tokens.flip(1)
    assert not torch.allclose(network(tokens, lengths), network(turned, lengths), atol=1e-6)
    network.places.zero_()
    torch.testing.assert_close(network(tokens, lengths), network(turned, lengths), rtol=1e-4, atol=1e-6)


def test_the_longest_text_runs_and_one_word_more_cannot() -> None:
    network = TextTransformer(**SIZE)
    assert network(torch.ones(1, 12, dtype=torch.int64), torch.tensor([12])).shape == (1, 3)
    with pytest.raises(RuntimeError):
        network(torch.ones(1, 13, dtype=torch.int64), torch.tensor([13]))


def test_the_codes_of_places_are_no_weights() -> None:
    network = TextTransformer(**SIZE)
    assert "places" not in network.state_dict()
    assert not network.places.requires_grad


def test_heads_that_do_not_divide_the_states_are_refused_with_the_option() -> None:
    with pytest.raises(UsageError, match=r"3 heads .* 16") as caught:
        TextTransformer(**SIZE, heads=3)
    assert "--embedding-dim" in str(caught.value.hint)


def test_the_inner_layer_is_four_times_the_states_unless_it_is_given() -> None:
    widths = [TextTransformer(**SIZE, hidden=hidden).layers[0].widen.out_features for hidden in (None, 7)]
    assert widths == [64, 7]
