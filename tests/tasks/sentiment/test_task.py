"""Text classification: what is learned, refused, weighed and reported."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.models.ensemble import members_of
from dlcli.models.heads import item_vectors, watching
from dlcli.tasks.classes.training import class_weights_of
from dlcli.tasks.sentiment.building import coverage_notes
from dlcli.tasks.sentiment.config import SentimentConfig
from dlcli.tasks.sentiment.networks import NETWORKS
from dlcli.tasks.sentiment.task import SentimentTask

from .conftest import MARKS, write_rows

CPU = Device(torch.device("cpu"))
TRAIN, TEST = write_rows({"negative": 24, "positive": 24}), write_rows({"negative": 13, "positive": 9}, seed=1)


@pytest.fixture
def data(make_texts):
    return make_texts({"train": TRAIN, "test": TEST})


def fit(task, **options):
    config = TrainConfig(batch_size=8, learning_rate=0.02, **options)
    loader = task.loader("train", training=True)
    train(start_state(task, loader, config, CPU), loader, None, config, [])
    return task


def test_texts_that_a_word_tells_apart_are_learned(data, open_texts_task):
    task = fit(open_texts_task(data, model="textcnn", hidden=None), epochs=6)
    assert evaluate(task, task.loader("test"), CPU).compute()["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("train_rows", "classes", "message"),
    [
        ([row for row in TRAIN if row[1] == "positive"], ("positive",), "1 class; a classifier needs two or more"),
        ([row for row in TRAIN if row[1] == "positive"], tuple(MARKS), "no text of the class 'negative' to train on"),
    ],
)
def test_texts_of_one_class_are_refused(make_texts, open_texts_task, train_rows, classes, message):
    data = make_texts({"train": train_rows}, classes=classes)
    with pytest.raises(DataError, match=message):
        open_texts_task(data)


def test_rare_classes_weigh_more_and_the_mean_over_texts_is_one(make_texts, open_texts_task):
    data = make_texts({"train": write_rows({"negative": 30, "positive": 10})})
    task = open_texts_task(data, class_weights="balanced", train={"val_fraction": 0.0})
    torch.testing.assert_close(class_weights_of(task.model), torch.tensor([40 / 60, 40 / 20]))
    assert not any("class_weights" in name for name in task.model.state_dict())
    assert class_weights_of(open_texts_task(data).model) is None


def test_rare_classes_are_drawn_as_often_as_others(make_texts, open_texts_task):
    data = make_texts({"train": write_rows({"negative": 30, "positive": 10})})
    task = open_texts_task(data, class_weights="sample", loss="focal", train={"val_fraction": 0.0})
    batches = list(task.loader("train", training=True).batches(2))
    assert torch.cat([batch["labels"] for batch in batches]).bincount().tolist() == [20, 20]
    assert set(next(task.training_step(batches[0])).losses) == {"focal"}
    assert len(torch.cat([batch["rows"] for batch in task.loader("train").batches()]).unique()) == 40


def test_weights_change_the_loss_as_they_say(make_texts, open_texts_task):
    data = make_texts({"train": write_rows({"negative": 30, "positive": 10})})
    plain, weighted = (
        open_texts_task(data, class_weights=weights, train={"val_fraction": 0.0}) for weights in ("none", "balanced")
    )
    for task in (plain, weighted):
        task.model.eval()  # without dropout, which draws anew for each
    batch = next(iter(plain.loader("train").batches()))
    single = {name: value[:1] for name, value in batch.items()}
    losses = [float(next(task.training_step(single)).losses["cross_entropy"].detach()) for task in (plain, weighted)]
    weight = class_weights_of(weighted.model)[single["labels"]]
    assert losses[1] == pytest.approx(losses[0] * float(weight))


@pytest.mark.parametrize("model", NETWORKS)
def test_a_text_alone_is_answered_as_in_its_batch(data, open_texts_task, model):
    own = {"pretrained": "none"} if model == "bert" else {}
    task = open_texts_task(data, model=model, embedding_dim=None, hidden=None, **own)
    task.model.eval()
    [batch] = task.loader("test").batches()
    assert len(set(batch["lengths"].tolist())) > 1
    with torch.inference_mode():
        together = task.infer(batch)["logits"]
        for index in range(0, len(together), 5):
            length = int(batch["lengths"][index])
            alone = {name: batch[name][index : index + 1] for name in task.inputs}
            alone["tokens"] = alone["tokens"][:, :length]
            if "characters" in alone:
                alone["characters"] = alone["characters"][:, : int(batch["character_lengths"][index])]
            torch.testing.assert_close(task.infer(alone)["logits"][0], together[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_the_tables_hold_the_texts_of_the_worst_mistakes(data, open_texts_task, split):
    task = open_texts_task(data, train={"val_fraction": 0.3})
    rows = dict(TEST if split == "test" else TRAIN)
    report = evaluate(task, task.loader(split), CPU).report()
    per_class, worst = task.tables(report, split)
    assert [entry["name"] for entry in per_class.entries] == list(MARKS)
    assert len(worst.entries) == len(report["worst"]) > 0
    for entry in worst.entries:
        label, predicted = task.labels[entry["label"]], task.labels[entry["predicted"]]
        assert rows[entry["text"]] == label != predicted


def test_of_a_fold_too_the_texts_are_those_that_were_mistaken(data, open_texts_task):
    task = open_texts_task(data, train={"folds": "3", "fold": 2})
    report = evaluate(task, task.loader("test"), CPU).report()
    _, worst = task.tables(report, "test")
    for entry in worst.entries:
        assert dict([*TRAIN, *TEST])[entry["text"]] == task.labels[entry["label"]]


def test_the_pictures_of_a_report_are_drawn(data, open_texts_task):
    task = open_texts_task(data)
    report = evaluate(task, task.loader("test"), CPU).report()
    drawn = dict(task.draw_report(report, "test"))
    assert list(drawn) == ["confusion.png", "pr.png", "roc.png", "mistakes.png"]
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in drawn.values())


def test_simple_models_are_fitted_on_the_training_part_and_measured_on_the_split(data, open_texts_task):
    task = open_texts_task(data)
    (name, figures), *words = task.baseline("test").items()
    assert name == "tf-idf + logistic regression"
    assert [name for name, _ in words] == ["counts of words + naive Bayes", "tf-idf of words + logistic regression"]
    assert all(figures["accuracy"] > 0.9 for _, figures in words)
    assert figures["accuracy"] == 1.0
    assert set(evaluate(task, task.loader("test"), CPU).compute()) <= set(figures)


def test_a_restored_task_matches_the_classes_of_other_data_by_name(data, make_texts, open_texts_task):
    task = open_texts_task(data)
    config = SentimentConfig(model="lstm", embedding_dim=8, hidden=8)
    swapped = ("positive", "negative")
    other_data = make_texts({"train": TRAIN, "test": TEST}, classes=swapped, name="other")
    other = SentimentTask.from_assets(config, TrainConfig(batch_size=8), task.assets(), other_data)
    other.model.load_state_dict(task.model.state_dict())
    figures = [evaluate(each, each.loader("test"), CPU).compute() for each in (task, other)]
    assert figures[1] == pytest.approx(figures[0])


def test_without_data_there_is_nothing_to_load(data, open_texts_task):
    task = SentimentTask.from_assets(SentimentConfig(model="lstm"), TrainConfig(), open_texts_task(data).assets(), None)
    assert task.card is None
    with pytest.raises(DataError, match="no data is at hand"):
        task.loader("test")


def test_options_that_a_network_has_no_use_for_are_refused(data, open_texts_task):
    with pytest.raises(UsageError, match="no network 'lstn'"):
        open_texts_task(data, model="lstn")
    with pytest.raises(UsageError, match="--bidirectional"):
        open_texts_task(data, model="fasttext", hidden=None, bidirectional=True)


@pytest.mark.parametrize(("found", "is_warned"), [(2, True), (14, True), (15, False), (30, False)])
def test_few_word_vectors_are_warned_of(found, is_warned):
    notes = coverage_notes("v.txt", found, 30)
    assert bool(notes) == is_warned
    assert all(note.startswith(f"v.txt has vectors for {found} of the vocabulary's 30 words") for note in notes)


def test_the_floor_of_a_training_is_the_baseline_on_its_validation_part(make_texts, open_texts_task):
    data = make_texts({"train": write_rows({"negative": 90, "positive": 90}), "test": TEST})
    task = open_texts_task(data, train={"val_fraction": 0.3})
    floor = task.quick_floor()
    assert floor.metrics == task.baseline("valid")[floor.name]
    assert (floor.fitted, floor.instead) == ("126 of 126 texts", "--model tfidf")
    tfidf = open_texts_task(data, model="tfidf", embedding_dim=None, hidden=None, train={"val_fraction": 0.3})
    assert tfidf.quick_floor().instead == ""
    assert open_texts_task(data, train={"val_fraction": 0.2}).quick_floor() is None  # too few to compare


def test_texts_with_nothing_in_common_have_no_floor(make_texts, open_texts_task):
    rows = [(chr(0x4E00 + place), ("negative", "positive")[place % 2]) for place in range(200)]
    assert open_texts_task(make_texts({"train": rows}), train={"val_fraction": 0.5}).quick_floor() is None


def test_of_many_texts_the_floor_reads_some_spread_evenly(data, open_texts_task):
    source = open_texts_task(data, train={"val_fraction": 0.0})._source
    texts, labels = source.texts_and_labels("train", most=12, most_tokens=10**6)
    everything = source.texts_and_labels("train")[0]
    assert [everything.index(text) for text in (texts[0], texts[-1])] == [0, 47]
    assert len(texts) == len(labels) == 12
    few = source.texts_and_labels("train", most=12, most_tokens=40)[0]
    assert 2 <= len(few) <= 8


def test_document_frequencies_are_those_of_the_training_part(data, open_texts_task):
    options = {"model": "tfidf", "embedding_dim": None, "hidden": None}
    parts = [open_texts_task(data, **options, train={"folds": "3", "fold": fold}) for fold in (1, 2)]
    idf = [task.model.features.inverse_frequencies for task in parts]
    assert not torch.equal(*idf)
    again = SentimentTask.from_assets(parts[0]._config, parts[0]._train, parts[0].assets(), data)
    again.model.load_state_dict(parts[0].model.state_dict())
    torch.testing.assert_close(again.model.features.inverse_frequencies, idf[0])


def test_a_linear_model_of_ngrams_is_computed_and_has_no_embedding_nor_word_vectors(data, open_texts_task, tmp_path):
    options = {"model": "tfidf", "embedding_dim": None, "hidden": None}
    task = open_texts_task(data, **options)
    before = copy.deepcopy(task.model.state_dict())
    [update] = task.training_step(next(iter(task.loader("train", training=True).batches())))
    assert task.optimizers() == {} and update.optimizer is None and update.figures["inverse_penalty"] == 4
    fit(task, epochs=2)
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())
    assert evaluate(task, task.loader("test"), CPU).compute()["accuracy"] == 1.0
    with pytest.raises(ValueError, match="no layer named"):
        task.head()
    with pytest.raises(UsageError, match="no word vectors"):
        open_texts_task(data, **options, embedding=str(tmp_path / "x.txt"))


@pytest.mark.parametrize(
    ("option", "value"),
    [("loss", "focal:2"), ("label_smoothing", 0.1), ("teacher", "latest"), ("ensemble", 2), ("dropout", 0.1)],
)
def test_what_only_a_training_has_is_refused_of_a_computed_network(data, open_texts_task, option, value):
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')}: tfidf is computed"):
        open_texts_task(data, model="tfidf", embedding_dim=None, hidden=None, **{option: value})


def test_rare_classes_weigh_more_in_a_computed_network_too(make_texts, open_texts_task):
    data = make_texts({"train": write_rows({"negative": 40, "positive": 4}), "test": TEST})
    plain, balanced = (
        open_texts_task(data, model="tfidf", embedding_dim=None, hidden=None, class_weights=value)
        for value in ("none", "balanced")
    )
    assert plain.model.bias[0] - plain.model.bias[1] > balanced.model.bias[0] - balanced.model.bias[1]


def test_members_of_an_ensemble_learn_as_each_would_alone_and_their_embeddings_are_joined(data, open_texts_task):
    options = {
        "model": "textcnn",
        "hidden": None,
        "dropout": 0.0,
        "train": {"optimizer": "lazyadam", "weight_decay": 0},
    }
    together = open_texts_task(data, **options, ensemble=2)
    starts = [copy.deepcopy(member.state_dict()) for member in members_of(together.model)]
    fit(together, epochs=1, clip_norm=0.1)
    batch, widths = next(iter(together.loader("test").batches())), []
    for member, start in zip(members_of(together.model), starts, strict=True):
        alone = open_texts_task(data, **options)
        alone.model.load_state_dict(start)
        fit(alone, epochs=1, clip_norm=0.1)
        for name, value in alone.model.state_dict().items():
            torch.testing.assert_close(member.state_dict()[name], value, rtol=1e-6, atol=1e-6)
        with watching(alone.head()) as seen:
            alone.infer(batch)
        widths.append(seen[0].shape[1])
    with watching(together.head()) as seen:
        together.infer(batch)
    assert item_vectors(seen[0]).shape == (len(batch["labels"]), sum(widths))


def test_word_vectors_are_those_of_every_member(data, open_texts_task, tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("awful 1 2 3 4 5 6 7 8\nlovely 8 7 6 5 4 3 2 1\n", encoding="utf-8")
    for member in members_of(open_texts_task(data, embedding=str(file), ensemble=2).model):
        assert [8.0, 7, 6, 5, 4, 3, 2, 1] in member.embedding.weight.tolist()
