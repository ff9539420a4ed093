"""Every network of texts: padding changes no answer, gradients reach every part, the exported graph is the network."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from dlcli.core.registry import load_object
from dlcli.export.exporting import export_model
from dlcli.export.plan import single_graph
from dlcli.models.text.ngrams import TfIdf
from dlcli.models.text.recurrent import Recurrent
from dlcli.tasks.sentiment.networks import NETWORKS, READS_CHARACTERS

SIZE = {"num_classes": 3, "vocab_size": 60, "embedding_dim": 16}
LENGTHS = torch.tensor([9, 1, 4, 2, 7, 3])
INPUTS = ("tokens", "lengths", "characters", "character_lengths")


def build(name, **more):
    torch.manual_seed(0)
    make = load_object(NETWORKS[name].build)
    known = inspect.signature(make).parameters
    network = make(**{option: value for option, value in {**SIZE, **more}.items() if option in known})
    for table in (each for each in network.modules() if isinstance(each, TfIdf)):
        table.inverse_frequencies[1:].uniform_(1, 3)
    for parameter in network.parameters():  # those that start at zero hide what does not reach them
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    for table in (each for each in network.modules() if isinstance(each, torch.nn.Embedding)):
        table.weight.data[0] = 0.0 if table.padding_idx == 0 else table.weight.data[0]
    return network


def given(name, tokens, lengths):
    """Return the inputs of a network: to one that reads characters, each token is two of them."""
    if name not in READS_CHARACTERS:
        return tokens, lengths
    return tokens, lengths, torch.stack([tokens + 100, tokens + 200], dim=2).flatten(1), 2 * lengths


def named(inputs):
    return {key: each.numpy() for key, each in zip(INPUTS, inputs, strict=False)}


def texts(lengths=LENGTHS, width=9, seed=1):
    tokens = torch.randint(1, 60, (len(lengths), width), generator=torch.Generator().manual_seed(seed))
    return tokens * (torch.arange(width) < lengths[:, None])


CASES = [(name, {}) for name in NETWORKS] + [
    (name, {"bidirectional": True, "layers": 2}) for name in ("rnn", "gru", "lstm")
]


@pytest.mark.parametrize(("name", "more"), CASES)
@pytest.mark.parametrize("is_training", [False, True])
def test_padding_changes_no_answer(name, more, is_training):
    network = build(name, dropout=0.0, **more).train(is_training)
    tokens = texts()
    with torch.no_grad():
        together = network(*given(name, tokens, LENGTHS))
        wide = torch.nn.functional.pad(tokens, (0, 50))
        rubbish = torch.where(torch.arange(59) < LENGTHS[:, None], wide, 7)
        for padded in (wide, rubbish):
            torch.testing.assert_close(network(*given(name, padded, LENGTHS)), together, rtol=1e-5, atol=1e-5)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = network(*given(name, tokens[row : row + 1, :length], LENGTHS[row : row + 1]))
            torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "more"), CASES)
def test_every_word_of_a_text_counts(name, more):
    network = build(name, dropout=0.0, **more).eval()
    tokens, lengths = texts(torch.tensor([4])), torch.tensor([4])
    with torch.no_grad():
        before = network(*given(name, tokens, lengths))
        for place in range(4):
            other = tokens.clone()
            other[0, place] = tokens[0, place] % 59 + 1
            assert not torch.allclose(network(*given(name, other, lengths)), before, atol=1e-7)


@pytest.mark.parametrize(("name", "more"), CASES)
@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_reach_every_parameter_and_none_the_padding(name, more, sparse):
    network = build(name, dropout=0.0, sparse=sparse, **more)
    network(*given(name, texts(), LENGTHS)).logsumexp(1).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        is_table = parameter_name.split(".")[-2:-1] in (["embedding"], ["pairs"], ["triples"], ["table"], ["words"])
        assert parameter.grad.is_sparse == (sparse and is_table)
        assert bool(torch.any(parameter.grad.to_dense() != 0)), parameter_name
    for table in (each for each in network.modules() if isinstance(each, torch.nn.Embedding)):
        if table.padding_idx == 0:
            assert not torch.any(table.weight.grad.to_dense()[0])
            assert not torch.any(table.weight[0])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), CASES)
@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_the_exported_graph_answers_as_the_network_at_other_sizes(name, more, format, tmp_path):
    network = build(name, **more).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # so that texts are told apart
    two = torch.tensor([11, 6])
    samples = []
    for count, width in ((1, 1), (3, 9), (7, 30)):
        lengths = torch.randint(1, width + 1, (count,), generator=torch.Generator().manual_seed(width))
        lengths[0] = width
        samples.append(named(given(name, texts(lengths, width), lengths)))
    plan = single_graph(
        network,
        inputs=tuple(samples[0]),
        outputs=("logits",),
        example={key: torch.from_numpy(each) for key, each in named(given(name, texts(two, 11), two)).items()},
        dynamic={key: {0: "batch", 1: key} if each.ndim == 2 else {0: "batch"} for key, each in samples[0].items()},
        metadata={"task": "sentiment", "assets": {}},
        samples=samples,
    )
    suffix = {"onnx": ".onnx", "torchscript": ".torchscript"}[format]
    result = export_model(plan, format, tmp_path / f"model{suffix}", report=lambda line: None)
    assert result.max_difference < 1e-4
    assert result.is_telling


def test_backwards_a_layer_reads_each_text_reversed_within_its_length():
    torch.manual_seed(0)
    layers = Recurrent("lstm", 5, 4, layers=1, bidirectional=True, dropout=0.0)
    reference = torch.nn.LSTM(5, 4, batch_first=True, bidirectional=True)
    for (_, mine), (_, theirs) in zip(layers.named_parameters(), reference.named_parameters(), strict=True):
        theirs.data.copy_(mine.data)
    features = torch.randn(6, 9, 5)
    packed = torch.nn.utils.rnn.pack_padded_sequence(features, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, (last, _) = reference(packed)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    states, end = layers(features, LENGTHS)
    mask = (torch.arange(9) < LENGTHS[:, None])[:, :, None]
    torch.testing.assert_close(states * mask, expected * mask)
    torch.testing.assert_close(end, torch.cat([last[0], last[1]], dim=1))


def test_attention_sums_to_one_over_the_words_alone():
    weights = build("lstm-attention").eval().attention(texts(), LENGTHS)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(LENGTHS)))
    assert np.all((weights.detach().numpy() > 0) == (np.arange(9) < LENGTHS.numpy()[:, None]))


def test_every_network_names_its_options():
    for spec in NETWORKS.values():
        names = inspect.signature(load_object(spec.build)).parameters
        assert {"num_classes", "vocab_size", "dropout", "sparse"} <= set(names)
