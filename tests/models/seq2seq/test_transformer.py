from __future__ import annotations

import math

import pytest
import torch
from models.seq2seq.conftest import make
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.seq2seq.positions import LearnedPositions, Rotary, Sinusoids
from dlcli.models.seq2seq.transformer import TransformerTranslator


def copy_layer(theirs, mine):
    """Give a layer of torch the weights of one of ours."""
    state = {
        "self_attn.in_proj_weight": mine.own.project.weight,
        "self_attn.in_proj_bias": mine.own.project.bias,
        "self_attn.out_proj.weight": mine.own.merge.weight,
        "self_attn.out_proj.bias": mine.own.merge.bias,
        "linear1.weight": mine.inner.widen.weight,
        "linear1.bias": mine.inner.widen.bias,
        "linear2.weight": mine.inner.narrow.weight,
        "linear2.bias": mine.inner.narrow.bias,
    }
    theirs.load_state_dict(state, strict=False)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_transformer_of_torch_with_the_same_weights_gives_the_same_states(norm, pairs):
    source, lengths, target = pairs
    mine = make("transformer", norm=norm).eval()
    layers, width = 2, 16
    sizes = {"d_model": width, "nhead": 2, "dim_feedforward": 64, "dropout": 0.0, "batch_first": True}
    theirs = nn.Transformer(
        num_encoder_layers=layers, num_decoder_layers=layers, norm_first=norm == "pre", **sizes
    ).eval()
    if norm == "post":  # torch adds a norm above the last layer, which the paper does not have
        theirs.encoder.norm = theirs.decoder.norm = None
    keys_values = torch.split(mine.context.weight, 2 * width)
    with torch.no_grad():
        for ours, other in zip(mine.encoder, theirs.encoder.layers, strict=True):
            copy_layer(other, ours)
        for number, (ours, other) in enumerate(zip(mine.decoder, theirs.decoder.layers, strict=True)):
            copy_layer(other, ours)
            other.multihead_attn.in_proj_weight.copy_(torch.cat([ours.cross.query.weight, keys_values[number]]))
            other.multihead_attn.in_proj_bias.zero_()
            other.multihead_attn.out_proj.weight.copy_(ours.cross.merge.weight)
            other.multihead_attn.out_proj.bias.zero_()
        padding = torch.arange(7) >= lengths[:, None]
        vectors = [
            mine.places(table(tokens) * width**0.5, torch.arange(tokens.shape[1]))
            for table, tokens in ((mine.source_table, source), (mine.target_table, target))
        ]
        states = theirs(
            *vectors,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(6),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        logits = states @ mine.target_table.weight.T
        found = mine.decode(mine.encode(source, lengths), lengths, target)
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-5)


def test_parameters_are_counted_by_hand():
    network = TransformerTranslator(source_size=80, target_size=70, layers=6, width=64, heads=8)
    attention = 4 * (64 * 64 + 64)
    inner = 2 * 64 * 256 + 256 + 64
    norm = 2 * 64
    encoder = 6 * (attention + inner + 2 * norm) + norm
    decoder = 6 * (2 * attention + inner + 3 * norm) + norm
    tables = (80 + 70) * 64
    assert sum(parameter.numel() for parameter in network.parameters()) == encoder + decoder + tables


def test_one_vocabulary_has_one_table_and_an_untied_output_its_own():
    sizes = {"source_size": 20, "target_size": 20, "layers": 1, "width": 8, "heads": 2}

    def count(**more):
        return sum(parameter.numel() for parameter in TransformerTranslator(**sizes, **more).parameters())

    assert count() - count(is_joint=True) == 20 * 8
    assert count(tied=False) - count() == 20 * 8


def test_rotated_products_depend_on_the_distance_alone():
    rotary = Rotary(8)
    query, key = torch.randn(1, 8), torch.randn(1, 8)

    def product(first, second):
        return float(rotary(query, torch.tensor([first])) @ rotary(key, torch.tensor([second])).T)

    assert product(3, 7) == pytest.approx(product(40, 44), abs=1e-4)
    assert product(3, 7) != pytest.approx(product(3, 8), abs=1e-3)
    assert product(0, 0) == pytest.approx(float(query @ key.T), abs=1e-5)


def test_sinusoids_are_the_papers():
    places = torch.tensor([0, 9])
    codes = Sinusoids(8)(torch.zeros(2, 8), places)
    assert codes[0].tolist() == [0, 1] * 4
    for feature, function in ((4, math.sin), (5, math.cos)):
        assert float(codes[1, feature]) == pytest.approx(function(9 / 10_000 ** (4 / 8)), abs=1e-6)
    states = torch.randn(3, 2, 8)
    torch.testing.assert_close(Sinusoids(8)(states, places) - states, codes.expand(3, 2, 8))


def test_places_beyond_the_last_learned_one_share_its_code():
    codes = LearnedPositions(4, 8)(torch.zeros(3, 8), torch.tensor([2, 3, 90]))
    assert torch.equal(codes[1], codes[2])
    assert not torch.equal(codes[0], codes[1])


@pytest.mark.parametrize(("options", "fault"), [({"width": 10}, "states of 10"), ({"width": 6}, "even")])
def test_sizes_that_do_not_fit_are_refused(options, fault):
    with pytest.raises(UsageError, match=fault):
        make("transformer, rotary", heads=2 if fault == "even" else 4, **options)
