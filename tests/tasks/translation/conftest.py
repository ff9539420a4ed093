"""Prepared pairs of a language whose translation is each word's capital letters, backwards."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlcli.core.files import write_json
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import CARD_NAME, Card
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.tokenizers import SPECIALS, VocabularyTokenizer
from dlcli.data.parallel.writer import write_form
from dlcli.tasks.translation.config import TranslationConfig
from dlcli.tasks.translation.task import TranslationTask

CHARACTERS = "天地人你我他大小上下来去"
WORDS = tuple(f"w{number}" for number in range(len(CHARACTERS)))
SIZES = {"train": 90, "valid": 12, "test": 15}
TOKENIZERS = {
    "source": VocabularyTokenizer("char", Cleaning("zh"), (*SPECIALS, *CHARACTERS)),
    "target": VocabularyTokenizer("word", Cleaning("en"), (*SPECIALS, *WORDS)),
}


def made_pairs(count, seed):
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(WORDS), random.integers(1, 8)).tolist() for _ in range(count)]
    return [("".join(CHARACTERS[n] for n in line), " ".join(WORDS[n] for n in reversed(line))) for line in drawn]


def write_prepared(root, splits):
    root.mkdir(parents=True, exist_ok=True)
    write_form(root, splits, TOKENIZERS)
    items = {split: len(pairs) for split, pairs in splits.items()}
    write_json(root / CARD_NAME, Card("parallel", "toy", (), {}, items=items).to_json())
    return root


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory):
    """A prepared folder of sentence pairs."""
    splits = {split: made_pairs(count, seed) for seed, (split, count) in enumerate(SIZES.items())}
    return write_prepared(tmp_path_factory.mktemp("对 pairs") / "数据", splits)


@pytest.fixture
def make_task(pairs_folder):
    """A function that returns a task over these pairs: options of the task, and of the training."""

    def make(*, data=pairs_folder, train=None, **options):
        torch.manual_seed(0)
        config = TranslationConfig(**{"width": 16, "layers": 1, "dropout": 0.0, **options})
        return TranslationTask.from_data(
            config, dataclasses.replace(TrainConfig(batch_size=200), **(train or {})), data
        )

    return make
