"""The task over small pairs: it learns them, validates cheaply, searches, exports, and refuses what does not fit."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from tasks.translation.conftest import TOKENIZERS, made_pairs, write_prepared

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.codec import pad_sequences
from dlcli.data.parts import ALL
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import draw_samples, evaluate, validate
from dlcli.engine.tuning.auto import MIN_STEPS, tune
from dlcli.export.exporting import export_model
from dlcli.export.folder import open_graphs
from dlcli.models.ensemble import members_of
from dlcli.tasks.translation.codec import TranslationCodec
from dlcli.tasks.translation.config import TranslationConfig, TranslationInference
from dlcli.tasks.translation.networks import NETWORKS, build_network
from dlcli.tasks.translation.search import search
from dlcli.tasks.translation.task import TranslationTask

CPU = Device(torch.device("cpu"))


def train(task, epochs):
    [optimizer] = task.optimizers().values()
    task.model.train()
    for epoch in range(epochs):
        for batch in task.loader("train", training=True).batches(epoch):
            [update] = task.training_step(batch)
            optimizer.zero_grad()
            sum(update.losses.values()).backward()
            optimizer.step()


@pytest.mark.parametrize("options", [{"model": "seq2seq", "attention": "luong"}, {"model": "transformer"}])
def test_it_learns_to_translate(make_task, options):
    task = make_task(**options, width=32, train={"learning_rate": 0.01, "batch_size": 300})
    before = validate(task, task.loader("valid"), CPU).compute()
    untrained = evaluate(task, task.loader("test"), CPU).compute()["chrf"]
    assert before["perplexity"] == pytest.approx(math.exp(before["loss"]))
    train(task, 40 if options["model"] == "transformer" else 20)
    after = evaluate(task, task.loader("test"), CPU).compute()
    assert set(before) == {"loss", "perplexity"}  # validation searches nothing
    assert after["perplexity"] < 0.7 * before["perplexity"]
    assert {"loss", "perplexity", "bleu_13a", "chrf"} <= set(after)
    assert after["chrf"] > untrained + 10


def test_samples_are_translations_beside_what_is_right(make_task):
    samples = draw_samples(make_task(), CPU)
    assert len(samples.lines) == 5
    pairs = dict(made_pairs(12, 1))
    for line in samples.lines:
        source, rest = line.split(" → ")
        assert rest.endswith(f"({pairs[source]})")


def test_a_batch_of_evaluation_holds_the_sentences_and_all_pairs_once(make_task):
    loader = make_task().loader("test")
    seen = [
        pair for batch in loader.batches() for pair in zip(batch["source_texts"], batch["target_texts"], strict=True)
    ]
    assert sorted(seen) == sorted(made_pairs(15, 2))


def test_folds_never_part_pairs_that_share_a_sentence(tmp_path, make_task):
    pairs = [("天", "w1"), ("天", "w2"), ("地", "w2"), ("人", "w3"), ("你", "w4"), ("我", "w5")]
    task = make_task(data=write_prepared(tmp_path / "few", {"train": pairs}), train={"folds": "3", "fold": 1})
    source = task._source
    groups = source._groups(ALL)
    assert len(set(groups[:3].tolist())) == 1
    assert len(set(groups.tolist())) == 4
    parts = [source.rows(split)[1].tolist() for split in ("train", "valid", "test")]
    assert sorted(row for rows in parts for row in rows) == list(range(6))
    for rows in parts:
        assert set(rows) >= {0, 1, 2} or not set(rows) & {0, 1, 2}
    assert source.sentences_of(ALL, [5, 0]) == [pairs[5], pairs[0]]


def test_long_training_sentences_are_cut_and_counted(make_task):
    task = make_task(max_length=3)
    longer = sum(len(source) > 3 for source, _ in made_pairs(90, 0))
    [note] = task.notes()
    assert note.startswith(f"{longer} training pairs have more than 3 tokens")
    assert max(int(batch["source_lengths"].max()) for batch in task.loader("train").batches()) == 3
    assert make_task().notes() == ()


def test_bf16_answers_nearly_as_fp32(make_task):
    task = make_task()
    batch = next(iter(task.loader("test").batches()))
    task.model.eval()
    with torch.inference_mode():
        exact = task.infer(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = task.infer(batch)
            losses = task.validate(batch)["losses"]
    assert losses.dtype == torch.float32
    torch.testing.assert_close(rough["scores"], exact["scores"], rtol=0.1, atol=0.1)


def test_assets_make_the_task_again_and_fit_its_data(make_task, pairs_folder):
    task = make_task()
    assets = json.loads(json.dumps(task.assets()))
    config = TranslationConfig(width=16, layers=1)
    again = TranslationTask.from_assets(config, TrainConfig(), assets, pairs_folder)
    assert again.tokenizers == tuple(TOKENIZERS.values())
    again.model.load_state_dict(task.model.state_dict())
    with pytest.raises(RunError, match="tokenizers"):
        TranslationTask.from_assets(config, TrainConfig(), {**assets, "tokenizers": {}}, None)
    with pytest.raises(RunError, match="preprocessing"):
        TranslationTask.from_assets(config, TrainConfig(), {**assets, "preprocess": {"max_length": 0}}, None)
    assets["tokenizers"]["target"]["tokens"].append("more")
    with pytest.raises(DataError, match="target sentences are tokenized differently"):
        TranslationTask.from_assets(config, TrainConfig(), assets, pairs_folder)


@pytest.mark.parametrize("ensemble", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_exported_folder_gives_the_same_200_sentences(make_task, tmp_path, ensemble):
    task = make_task(ensemble=ensemble)
    plan = task.export_plan()
    plan = dataclasses.replace(plan, metadata={**plan.metadata, "task": "translation"})
    export_model(plan, "onnx", tmp_path / "model", report=lambda line: None)
    exported = open_graphs(tmp_path / "model", threads=1)
    graphs = {name: graph.run for name, graph in exported.graphs.items()}
    codec = TranslationCodec(exported.metadata["assets"])
    items = [codec.encode(source) for source in codec.expand(source for source, _ in made_pairs(200, 7))]
    [(_, arrays)] = pad_sequences(items)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    task.model.eval()
    for inference in (TranslationInference(), TranslationInference(beam=1), TranslationInference(nbest=3, no_repeat=2)):
        task.set_inference(inference)
        found, expected = search(graphs, arrays, inference), task.infer(batch)
        assert (found["sentences"] == expected["sentences"].numpy()).all()
        np.testing.assert_allclose(found["scores"], expected["scores"].numpy(), rtol=1e-4, atol=1e-4)
    assert set(exported.metadata["assets"]) == {"tokenizers", "preprocess"}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_without_data_can_be_looked_at(name):
    task = TranslationTask.from_network(name, {})
    assert {graph.name for graph in task.export_plan().graphs} == {"encoder", "step"}
    assert task.card is None
    assert task.samples() is None
    with pytest.raises(UsageError, match="no such size"):
        TranslationTask.from_network(name, {"image_size": 3})
    with pytest.raises(UsageError, match="pretrained"):
        TranslationTask.from_network(name, {}, "default")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"model": "transformr"}, "no network 'transformr'"),
        ({"heads": 8, "model": "seq2seq"}, "--heads: seq2seq has no such option"),
        ({"attention": "luong"}, "--attention: transformer has no such option"),
        ({"input_feeding": True}, "--input-feeding: transformer has no such option"),
        ({"heads": 5}, "5 heads"),
    ],
)
def test_options_that_a_network_does_not_have_are_refused(options, fault):
    with pytest.raises(UsageError, match=fault):
        build_network(TranslationConfig(**options), 20, 20, is_joint=False)


def test_options_reach_the_network():
    config = TranslationConfig(
        model="seq2seq", cell="lstm", layers=2, attention="none", teacher_forcing=0.5, tied=False
    )
    network = build_network(config, 20, 21, is_joint=False)
    assert isinstance(network.decoder, torch.nn.LSTM)
    assert (network.num_layers, network.teacher_forcing, network.head.out_features) == (2, 0.5, 21)
    network = build_network(TranslationConfig(layers=6, width=64, heads=8, norm="post"), 20, 20, is_joint=True)
    assert (len(network.encoder), len(network.decoder), network.target_table) == (6, 6, None)


def test_an_automatic_batch_size_counts_tokens_of_both_sides(make_task):
    source = make_task().loader("train", training=True)
    pairs = made_pairs(90, 0)
    assert source.epoch_size == sum(len(one) + len(other.split()) + 2 for one, other in pairs)
    ticks = iter(range(10_000))
    found = tune(
        TrainConfig(),
        frozenset({"batch_size"}),
        lambda train: make_task(train={"batch_size": train.batch_size}),
        CPU,
        lambda: float(next(ticks)),
    )
    assert found.config.batch_size == source.epoch_size // MIN_STEPS
    chosen = make_task(train={"batch_size": found.config.batch_size})
    assert len(chosen.loader("train", training=True)) == MIN_STEPS


def test_members_of_an_ensemble_learn_apart_and_say_each_token_together(make_task):
    together = make_task(ensemble=2)
    alone = [make_task() for _ in members_of(together.model)]
    for task, member in zip(alone, members_of(together.model), strict=True):
        task.model.load_state_dict(member.state_dict())
        train(task, 2)
    optimizers = together.optimizers()
    together.model.train()
    for epoch in range(2):
        for batch in together.loader("train", training=True).batches(epoch):
            for update in together.training_step(batch):
                optimizers[update.optimizer].zero_grad()
                sum(update.losses.values()).backward()
                optimizers[update.optimizer].step()
    for task, member in zip(alone, members_of(together.model), strict=True):
        for name, value in task.model.state_dict().items():
            torch.testing.assert_close(member.state_dict()[name], value, rtol=1e-6, atol=1e-6)
    found = evaluate(together, together.loader("test"), CPU).compute()
    assert found["loss"] < np.mean([evaluate(task, task.loader("test"), CPU).compute()["loss"] for task in alone])
