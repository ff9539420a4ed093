"""CPU time of full-batch epochs, as the classic course trains on housing, beside a bare PyTorch loop.

    python benchmarks/full_batch.py --data data/housing [--epochs 2000] [--rounds 5]

An epoch is one step over all training rows. The bare loop takes the same steps (the same network, optimizer, fp32, one
thread) and reads the loss of each, and does nothing else: no validation, no checkpoint, no log. `dl` runs the whole
training of `dl train housing --full-batch` with everything that a run keeps: with the recipe (no validation part), with
a validation part after every epoch, and with `--eval-every 100`. Interleaved; medians of the CPU time per epoch.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

from dlcli.core.config import Layer
from dlcli.core.console import Console
from dlcli.core.registry import TASKS
from dlcli.engine.compute.device import Device, seed_everything
from dlcli.engine.loop import start_state
from dlcli.engine.request import TrainRequest, resolve_request
from dlcli.engine.runs.training import start_training
from dlcli.tasks.tables.regression import LOSSES, RegressionTask


def request_of(data: Path, epochs: int, **options: object) -> TrainRequest:
    """Return the request of a full-batch training."""
    given = {"full_batch": True, "epochs": epochs, **options}
    return resolve_request(TASKS["regression"], "housing", data, [Layer("benchmark", given)])


def bare(request: TrainRequest) -> float:
    """Return the CPU seconds of the steps alone."""
    seed_everything(request.train.seed)
    torch.set_num_threads(1)
    task = RegressionTask.from_data(request.config, request.train, request.data)
    loader = task.loader("train", training=True)
    optimizer = next(iter(start_state(task, loader, request.train, Device(torch.device("cpu"))).optimizers.values()))
    batch = next(iter(loader.batches()))
    inputs = [batch[name] for name in task.inputs]
    wanted = (batch["targets"] - task.model.mean) / task.model.std
    loss_of, losses = LOSSES[request.config.loss], []
    task.model.train()
    started = time.process_time()
    for _ in range(request.train.epochs):
        optimizer.zero_grad()
        answers = task.model.standardised(*inputs)
        loss = loss_of(answers, wanted.expand_as(answers))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return time.process_time() - started


def whole(request: TrainRequest, folder: Path) -> float:
    """Return the CPU seconds of a training from its first step to its last file; a short one comes first."""
    short = dataclasses.replace(request, train=dataclasses.replace(request.train, epochs=1))
    seconds = 0.0
    for each in (short, request):
        name = str(len(list(folder.iterdir())) + 1)
        started = time.process_time()
        start_training(dataclasses.replace(each, folder=folder, name=name), Console(is_quiet=True))
        seconds = time.process_time() - started
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/housing"))
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    ways = {
        "the recipe": {},
        "--val-fraction 0.1": {"val_fraction": 0.1},
        "--val-fraction 0.1 --eval-every 100": {"val_fraction": 0.1, "eval_every": 100},
    }
    taken: dict[str, list[float]] = {"bare loop": [], **{name: [] for name in ways}}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            taken["bare loop"].append(bare(request_of(args.data, args.epochs)))
            for name, options in ways.items():
                taken[name].append(whole(request_of(args.data, args.epochs, **options), Path(folder)))
    base = statistics.median(taken["bare loop"])
    print(f"{platform.machine()}, torch {torch.__version__}, {args.epochs} epochs, medians of {args.rounds}")
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"{name:40} {median / args.epochs * 1e3:7.3f} ms of CPU per epoch  {median / base:5.2f}x")


if __name__ == "__main__":
    main()
