"""Prepared texts of two topics that share no words but a few, and tasks on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcli.core.files import write_json
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import CARD_NAME, Card
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.data.text.writer import write_jsonl
from dlcli.tasks.embedding.config import EmbeddingConfig
from dlcli.tasks.embedding.task import EmbeddingTask

TOPICS = (("北京", "上海", "广州", "深圳", "杭州"), ("apple", "pear", "plum", "grape", "melon"))
COMMON = ("the", "of")
WORDS = (*COMMON, *TOPICS[0], *TOPICS[1])


def topic_texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Return texts of 12 words of one topic, and common ones, labelled by their topic."""
    random = np.random.default_rng(seed)
    texts = []
    for number in range(count):
        words = random.choice([*TOPICS[number % 2], *COMMON], 12)
        texts.append((" ".join(words), str(number % 2)))
    return texts


@pytest.fixture(scope="session")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder."""
    root = tmp_path_factory.mktemp("topics")
    for split, count in (("train", 120), ("test", 40)):
        write_jsonl(jsonl_file(root, split), topic_texts(count, len(split)))
    write_json(root / "vocab.json", ["<pad>", "<unk>", *WORDS, "never"])
    counts = {"train": {"0": 60, "1": 60}, "test": {"0": 20, "1": 20}}
    write_json(
        root / CARD_NAME, Card("text", "topics", ("0", "1"), counts, {"tokenizer": make_spec("whitespace")}).to_json()
    )
    return root


@pytest.fixture
def open_topics(topics: Path) -> Callable[..., EmbeddingTask]:
    """A function (options by name) -> task, its weights seeded."""

    def open_(train: Mapping[str, Any] = {}, **config: Any) -> EmbeddingTask:
        torch.manual_seed(0)
        torch.set_num_threads(1)
        options = {"embedding_dim": 8, "window": 3, "subsample": 0.0, **config}
        loop = {"batch_size": 200, "optimizer": "lazyadam", "weight_decay": 0.0, "learning_rate": 0.05, **train}
        return EmbeddingTask.from_data(EmbeddingConfig(**options), TrainConfig(**loop), topics)

    return open_
