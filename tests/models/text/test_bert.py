"""BERT: equal to transformers', by stored answers of a tiny one; its folder is read safely, and checked whole."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.text.tokenizing.wordpiece_files import read_pieces
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.optim.layers import stages_of
from dlcli.models.text.bert import Bert
from dlcli.models.text.bert_config import BertSizes, read_sizes
from dlcli.models.text.bert_weights import load_bert, read_tensors

TINY = Path(__file__).parent / "tiny_bert"
STORED = json.loads((TINY / "answers.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path):
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        shutil.copy(TINY / name, tmp_path / name)
    return tmp_path


def built(folder, **more):
    pieces = read_pieces(folder)
    sizes, frame = read_sizes(folder).to_json(), dict(zip(("first", "last"), pieces.frame, strict=True))
    options = {"num_classes": 3, "vocab_size": len(pieces.vocabulary), "max_length": 38, **sizes, **frame, **more}
    network = Bert(**options)
    notes = load_bert(network, folder, pieces.order)
    return network.eval(), pieces.vocabulary, notes


def change(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def save_pickle(folder, rename=lambda name: name, **more):
    tensors = {rename(name): value for name, value in read_tensors(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    torch.save(
        {name: value for name, value in {**tensors, **more}.items() if value is not None}, folder / "pytorch_model.bin"
    )


@torch.no_grad()
def assert_equal(network, vocabulary):
    network.head.load_state_dict({name: torch.tensor(value) for name, value in STORED["head"].items()})
    assert len(STORED["answers"]) == 14
    for expected in STORED["answers"].values():
        tokens = vocabulary.encode(expected["tokens"])[: 38 if expected["tokens"] else 0]
        given = torch.from_numpy(tokens)[None], torch.tensor([len(tokens)])
        states, pooled = network.encoder(*network.framed(*given))
        for found, name in ((states[0, -1], "last_state"), (pooled[0], "pooled"), (network(*given)[0], "logits")):
            torch.testing.assert_close(found, torch.tensor(expected[name]), rtol=1e-5, atol=1e-5)


def test_states_pooled_output_and_logits_are_those_of_transformers(folder):
    network, vocabulary, notes = built(folder)
    assert_equal(network, vocabulary)
    assert notes == []


def test_a_random_bert_of_transformers_is_equal_where_it_is_installed(folder):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    config = transformers.BertConfig.from_pretrained(folder, hidden_act="gelu_new", num_hidden_layers=3)
    reference = transformers.BertModel(config).eval()
    reference.save_pretrained(folder)
    network, vocabulary, _ = built(folder)
    tokens, lengths = torch.randint(5, len(vocabulary), (4, 9)), torch.tensor([9, 1, 4, 7])
    framed, mask = network.framed(tokens, lengths)
    ids = torch.tensor(read_pieces(folder).order)[framed]
    with torch.no_grad():
        expected = reference(ids, attention_mask=mask.long()).pooler_output
        torch.testing.assert_close(network.encoder(framed, mask)[1], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rename", [lambda name: name, lambda name: name.removeprefix("bert.")])
def test_a_pickle_of_tensors_is_read_alike_also_by_old_names_and_in_half_precision(folder, rename):
    def old(name):
        return rename(name).replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    more = {"cls.predictions.bias": torch.zeros(3), "bert.embeddings.position_ids": torch.arange(40)}
    save_pickle(folder, old, **more)
    network, vocabulary, _ = built(folder)
    assert_equal(network, vocabulary)
    half = {name: value.half() for name, value in torch.load(folder / "pytorch_model.bin").items()}
    torch.save(half, folder / "pytorch_model.bin")
    rounded = built(folder)[0]
    assert all(value.dtype == torch.float32 for value in rounded.state_dict().values())
    torch.testing.assert_close(rounded.embedding.weight, network.embedding.weight, rtol=1e-3, atol=1e-3)


def test_without_a_pooler_it_starts_from_random_weights_and_that_is_said(folder):
    save_pickle(folder, **{"bert.pooler.dense.weight": None, "bert.pooler.dense.bias": None})
    assert "no pooler" in built(folder)[2][0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bert.encoder.layer.1.output.dense.weight": None}, "missing: encoder.layer1.narrow.weight"),
        ({"bert.encoder.layer.2.output.dense.weight": torch.zeros(2)}, "encoder.layer2.narrow.weight"),
        ({"bert.encoder.adapter.weight": torch.zeros(2)}, "not known: bert.encoder.adapter.weight"),
        ({"bert.pooler.dense.bias": torch.zeros(9)}, "encoder.pooler.bias is 9, but config.json says 8"),
        ({"bert.pooler.dense.bias": torch.full((8,), float("nan"))}, "not all finite"),
        ({"bert.pooler.dense.bias": torch.zeros(8, dtype=torch.int64)}, "not all finite numbers"),
        ({"bert.embeddings.word_embeddings.weight": torch.zeros(7, 8)}, "7 words, but the vocabulary"),
    ],
)
def test_weights_that_do_not_fit_are_named(folder, changes, says):
    save_pickle(folder, **changes)
    with pytest.raises(RunError) as caught:
        built(folder)
    assert says in " ".join([caught.value.message, *caught.value.details])


class _Trap:
    def __reduce__(self):
        return (print, ("run",))


def test_a_pickle_with_code_is_refused(folder, capsys):
    save_pickle(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"bert.pooler.dense.bias": _Trap()}))
    with pytest.raises(RunError, match="refused"):
        built(folder)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("keep", [0, 9, 4000])
def test_damaged_weights_are_refused(folder, name, keep):
    if name == "pytorch_model.bin":
        save_pickle(folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged"):
        built(folder)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "roberta"}, "'roberta'"),
        ({"position_embedding_type": "relative_key"}, "relative"),
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": 10**9}, "hidden_size"),
        ({"hidden_size": True}, "hidden_size"),
        ({"num_attention_heads": 3}, "multiple"),
        ({"num_hidden_layers": 128, "hidden_size": 8192}, "parameters"),
        ({"hidden_dropout_prob": "x"}, "hidden_dropout_prob"),
        ({"layer_norm_eps": float("inf")}, "layer_norm_eps"),
        ({"hidden_act": "swish"}, "hidden_act"),
    ],
)
def test_a_config_that_is_no_berts_is_refused(folder, changes, says):
    change(folder, **changes)
    with pytest.raises(DataError, match=says):
        read_sizes(folder)


def test_the_sizes_of_a_run_are_checked_alike():
    sizes = read_sizes(TINY)
    assert BertSizes.from_json(json.loads(json.dumps(sizes.to_json()))) == sizes
    for value in (None, {}, {**sizes.to_json(), "layers": -1}, {**sizes.to_json(), "more": 1}):
        with pytest.raises(RunError):
            BertSizes.from_json(value)


def test_texts_longer_than_the_positions_are_refused_before_anything_is_built(folder):
    with pytest.raises(UsageError, match="40 positions") as caught:
        built(folder, max_length=39)
    assert "--max-length 38" in caught.value.hint


def test_each_layer_is_a_stage_to_freeze_or_to_learn_at_a_rate_of_its_own(folder):
    network, _, _ = built(folder)
    names = [stage.name for stage in stages_of(network)]
    assert names == [f"encoder.{name}" for name in ("embeddings", "layer0", "layer1", "pooler")] + ["head"]
    build_optimizer(network, TrainConfig(freeze="encoder.layer1", learning_rate=1e-3))
    frozen = {name.split(".")[1] for name, value in network.named_parameters() if not value.requires_grad}
    assert frozen == {"embeddings", "layer0"}
    rates = TrainConfig(learning_rate=(1e-5, 1e-4, 1e-3), optimizer="adamw")
    groups = build_optimizer(built(folder)[0], rates).param_groups
    assert sorted({group["lr"] for group in groups}) == [1e-5, 1e-4, 1e-3]


def test_rubbish_behind_the_end_is_not_seen_and_the_frame_is_set(folder):
    network, _, _ = built(folder)
    tokens, lengths = torch.tensor([[7, 8, 9], [7, 5, 6]]), torch.tensor([3, 1])
    framed, mask = network.framed(tokens, lengths)
    assert framed.tolist() == [[network.first, 7, 8, 9, network.last], [network.first, 7, network.last, 6, 0]]
    assert mask.sum(1).tolist() == [5, 3]
    assert isinstance(network.embedding, nn.Embedding) and network.embedding.padding_idx == 0
