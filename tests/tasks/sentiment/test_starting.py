"""A classifier that starts from a language model: the same weights, its own life, and clear refusals."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from dlcli.cli.app import run
from dlcli.core.errors import DataError, DlError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.tasks.sentiment.config import SentimentConfig
from dlcli.tasks.sentiment.task import SentimentTask

SIZES = ("--embedding-dim", "8", "--hidden", "12")
QUICK = ("--max-steps", "3", "--batch-size", "16", "--precision", "fp32", "--threads", "1", "--quiet")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A folder with labelled texts and a language model of them."""
    folder = tmp_path_factory.mktemp("house")
    random = np.random.default_rng(0)
    drawn = [" ".join(random.choice(list("abcdefgh"), 5)) for _ in range(80)]
    rows = [f"{row % 2},{words} {('bad', 'good')[row % 2]}" for row, words in enumerate(drawn)]
    (folder / "a.csv").write_text("\n".join(["label,text", *rows]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in (
            ("prepare", "text-csv", "a.csv", "--tokenizer", "whitespace", "--min-count", "1", "--quiet"),
            ("train", "language-model", "--data", "data/text-csv", *SIZES, *QUICK, "--name", "lm"),
        ):
            assert run(list(line)) == 0
    return folder


def start(house, monkeypatch, train=None, **options):
    monkeypatch.chdir(house)
    config = SentimentConfig(**{"model": "lstm", "embedding_dim": 8, "hidden": 12, "pretrained": "lm", **options})
    return SentimentTask.from_data(config, train or TrainConfig(), house / "data" / "text-csv")


def test_body_and_embedding_are_the_language_models(house, monkeypatch):
    from dlcli.core.run_dir import resolve_run
    from dlcli.engine.runs.restore import load_task

    task = start(house, monkeypatch)
    theirs = load_task(resolve_run("lm"))[0].model.state_dict()
    own = task.model.state_dict()
    for name in ("recurrent.forwards.0.weight_ih_l0", "recurrent.forwards.0.bias_hh_l0"):
        assert torch.equal(own[name], theirs[name])
    assert torch.equal(own["embedding.weight"][1:], theirs["embedding.weight"][1:])
    assert not own["embedding.weight"][0].any()
    again = SentimentTask.from_assets(
        SentimentConfig(model="lstm", embedding_dim=8, hidden=12, pretrained="gone"), TrainConfig(), task.assets(), None
    )
    again.model.load_state_dict(own)  # the run needs the language model no longer


@pytest.mark.parametrize(
    ("options", "train", "error", "message"),
    [
        ({"model": "rnn"}, None, UsageError, "its network is lstm, not rnn"),
        ({"hidden": 10}, None, DataError, "--hidden 12"),
        ({"bidirectional": True}, None, DataError, "in one direction"),
        ({}, TrainConfig(folds="3", fold=1), UsageError, "leave out --folds"),
    ],
)
def test_what_does_not_fit_is_refused(house, monkeypatch, options, train, error, message):
    with pytest.raises(error) as caught:
        start(house, monkeypatch, train, **options)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_other_tokens_are_refused(house, monkeypatch, tmp_path):
    shutil.copytree(house, tmp_path / "other")
    file = tmp_path / "other" / "runs" / "lm" / "vocab.json"
    file.write_text(json.dumps([*json.loads(file.read_text(encoding="utf-8"))[:-1], "else"]), encoding="utf-8")
    with pytest.raises(DlError) as caught:
        start(tmp_path / "other", monkeypatch)
    assert "vocabulary" in caught.value.message
