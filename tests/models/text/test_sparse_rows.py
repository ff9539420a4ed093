"""Which rows of its tables a batch names: a lazy optimizer steps them, so padding must name none."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.errors import DataError, UsageError
from dlcli.models.text.attention import LSTMAttention
from dlcli.models.text.bag import FastText
from dlcli.models.text.convolution import DPCNN, TextCNN
from dlcli.models.text.recurrent import TextRCNN, lstm
from dlcli.models.text.transformer import TextTransformer
from dlcli.models.text.vectors import read_vectors

LENGTHS = [6, 1, 2, 3, 9]
BUILDS = [lstm, LSTMAttention, TextCNN, TextRCNN, DPCNN, FastText, TextTransformer]


def named_rows(network: nn.Module, tokens: torch.Tensor, lengths: torch.Tensor) -> dict[str, set[int]]:
    network.zero_grad()
    network(tokens, lengths).square().sum().backward()
    sparse = {name: p.grad for name, p in network.named_parameters() if p.grad is not None and p.grad.is_sparse}
    return {name: set(gradient.coalesce().indices()[0].tolist()) for name, gradient in sparse.items()}


@pytest.mark.parametrize("build", BUILDS)
def test_a_batch_names_the_rows_that_its_texts_name_alone(build) -> None:
    torch.manual_seed(0)
    network = build(num_classes=2, vocab_size=40, embedding_dim=8, dropout=0.0, sparse=True)
    lengths = torch.tensor(LENGTHS)
    tokens = torch.randint(1, 40, (len(LENGTHS), 15)) * (torch.arange(15) < lengths[:, None])
    together = named_rows(network, tokens, lengths)
    alone = [named_rows(network, tokens[i : i + 1, :n], lengths[i : i + 1]) for i, n in enumerate(LENGTHS)]
    assert together == {name: set().union(*(rows[name] for rows in alone)) for name in together}
    assert together["embedding.weight"] == set(tokens[tokens > 0].tolist())


def test_a_group_of_words_is_told_from_its_reverse() -> None:
    network = FastText(num_classes=2, vocab_size=500, embedding_dim=4, sparse=True)
    pairs = [
        named_rows(network, torch.tensor([words]), torch.tensor([2]))["pairs.weight"]
        for words in ([7, 300], [300, 7], [7, 301])
    ]
    assert all(len(rows) == 1 for rows in pairs)
    assert len(set().union(*pairs)) == 3


def test_heads_that_do_not_share_the_states_evenly_are_a_mistake_of_usage() -> None:
    with pytest.raises(UsageError, match="4 heads"):
        TextTransformer(num_classes=2, vocab_size=10, embedding_dim=130)


def test_a_vector_for_padding_is_not_taken(tmp_path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("<pad> 1 1\n<unk> 2 2\n", encoding="utf-8")
    rows, values, _ = read_vectors(path, ["<pad>", "<unk>"])
    assert (rows.tolist(), values.tolist()) == ([1], [[2.0, 2.0]])


def test_a_damaged_gzip_file_is_refused(tmp_path) -> None:
    numbers = np.random.default_rng(0).random((2000, 20))
    text = "\n".join(f"w{row} " + " ".join(f"{value:.6f}" for value in values) for row, values in enumerate(numbers))
    data = bytearray(gzip.compress(text.encode()))
    data[3000:3050] = bytes(byte ^ 0x5A for byte in data[3000:3050])
    path = tmp_path / "vectors.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        read_vectors(path, ["<pad>", "w1"])
