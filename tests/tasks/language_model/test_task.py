"""The task: its loss by hand, what it measures, what it answers, and that it learns."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
import torch
from tasks.language_model.conftest import LETTERS, write_prepared

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.order import Shard
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate, validate
from dlcli.tasks.language_model.config import LanguageModelConfig, LanguageModelInference
from dlcli.tasks.language_model.task import LanguageModelTask

CPU = Device(torch.device("cpu"))
NETWORKS = ("feedforward", "rnn", "lstm", "transformer")


def train(task, num_epochs=6, rate=0.02):
    optimizer = torch.optim.Adam(task.model.parameters(), lr=rate)
    loader = task.loader("train", training=True)
    for epoch in range(num_epochs):
        for batch in loader.batches(epoch):
            [update] = task.training_step(batch)
            update.losses["cross_entropy"].backward()
            optimizer.step()
            optimizer.zero_grad()
    task.model.eval()


@pytest.mark.parametrize("model", NETWORKS)
def test_a_loss_is_a_mean_over_tokens_and_ends_and_weighs_by_them(make_task, model):
    task = make_task(model=model)
    batch = next(iter(task.loader("train", training=True).batches()))
    [update] = task.training_step(batch)
    total, count = 0.0, 0
    for tokens, length in zip(batch["tokens"], batch["lengths"].tolist(), strict=True):
        inputs = torch.cat([torch.zeros(1, dtype=torch.int64), tokens[:length]])
        targets = [*tokens[:length].tolist(), 0]
        probabilities = task.model.logits(inputs[None])[0].softmax(1)
        total -= sum(math.log(float(row[target])) for row, target in zip(probabilities.detach(), targets, strict=True))
        count += length + 1
    assert update.count == count
    assert update.losses["cross_entropy"].item() == pytest.approx(total / count, rel=1e-5)


def test_a_text_that_is_cut_has_no_end_to_predict(make_task):
    task = make_task(max_length=3)
    batch = next(iter(task.loader("train", training=True).batches()))
    is_cut = ~batch["ends"]
    assert is_cut.any()
    assert set(batch["lengths"][is_cut].tolist()) == {3}
    [update] = task.training_step(batch)
    assert update.count == int((batch["lengths"] + 1).sum() - is_cut.sum())
    assert "more than 3 tokens" in task.notes()[0]
    found = evaluate(task, task.loader("test"), CPU).report()
    assert found["num_cut"] == sum(int((~batch["ends"]).sum()) for batch in task.loader("test").batches())


@pytest.mark.parametrize("model", NETWORKS)
def test_it_learns_what_follows_what_and_validation_says_what_evaluation_says(make_task, model):
    task = make_task(model=model)
    train(task, rate=0.005 if model == "transformer" else 0.02)
    measured, validated = (each(task, task.loader("test"), CPU).compute() for each in (evaluate, validate))
    assert measured == pytest.approx(validated, rel=1e-5)
    assert measured["perplexity"] < 4  # guessing has 10
    shards = [evaluate(task, task.loader("test", shard=Shard(rank, 2)), CPU) for rank in (0, 1)]
    shards[0].merge(shards[1])
    assert shards[0].compute() == pytest.approx(measured, rel=1e-5)


def test_characters_are_those_of_the_texts_with_their_ends(make_task, form):
    task = make_task()
    task.model.eval()
    nats = -sum(float(task.infer(batch)["log_probs"].sum()) for batch in task.loader("test").batches())
    texts = form.texts("test", range(len(form.labels("test"))))
    found = evaluate(task, task.loader("test"), CPU).compute()
    assert found["bits_per_character"] == pytest.approx(nats / math.log(2) / sum(len(text) + 1 for text in texts))
    assert found["unknown_share"] > 0  # a vocabulary of eight with six letters


def test_samples_and_answers_follow_the_training(make_task):
    task = make_task(model="lstm")
    train(task, num_epochs=8)
    lines = task.samples().lines
    assert len(lines) == 5
    assert task.samples().lines == lines
    task.set_inference(LanguageModelInference(next=2, generate=4, temperature=0.0))
    place = {token: number for number, token in enumerate(task.vocabulary.tokens)}
    first, second = next(pair for pair in pairwise(LETTERS) if place.keys() >= set(pair))
    batch = {"tokens": torch.tensor([[place[first]]]), "lengths": torch.tensor([1])}
    found = task.infer(batch)
    assert found["next_ids"].shape == (1, 2)
    assert found["next_log_probs"][0, 0] >= found["next_log_probs"][0, 1]
    assert place[second] in found["next_ids"][0].tolist()
    assert found["generated"].shape[1] <= 4


def test_labels_are_ignored(make_task, tmp_path):
    root = write_prepared(tmp_path / "own", [f"a b {number}" for number in range(40)])
    card = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    plain = list(make_task(data=root).loader("test").batches())
    for split in ("train", "valid", "test"):
        path = root / f"{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        path.write_text("".join(json.dumps({**row, "label": "x"}) + "\n" for row in rows), encoding="utf-8")
    sizes = card.pop("items")
    card |= {"classes": ["x", "y"], "counts": {split: {"x": count, "y": 0} for split, count in sizes.items()}}
    (root / "dataset.json").write_text(json.dumps(card), encoding="utf-8")
    for first, second in zip(plain, make_task(data=root).loader("test").batches(), strict=True):
        assert torch.equal(first["tokens"], second["tokens"])
        assert first["texts"] == second["texts"]


def test_other_tokens_are_refused_and_another_vocabulary_is_translated(make_task, tmp_path):
    task = make_task()
    lines = [f"{letter} h g f" for letter in "abcdefgh"] * 3 + [f"zz {number}" for number in range(30)]
    other = write_prepared(tmp_path / "other", lines)
    assets = json.loads(json.dumps(task.assets()))
    again = LanguageModelTask.from_assets(LanguageModelConfig(), TrainConfig(), assets, other)
    own = dict(enumerate(task.vocabulary.tokens))
    for batch in again.loader("train").batches():
        for tokens, text in zip(batch["tokens"].tolist(), batch["texts"], strict=True):
            known = [own.get(number) for number in tokens if number]
            assert known == [word if word in own.values() else "<unk>" for word in text.split()]
    characters = write_prepared(tmp_path / "characters", lines, tokenizer="char")
    with pytest.raises(DataError, match="different tokenizer"):
        LanguageModelTask.from_assets(LanguageModelConfig(), TrainConfig(), assets, characters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lstmm"}, "no network 'lstmm'"),
        ({"model": "lstm", "heads": 2}, "--heads: lstm has no such option"),
        ({"model": "transformer", "order": 3}, "--order: transformer has no such option"),
        ({"model": "transformer", "heads": 3}, "multiple of 3"),
    ],
)
def test_options_that_do_not_fit_are_refused(make_task, options, message):
    with pytest.raises(UsageError) as caught:
        make_task(**options)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_folds_use_every_text_once(make_task):
    seen = []
    for fold in (1, 2, 3):
        task = make_task(train={"folds": "3", "fold": fold})
        seen += [text for batch in task.loader("test").batches() for text in batch["texts"]]
    task = make_task()
    loaders = [task.loader(split) for split in ("train", "valid", "test")]
    everything = [text for loader in loaders for batch in loader.batches() for text in batch["texts"]]
    assert sorted(seen) == sorted(everything)
