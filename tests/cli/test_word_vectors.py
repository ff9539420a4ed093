"""Word vectors on the command line: trained, asked, exported, and taken by a classifier."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

QUICK = ("--epochs", "1", "--threads", "1", "--precision", "fp32", "--quiet", "--embedding-dim", "8")
TEXTS = [
    "label,review",
    *(f"{('bad', 'good')[r % 2]},{('so dull a film', 'how fine a play')[r % 2]} {r}" for r in range(60)),
]


@pytest.fixture
def words(bench, dl):
    """A run of word vectors, and its data, in the folder of the test."""
    (bench.home / "t.csv").write_text("\n".join(TEXTS), encoding="utf-8")
    assert dl("prepare", "text-csv", "t.csv", "--out", "data/t", "--tokenizer", "whitespace").code == 0
    answer = dl("train", "embedding", "--data", "data/t", "--name", "words", *QUICK)
    assert answer.code == 0, answer.err
    return bench.home / "runs" / "words"


def test_a_classifier_starts_from_the_vectors_of_a_run_as_from_its_file(words, dl):
    assert dl("export", "words", "--format", "word2vec", "--out", "w.vec").code == 0
    tables = []
    for name, reference in (("by-run", "words"), ("by-path", str(words)), ("by-file", "w.vec")):
        answer = dl(
            *("train", "sentiment", "--data", "data/t", "--model", "fasttext", "--embedding", reference),
            *("--name", name, "--max-steps", "1", "--lr", "0", *QUICK),
        )
        assert answer.code == 0, answer.err
        tables.append(_embedding(words.parent / name))
    assert all(torch.equal(table, tables[0]) for table in tables)
    own = _embedding(words)
    assert torch.equal(tables[0][2:][own[2:].any(1)], own[2:][own[2:].any(1)])
    answer = dl("train", "sentiment", "--data", "data/t", "--embedding", "words", *QUICK[:-1], "4")
    assert answer.code == 2
    assert "vectors of size 8, but the network's have 4" in answer.err


def _embedding(run) -> torch.Tensor:
    weights = torch.load(run / "checkpoints" / "best.pt", weights_only=True)["model"]
    return next(value for name, value in weights.items() if name.endswith("embedding.weight"))


def test_a_run_of_images_has_no_word_vectors(words, bench, dl):
    bench.run()
    answer = dl("train", "sentiment", "--data", "data/t", "--embedding", "digits-lenet-1", *QUICK)
    assert answer.code == 3
    assert "has no word vectors" in answer.err


def test_neighbours_and_the_map_of_words_are_drawn(words, dl):
    table = json.loads(dl("visualize", "neighbours", "words", "fine", "dull - film", "-k", "2", "--json").out)
    found = table["neighbours"]
    assert [(each["query"], each["rank"]) for each in found] == [
        ("fine", 1),
        ("fine", 2),
        ("dull - film", 1),
        ("dull - film", 2),
    ]
    assert all(np.isfinite(each["cosine"]) for each in found)
    assert "embeddings.png" in dl("visualize", "embeddings", "words").out
    assert dl("visualize", "neighbours", "words", "unheard").code == 3
