"""The default network of tables against gradient boosting, a random forest and a linear model, under cross-validation.

    python benchmarks/tables.py [--data DATA] [--tables a,b] [--folds 5] [--repeats 1] [--seed 0] [--out FILE]
                                [--set NAME=VALUE ...] [--model-only]

Every table is prepared as `dl prepare table` does it, and every fold is trained as `dl train` does it, with its recipe
and early stopping; `--set` overrides options. What is printed is the mean over folds of the RMSE, or of the percentage
of wrong classes, its standard error, and the CPU seconds of a fit: for the network all of `dl train` from the prepared
table to the finished run, for the others `fit` alone on ready features. Their settings are scikit-learn's defaults;
boosting is that over histograms from 10,000 rows on, as in `dl eval --baseline`.

Recipes were chosen on generated tables of another seed (77) and on partitions of the seed 1000; the reported ones have
the seeds from 0 on. `housing` and `auto-mpg` are files below `--data`, and are left out where there are none.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shutil
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from table_sets import FILES, TABLES, write_set

from dlcli.core.config import Layer
from dlcli.core.console import Console
from dlcli.core.registry import get_task
from dlcli.core.train_config import TrainConfig
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.tables.form import CLASSIFICATION, open_table
from dlcli.datasets.tables.options import TableOptions
from dlcli.datasets.tables.table import TableImporter
from dlcli.engine.compute.device import open_device
from dlcli.engine.request import resolve_request
from dlcli.engine.runs.evaluation import measure_run
from dlcli.engine.runs.training import start_training
from dlcli.tasks.tables.baselines import LARGE
from dlcli.tasks.tables.source import TableSource

Figures = dict[str, tuple[float, float]]
"""Model -> its error and the CPU seconds of its fit."""


def prepare(name: str, files: Path, folder: Path, seed: int) -> Path | None:
    """Return the prepared table, or None if its file is not there."""
    given: dict[str, Any] = {}
    if name in FILES:
        place, given = FILES[name][0], dict(FILES[name][1])
        source = files / place
        if not source.is_file():
            return None
    else:
        source = folder / f"{name}.csv"
        given["target"] = write_set(name, source, seed)
    out = folder / name
    importer = TableImporter(TableOptions(**given))
    prepare_dataset(importer, source, out, command="benchmark", force=True, report=lambda line: None)
    return out


def fit_network(data: Path, dataset: str, loop: dict[str, Any], given: dict[str, Any], folder: Path) -> Figures:
    """Return the figures of `dl train` on a fold."""
    spec = get_task(open_table(data).task)
    request = resolve_request(spec, dataset, data, [Layer(None, {**given, **loop})])
    started = time.process_time()
    run = start_training(_in(request, folder), Console(is_quiet=True, is_mute=True))
    seconds = time.process_time() - started
    metrics = measure_run(run, data, "test", open_device("cpu", threads=1)).report["metrics"]
    shutil.rmtree(run.path)
    error = metrics["rmse"] if "rmse" in metrics else 100 * (1 - metrics["accuracy"])
    return {f"dl ({request.model})": (float(error), seconds)}


def _in(request: Any, folder: Path) -> Any:
    return dataclasses.replace(request, folder=folder, name="fold")


def fit_others(data: Path, train: TrainConfig) -> Figures:
    """Return the figures of scikit-learn's models on a fold; they train on its validation part too."""
    from sklearn import ensemble, linear_model

    form = open_table(data)
    is_classes = form.task == CLASSIFICATION
    source = TableSource(form, None, train, num_bins=0, labels=form.card.classes if is_classes else None)
    features, targets = source.features_of("train")
    tested, truth = source.features_of("test")
    kind = "Classifier" if is_classes else "Regressor"
    boosting = "HistGradientBoosting" if len(targets) >= LARGE else "GradientBoosting"
    models = {
        "boosting": vars(ensemble)[boosting + kind](random_state=0),
        "forest": vars(ensemble)["RandomForest" + kind](random_state=0, n_jobs=1),
        "linear": linear_model.LogisticRegression(max_iter=1000) if is_classes else linear_model.LinearRegression(),
    }
    found: Figures = {}
    for name, model in models.items():
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 1,000 iterations of logistic regression do not always converge
            model.fit(features, targets if is_classes else targets.astype(np.float64))
        seconds = time.process_time() - started
        answers = model.predict(tested)
        wrong = 100 * np.mean(answers != truth) if is_classes else math.sqrt(np.mean((answers - truth) ** 2))
        found[name] = (float(wrong), seconds)
    return found


def main() -> None:
    """Measure every table and print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DLCLI_DATA", "data")))
    parser.add_argument("--tables", default=",".join([*FILES, *TABLES]))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, help="measure the first N folds of a repeat alone")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the generated tables, and of the first partition")
    parser.add_argument("--out", type=Path, help="append each fold's figures to this file, as JSON lines")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options that override the recipe's")
    parser.add_argument("--model-only", action="store_true", help="leave out scikit-learn's models")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = {name: json.loads(value) for name, _, value in (text.partition("=") for text in arguments.set)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for table in arguments.tables.split(","):
            data = prepare(table, arguments.data, folder, arguments.seed)
            if data is None:
                print(f"{table}: no file below {arguments.data}", flush=True)
                continue
            measure_table(table, data, given, arguments, folder / "runs")


def measure_table(table: str, data: Path, given: dict[str, Any], arguments: argparse.Namespace, runs: Path) -> None:
    """Measure the folds of a table and print a line for each model."""
    errors: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    for seed in range(arguments.seed, arguments.seed + arguments.repeats):
        for fold in range(1, (arguments.only or arguments.folds) + 1):
            loop = {"folds": str(arguments.folds), "fold": fold, "seed": seed, "device": "cpu", "threads": 1}
            figures = fit_network(data, table, loop, given, runs)
            if not arguments.model_only:
                figures |= fit_others(data, TrainConfig(**loop, val_fraction=0.0))
            for model, (error, seconds) in figures.items():
                errors[model].append(error)
                costs[model].append(seconds)
            if arguments.out:
                line = {"table": table, "seed": seed, "fold": fold, **figures}
                with arguments.out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")
    for model, values in errors.items():
        spread = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        print(
            f"{table:14} {model:12} {np.mean(values):9.4f} ± {spread:.4f}  {np.mean(costs[model]):7.2f} s", flush=True
        )


if __name__ == "__main__":
    main()
