"""Texts under a run: which belong to which part, in the run's classes and the run's vocabulary."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import CARD_NAME, Card
from dlcli.data.labels import balanced_weights
from dlcli.data.parts import ALL, part_of_fold
from dlcli.data.text import writer as text_writer
from dlcli.data.text.form import open_texts
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.data.text.vocabulary import UNK
from dlcli.tasks.sentiment.source import TextSource

TOKENS = ("<pad>", "<unk>", *(f"w{number}" for number in range(12)))
CLASSES = ("negative", "positive")
SPLITS = ("train", "valid", "test")
TRAIN = TrainConfig(batch_size=8, val_fraction=0.2)


def write_rows(count, start):
    """Return texts that say which they are, one to four words long, a third of them positive."""
    return [
        (" ".join(f"w{(start + row * step) % 12}" for step in range(1, row % 4 + 2)), CLASSES[row % 3 == 0])
        for row in range(start, start + count)
    ]


@pytest.fixture
def make_form(tmp_path):
    """A function (split -> number of texts) -> the form, and its (text, label) pairs."""

    def make(counts, name="reviews", classes=CLASSES):
        folder = tmp_path / name
        folder.mkdir()
        rows = dict(zip(counts, (write_rows(n, 100 * k) for k, n in enumerate(counts.values())), strict=True))
        for split, pairs in rows.items():
            text_writer.write_jsonl(jsonl_file(folder, split), pairs)
        write_json(folder / "vocab.json", list(TOKENS))
        of_class = {s: {c: sum(label == c for _, label in pairs) for c in CLASSES} for s, pairs in rows.items()}
        card = Card("text", name, classes, of_class, {"tokenizer": make_spec("whitespace")}, command="dl prepare x")
        write_json(folder / CARD_NAME, card.to_json())
        return open_texts(folder), [pair for split in rows for pair in rows[split]]

    return make


def open_source(form, *, labels=CLASSES, vocabulary=TOKENS, max_length=10, train=TRAIN):
    return TextSource(form, labels, vocabulary, max_length, train)


def rows_of(source, split, *, training=False):
    return [row for batch in source.loader(split, training=training).batches() for row in batch["rows"].tolist()]


def words_of(batches, vocabulary):
    """Return row -> (text, label) of what the network is given."""
    found = {}
    for batch in batches:
        for tokens, length, label, row in zip(
            *(batch[name].tolist() for name in ("tokens", "lengths", "labels", "rows")), strict=True
        ):
            found[row] = (" ".join(vocabulary[token] for token in tokens[:length]), label)
    return found


def test_every_text_of_the_training_split_trains_or_validates(make_form):
    form, pairs = make_form({"train": 40, "test": 13})
    source = open_source(form)
    train, valid = rows_of(source, "train", training=True), rows_of(source, "valid")
    assert sorted([*train, *valid]) == list(range(40))
    assert {form.labels("train")[row] for row in valid} == {0, 1}
    assert sorted(rows_of(source, "test")) == list(range(13))
    found = words_of(source.loader("train", training=True).batches(1), TOKENS)
    assert found == {row: (pairs[row][0], CLASSES.index(pairs[row][1])) for row in train}


def test_a_validation_split_of_the_datas_own_is_used_whole(make_form):
    form, _ = make_form({"train": 40, "valid": 9, "test": 13})
    assert [sorted(rows_of(open_source(form), split)) for split in SPLITS] == [
        list(range(count)) for count in (40, 9, 13)
    ]


def test_a_split_that_is_not_there_is_refused(make_form):
    form, _ = make_form({"train": 40})
    with pytest.raises(DataError, match="no split 'test'"):
        open_source(form).loader("test", training=False)


@pytest.mark.parametrize("counts", [{"train": 40, "test": 13}, {"train": 30, "valid": 10, "test": 13}])
def test_folds_are_those_of_the_labels_of_all_splits_together(make_form, counts):
    form, pairs = make_form(counts)
    labels = np.array([CLASSES.index(label) for _, label in pairs])
    tested = []
    for fold in (1, 2, 3):
        train = dataclasses.replace(TRAIN, folds="3", fold=fold)
        source = open_source(form, train=train)
        for split in SPLITS:
            expected = part_of_fold(split, len(pairs), train, labels=labels)
            assert sorted(rows_of(source, split)) == expected.tolist()
            found = words_of(source.loader(split, training=False).batches(), TOKENS)
            assert found == {row: (pairs[row][0], labels[row]) for row in expected.tolist()}
        tested.append(rows_of(source, "test"))
    assert sorted(itertools.chain(*tested)) == list(range(len(pairs)))


def test_texts_stand_at_the_rows_of_the_batches_also_over_all_splits(make_form):
    form, pairs = make_form({"train": 30, "valid": 10, "test": 13})
    rows = [52, 0, 31, 39, 40, 31]
    fold = open_source(form, train=dataclasses.replace(TRAIN, folds="3", fold=1))
    assert fold.texts("train", rows) == [pairs[row][0] for row in rows]
    assert fold.texts("train", []) == []
    assert open_source(form).texts("test", [2, 0]) == [pairs[42][0], pairs[40][0]]
    texts, labels = fold.texts_and_labels("test")
    assert [(text, CLASSES[label]) for text, label in zip(texts, labels, strict=True)] == [
        pairs[row] for row in part_of_fold("test", 53, fold._train, labels=fold._labels(ALL))
    ]


def test_tokens_are_translated_to_the_runs_vocabulary(make_form):
    form, pairs = make_form({"train": 40, "test": 13})
    own = ("<pad>", "<unk>", *reversed(TOKENS[5:]), "other")
    found = words_of(open_source(form, vocabulary=own).loader("test", training=False).batches(), own)
    known = set(own)
    for row, (text, _) in enumerate(pairs[40:]):
        assert found[row][0] == " ".join(word if word in known else own[UNK] for word in text.split())
    same = open_source(form).loader("test", training=False).batches()
    assert words_of(same, TOKENS) == {row: (pairs[40 + row][0], found[row][1]) for row in range(13)}


def test_classes_are_matched_by_name(make_form):
    form, _ = make_form({"train": 40, "test": 13})
    own, turned = open_source(form), open_source(form, labels=CLASSES[::-1])
    first, second = (next(source.loader("test", training=False).batches()) for source in (own, turned))
    assert first["rows"].tolist() == second["rows"].tolist()
    assert first["labels"].tolist() == (1 - second["labels"]).tolist()
    np.testing.assert_array_equal(own.class_weights(), turned.class_weights()[::-1])
    with pytest.raises(DataError, match="unknown to the run"):
        open_source(form, labels=("negative", "neutral"))


def test_data_with_its_classes_in_another_order_has_the_parts_that_the_run_was_trained_with(make_form):
    (form, _), (turned, _) = make_form({"train": 40}), make_form({"train": 40}, "turned", CLASSES[::-1])
    assert form.labels("train").tolist() == (1 - turned.labels("train")).tolist()
    own, again = open_source(form), open_source(turned)
    for split in ("train", "valid"):
        assert words_of(own.loader(split, training=False).batches(), TOKENS) == words_of(
            again.loader(split, training=False).batches(), TOKENS
        )


def test_class_weights_are_those_of_the_training_part_alone(make_form):
    form, _ = make_form({"train": 40, "test": 13})
    source = open_source(form)
    labels = form.labels("train")[rows_of(source, "train")]
    np.testing.assert_array_equal(source.class_weights(), balanced_weights(labels, 2))


def test_a_long_text_is_cut_and_the_sample_holds_the_shortest_and_the_longest(make_form):
    form, _ = make_form({"train": 40, "test": 13})
    batches = list(open_source(form, max_length=2).loader("test", training=False).batches())
    assert max(int(batch["lengths"].max()) for batch in batches) == 2
    tokens, lengths = open_source(form).some_inputs(5).values()
    assert tokens.shape == (5, 4)
    assert (lengths[0], lengths[-1]) == (1, 4)
