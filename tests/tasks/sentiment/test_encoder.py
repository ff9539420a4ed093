"""A classifier that starts from a BERT on disk: it learns, answers without the folder, resumes, and is exported."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.cli.app import run as run_line
from dlcli.core.errors import RunError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.data.text.tokenizing.wordpiece_files import read_pieces
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.tasks.sentiment.codec import TextCodec
from dlcli.tasks.sentiment.config import SentimentConfig
from dlcli.tasks.sentiment.encoder import encoder_from_json
from dlcli.tasks.sentiment.recipes import recipe
from dlcli.tasks.sentiment.task import SentimentTask

from .conftest import write_rows

CPU = Device(torch.device("cpu"))
TINY = Path(__file__).parents[2] / "models" / "text" / "tiny_bert"
COUNTS = {"negative": 16, "positive": 16}
OPTIONS = {"model": "bert", "embedding_dim": None, "hidden": None, "max_length": 38}


@pytest.fixture
def data(make_texts):
    return make_texts({"train": write_rows(COUNTS), "valid": write_rows(COUNTS, 1), "test": write_rows(COUNTS, 2)})


@pytest.fixture
def folder(tmp_path):
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        (tmp_path / "bert").mkdir(exist_ok=True)
        shutil.copy(TINY / name, tmp_path / "bert" / name)
    return tmp_path / "bert"


def fit(task, steps, rate):
    optimizer = task.optimizers()["network"]
    for group in optimizer.param_groups:
        group["lr"] = rate
    task.model.train()
    for step in range(steps):
        for batch in task.loader("train", training=True).batches(step):
            [update] = task.training_step(batch)
            optimizer.zero_grad()
            sum(update.losses.values()).backward()
            optimizer.step()
    return task


def test_it_overfits_32_texts_and_starts_from_the_folders_weights(data, folder, open_texts_task):
    task = open_texts_task(
        data, **OPTIONS, pretrained=str(folder), dropout=0.0, train={"batch_size": 16, "optimizer": "adamw"}
    )
    row = read_pieces(folder).vocabulary.tokens.index("hotel")
    from safetensors.torch import load_file

    words = load_file(folder / "model.safetensors")["bert.embeddings.word_embeddings.weight"]
    torch.testing.assert_close(task.model.embedding.weight[row], words[8])  # the ninth line of vocab.txt
    assert evaluate(task, task.loader("train"), CPU).compute()["accuracy"] < 0.8
    fit(task, 50, 0.01)
    assert evaluate(task, task.loader("train"), CPU).compute()["accuracy"] == 1.0


def test_a_run_needs_the_folder_no_more_and_cuts_texts_as_the_loader_does(data, folder, open_texts_task):
    task = open_texts_task(data, **OPTIONS, pretrained=str(folder))
    assets = json.loads(json.dumps(task.assets()))
    shutil.rmtree(folder)
    config = SentimentConfig(**OPTIONS, pretrained=str(folder))
    again = SentimentTask.from_assets(config, TrainConfig(), assets, data)
    again.model.load_state_dict(task.model.state_dict())
    codec = TextCodec(assets)
    [batch] = again.loader("test").batches()
    texts = [item.fields["text"] for item in again.items("test", batch["rows"].tolist())]
    items = [codec.encode(source) for source in codec.expand(texts)]
    [(_, arrays)] = codec.batches(items)
    np.testing.assert_array_equal(arrays["tokens"], batch["tokens"].numpy())
    with torch.no_grad():
        found, expected = (each.model.eval()(batch["tokens"], batch["lengths"]) for each in (again, task))
    torch.testing.assert_close(found, expected)
    assert again.assets() == task.assets()


@pytest.mark.parametrize(
    "value", [{}, [], {"sizes": {}, "first": 2, "last": 3}, {"sizes": None, "first": 0, "last": 3}]
)
def test_a_damaged_encoder_is_refused(value):
    with pytest.raises(RunError):
        encoder_from_json(value, 10)


def test_stop_words_and_stems_of_the_data_are_left_out_and_that_is_said(data, open_texts_task):
    card = json.loads((data / "dataset.json").read_text())
    card["details"]["tokenizer"] = make_spec("words", stopwords=["the"], stem="english", clean=["case"])
    (data / "dataset.json").write_text(json.dumps(card))
    task = open_texts_task(data, **OPTIONS, pretrained=str(TINY))
    assert "bert reads whole texts: stop words are left in and words are not stemmed" in task.card.warnings
    assert task.assets()["preprocess"]["tokenizer"]["clean"]["kinds"] == ["case"]


def test_no_encoder_is_none():
    assert encoder_from_json(None, 10) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "textcnn", "pretrained": "bert"}, "textcnn has no pretrained weights"),
        ({"pretrained": None}, "--pretrained is missing"),
        ({"pretrained": str(TINY), "layers": 3}, "--layers"),
        ({"pretrained": str(TINY), "max_length": 126}, "40 positions"),
    ],
)
def test_options_that_do_not_fit_are_refused(data, open_texts_task, options, says):
    with pytest.raises(UsageError, match=says):
        open_texts_task(data, **{**OPTIONS, **options})


def test_the_recipe_is_the_papers():
    chosen = recipe("weibo", {"model": "bert"})
    assert (chosen["learning_rate"], chosen["epochs"], chosen["batch_size"]) == (2e-5, 3, 32)
    assert (chosen["optimizer"], chosen["weight_decay"], chosen["warmup"]) == ("adamw", 0.01, 0.3)
    assert recipe("weibo", {})["optimizer"] == "lazyadam"


@pytest.fixture
def dl(monkeypatch, capsys, tmp_path):
    """Return a command line in an own folder that answers with its JSON document."""
    monkeypatch.chdir(tmp_path)

    def call(*words, code=0):
        words = [str(word) for word in words]
        monkeypatch.setattr(sys, "argv", ["dl", *words])
        found = run_line([*words, "--json"])
        out, err = capsys.readouterr()
        assert found == code, err
        return json.loads(out) if code == 0 else None

    return call


def stop_at(monkeypatch, step):
    """Send this process a SIGTERM within the training step of that number."""
    whole, count = SentimentTask.training_step, itertools.count(1)

    def training_step(self, batch):
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(self, batch)

    monkeypatch.setattr(SentimentTask, "training_step", training_step)


@pytest.mark.slow
def test_it_resumes_to_equal_weights_and_without_its_folder_predicts_and_is_exported(data, folder, dl, monkeypatch):
    line = ["train", data, "--model", "bert", "--pretrained", folder, "--max-length", 38, "--lr", "0.001,0.005,0.01"]
    line += ["--batch-size", 8, "--epochs", 8, "--device", "cpu", "--threads", 1, "--precision", "fp32"]
    dl(*line, "--name", "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 9)
        dl(*line, "--name", "cut", code=143)
    dl("train", "--resume", "runs/cut")
    shutil.rmtree(folder)
    weights = [read_checkpoint(Path(f"runs/{name}/checkpoints/last.pt"))["model"] for name in ("whole", "cut")]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
    assert json.loads(Path("runs/whole/encoder.json").read_text())["sizes"]["layers"] == 2
    texts = ["the place was lovely", "awful food [SEP] <pad>", "x" * 300]
    answers = dl("predict", "runs/whole", *texts)["records"]
    assert [answer["label"] for answer in answers[:2]] == ["positive", "negative"]
    for format in ("onnx", "torchscript"):
        dl("export", "runs/whole", "--format", format, "--out", f"model.{format}")
        found = dl("predict", f"model.{format}", *texts)["records"]
        for one, other in zip(found, answers, strict=True):
            assert one["label"] == other["label"]
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)
    assert dl("eval", "runs/whole", "--baseline")["metrics"]["accuracy"] > 0.8
