"""Small prepared folders of labelled texts, and tasks on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
from dlcli.tasks.sentiment.config import SentimentConfig
from dlcli.tasks.sentiment.task import SentimentTask

Rows = Sequence[tuple[str, str]]
WORDS = ("the", "place", "was", "food", "we", "went", "there", "again")
MARKS = {"negative": "awful", "positive": "lovely"}


def write_rows(counts: Mapping[str, int], seed: int = 0) -> list[tuple[str, str]]:
    """Return texts of 2 to 12 words with their labels, mixed; one word of each tells its label."""
    random = np.random.default_rng(seed)
    rows = []
    for label, count in counts.items():
        for number in range(count):
            words = [*random.choice(WORDS, random.integers(1, 11)), MARKS.get(label, label)]
            rows.append((" ".join([*random.permutation(words), str(number)]), label))
    return [rows[index] for index in random.permutation(len(rows))]


@pytest.fixture
def make_texts(tmp_path: Path) -> Callable[..., Path]:
    """A function (rows of each split) -> folder in the prepared form."""

    def make(splits: Mapping[str, Rows], *, classes: Sequence[str] = tuple(MARKS), name: str = "texts") -> Path:
        root = tmp_path / name
        root.mkdir()
        for split, rows in splits.items():
            write_jsonl(jsonl_file(root, split), rows)
        write_json(root / "vocab.json", ["<pad>", "<unk>", *WORDS, *MARKS.values()])
        counts = {
            split: {label: Counter(label for _, label in rows)[label] for label in classes}
            for split, rows in splits.items()
        }
        card = Card("text", name, tuple(classes), counts, {"tokenizer": make_spec("whitespace")})
        write_json(root / CARD_NAME, card.to_json())
        return root

    return make


@pytest.fixture
def open_texts_task() -> Callable[..., SentimentTask]:
    """A function (data, options by name) -> task, its weights seeded."""

    def open_(data: Path, *, train: Mapping[str, Any] = {}, **config: Any) -> SentimentTask:
        torch.manual_seed(0)
        options = {"model": "lstm", "embedding_dim": 8, "hidden": 8, **config}
        loop = {"batch_size": 8, "learning_rate": 0.02, **train}
        return SentimentTask.from_data(SentimentConfig(**options), TrainConfig(**loop), data)

    return open_


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
