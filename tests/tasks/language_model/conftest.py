"""Prepared texts of a small language: a letter is followed by the next one of its row, mostly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlcli.core.files import write_json
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import CARD_NAME
from dlcli.data.text.form import open_texts
from dlcli.datasets.text.options import TextLinesOptions
from dlcli.datasets.text.unlabelled import TextLinesImporter
from dlcli.tasks.language_model.config import LanguageModelConfig
from dlcli.tasks.language_model.task import LanguageModelTask

LETTERS = "abcdefgh"


def made_texts(count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        place, words = int(random.integers(8)), []
        for _ in range(random.integers(1, 9)):
            words.append(LETTERS[place])
            place = (place + 1) % 8 if random.random() < 0.9 else int(random.integers(8))
        texts.append(" ".join(words))
    return texts


def write_prepared(root, lines, **options):
    source = root.parent / f"{root.name}.txt"
    source.write_text("\n".join(lines), encoding="utf-8")
    importer = TextLinesImporter(TextLinesOptions(**{"tokenizer": "word-punct", "min_count": 1, **options}))
    root.mkdir(parents=True)
    write_json(root / CARD_NAME, importer.write(importer.locate(source), root, lambda line: None).to_json())
    return root


@pytest.fixture(scope="session")
def texts_folder(tmp_path_factory):
    """A prepared folder of texts without labels."""
    return write_prepared(tmp_path_factory.mktemp("文 texts") / "数据", made_texts(250, 0), max_vocab=8)


@pytest.fixture
def make_task(texts_folder):
    """A function that returns a task over these texts: options of the task, and of the training."""

    def make(*, data=texts_folder, train=None, **options):
        torch.manual_seed(0)
        sizes = {} if options.get("model") == "ngram" else {"embedding_dim": 16, "hidden": 16, "dropout": 0.0}
        config = LanguageModelConfig(**{**sizes, **options})
        return LanguageModelTask.from_data(
            config, dataclasses.replace(TrainConfig(batch_size=16), **(train or {})), data
        )

    return make


@pytest.fixture
def form(texts_folder):
    return open_texts(texts_folder)
