"""Text classifiers against their floor under cross-validation: TF-IDF + logistic regression on the same folds.

    python benchmarks/text_floors.py DATA [DATA ...] [--models NAME ...] [--folds 5] [--set NAME=VALUE ...]

Each network is trained by its recipe, on the training part of each of `dl train DATA --folds K`'s folds; its best epoch
by the fold's validation part answers the fold's test part. The floor is fitted on the same training part. The table
has the mean accuracy over the folds with its standard error, the mean of the differences from the floor, fold by fold,
with theirs, the CPU seconds of a fold, and how many texts a CPU second trains, validation included.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcli.core.builtin import TASKS
from dlcli.core.config import Layer
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import Device, seed_everything
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.request import resolve_request
from dlcli.engine.state import TrainState
from dlcli.tasks.sentiment.baseline import NAME, tfidf_baseline
from dlcli.tasks.sentiment.task import SentimentTask

CPU = Device(torch.device("cpu"))
DEFAULT = "the default"


class Best(Callback):
    """Holds the weights of the best epoch in memory."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.weights = copy.deepcopy(model.state_dict())

    def on_epoch_end(self, state: TrainState) -> None:
        """Copy the weights if the epoch is the best so far."""
        if state.is_best:
            self.weights = copy.deepcopy(self.model.state_dict())


def open_fold(data: Path, model: str, folds: int, fold: int, given: Mapping[str, Any]) -> tuple[SentimentTask, Any]:
    """Return the task of a fold, with a new network, and the options of the loop."""
    options = {"folds": str(folds), "threads": 1, **({} if model == DEFAULT else {"model": model}), **given}
    request = resolve_request(TASKS["sentiment"], data.name, data, [Layer(None, options)])
    loop = dataclasses.replace(request.train, fold=fold)
    seed_everything(loop.seed)
    return SentimentTask.from_data(request.config, loop, data), loop


def measure(data: Path, model: str, folds: int, fold: int, given: Mapping[str, Any]) -> dict[str, float]:
    """Return accuracy and CPU seconds of a network, or of the floor, on a fold."""
    started, rate = time.process_time(), math.nan
    if model == NAME:
        same_folds = {name: value for name, value in given.items() if name == "seed"}
        task, _ = open_fold(data, "fasttext", folds, fold, same_folds)
        parts = [task._source.texts_and_labels(split) for split in ("train", "test")]
        started = time.process_time()
        strip = task._tokenizer["strip"]
        accuracy = tfidf_baseline(*parts[0], *parts[1], num_classes=len(task.labels), strip=strip)["accuracy"]
    else:
        task, loop = open_fold(data, model, folds, fold, given)
        loader, best = task.loader("train", training=True), Best(task.model)
        state = start_state(task, loader, loop, CPU)
        begun = time.process_time()
        train(state, loader, task.loader("valid"), loop, [best])
        rate = loader.num_items * state.epoch / (time.process_time() - begun)
        task.model.load_state_dict(best.weights)
        accuracy = evaluate(task, task.loader("test"), CPU).compute()["accuracy"]
    return {"accuracy": 100 * accuracy, "seconds": time.process_time() - started, "rate": rate}


def mean_and_error(values: list[float]) -> str:
    """Return the mean of values and its standard error."""
    return f"{np.mean(values):.2f} +- {np.std(values, ddof=1) / math.sqrt(len(values)):.2f}"


def main() -> None:
    """Measure every network on every fold of every dataset, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="folders of `dl prepare`")
    parser.add_argument("--models", nargs="+", default=[DEFAULT, "tfidf", "lstm", "textcnn"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options that override the recipe's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = {name: json.loads(value) for name, _, value in (text.partition("=") for text in arguments.set)}
    print(f"# {platform.processor() or platform.machine()}, 1 thread, torch {torch.__version__}")
    print("| data | model | accuracy | above the floor | CPU s a fold | texts/s |\n|---|---|---|---|---|---|")
    for data in arguments.data:
        floor: list[float] = []
        for model in (NAME, *arguments.models):
            rows = [measure(data, model, arguments.folds, fold + 1, given) for fold in range(arguments.folds)]
            accuracies = [row["accuracy"] for row in rows]
            floor = floor or accuracies
            above = [own - its for own, its in zip(accuracies, floor, strict=True)]
            seconds, rate = (float(np.mean([row[name] for row in rows])) for name in ("seconds", "rate"))
            shown = "" if model == NAME else mean_and_error(above)
            print(
                f"| {data.name} | {model} | {mean_and_error(accuracies)} | {shown} | {seconds:.0f} | {rate:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
