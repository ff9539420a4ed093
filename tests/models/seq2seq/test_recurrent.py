from __future__ import annotations

import numpy as np
import pytest
import torch
from models.seq2seq.conftest import make

from dlcli.core.errors import UsageError
from dlcli.models.seq2seq.attention import Bahdanau, Luong


def test_scores_are_those_of_the_papers():
    torch.manual_seed(0)
    layer, mask = Bahdanau(3), torch.tensor([[True, True, False]])
    queries, keys = torch.randn(1, 1, 3), torch.randn(1, 3, 3)
    query, energy = layer.query.weight.detach(), layer.energy.weight[0].detach()
    energies = [float(energy @ torch.tanh(query @ queries[0, 0] + key)) for key in keys[0]]
    expected = np.exp(energies[:2]) / np.exp(energies[:2]).sum()
    np.testing.assert_allclose(layer(queries, keys, mask)[0, 0].detach(), [*expected, 0], rtol=1e-5)
    energies = [float(queries[0, 0] @ key) for key in keys[0]]
    expected = np.exp(energies[:2]) / np.exp(energies[:2]).sum()
    np.testing.assert_allclose(Luong()(queries, keys, mask)[0, 0], [*expected, 0], rtol=1e-5)


def test_luong_at_once_equals_luong_by_steps(pairs):
    source, lengths, target = pairs
    network = make("luong")
    memory = network.encode(source, lengths)
    together = network._decoded_at_once(memory, lengths, target)
    apart = network._decoded_by_steps(memory, lengths, target, is_free=False)
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["gru", "luong", "no attention"])
def test_without_teacher_forcing_a_training_reads_its_own_words(pairs, name):
    source, lengths, target = pairs
    network = make(name, teacher_forcing=0.0)
    memory = network.encode(source, lengths)
    logits = network.decode(memory, lengths, target)
    own = torch.cat([target[:, :1], logits.argmax(2)[:, :-1]], dim=1)
    torch.testing.assert_close(network.eval().decode(memory, lengths, own), logits, rtol=1e-5, atol=1e-5)
    assert not torch.equal(own, target)


def test_a_share_of_the_words_is_forced(pairs):
    source, lengths, target = pairs
    network = make("gru", teacher_forcing=0.5)
    memory = network.encode(source, lengths)
    logits = torch.stack([network.decode(memory, lengths, target) for _ in range(4)])
    assert (logits[:, :, 0] == logits[0, :, 0]).all()  # the start token is given
    assert (logits[:, :, 1:] != logits[0, :, 1:]).any()


def test_input_feeding_needs_luong():
    with pytest.raises(UsageError, match="input-feeding"):
        make("gru", input_feeding=True)


def test_no_attention_has_no_weights_to_show(pairs):
    network = make("no attention")
    with pytest.raises(UsageError, match="without attention"):
        network.attention(network.encode(*pairs[:2]), pairs[1], pairs[2])


def test_parameters_are_counted_by_hand():
    def count(name, **more):
        return sum(parameter.numel() for parameter in make(name, source_size=30, target_size=23, **more).parameters())

    width = 16

    def gru(inputs):
        return 3 * width * (inputs + width + 2)

    encoder = (30 + 23) * width + 2 * gru(width) + (2 * width + 1) * width
    assert count("no attention") == encoder + gru(3 * width) + (4 * width + 1) * width
    bahdanau = 2 * width * width + width * width + width
    assert count("gru") == encoder + bahdanau + gru(3 * width) + (4 * width + 1) * width
    assert count("gru", tied=False) == count("gru") + 23 * width
