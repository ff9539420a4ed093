"""The overhead of the loop over a handwritten one, and the gain of `--precision auto` over torch's defaults.

    python benchmarks/training_step.py [--steps N] [--rounds N] [--net tiny|resnet18|resnet18-small]

A: a bare loop with the same network and data: forward, cross-entropy, backward, step; nothing is logged.
B: `dlcli.engine.loop.train` with all of its observers (metrics, tensorboard, checkpoints, epoch lines, signals).
C: the bare loop with torch's defaults: fp32, contiguous, and an allocator that returns every large block.

A and B use the same number format and layout, and the allocator settings of `dl train`. Each measurement is a separate
process, which first runs a few steps that are not counted; A, B and C are interleaved. B's time includes the end of its
epoch, with two checkpoints.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

from dlcli.core.console import Console
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.data.images.loader import packed_loader
from dlcli.data.order import Order
from dlcli.engine.compute.allocator import keep_freed_memory
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.epoch_lines import EpochLines
from dlcli.engine.observers.metrics_log import MetricsLog
from dlcli.engine.observers.signals import StopOnSignal
from dlcli.engine.observers.tensorboard import TensorBoard
from dlcli.engine.runs.checkpoint import Checkpoints
from dlcli.engine.task import Goal, Update
from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.zoo import build_torchvision

BATCH = 128


def build(net: str) -> torch.nn.Module:
    """Return the network with its normalisation."""
    if net == "tiny":
        inner: torch.nn.Module = SmallCNN(num_classes=10, in_channels=3, image_size=32, width=8)
    elif net == "resnet18":
        inner = torchvision.models.resnet18(num_classes=10)
    else:  # as in `dl train cifar10 --model resnet18`: a stem that preserves the resolution of small images
        inner = build_torchvision("resnet18", num_classes=10, in_channels=3, image_size=32, pretrained=None)
    return Normalised(inner, (0.5,) * 3, (0.25,) * 3)


class BenchTask:
    """A task of random images for the loop."""

    inputs, outputs, goal, card = ("images",), ("logits",), Goal("accuracy", True), None

    def __init__(self, net: str, steps: int) -> None:
        random = np.random.default_rng(0)
        self.images = random.integers(0, 256, (steps * BATCH, 32, 32, 3), dtype=np.uint8)
        self.labels = random.integers(0, 10, steps * BATCH)
        self.model = build(net)

    def loader(self, split, *, training=False, shard=None):
        return packed_loader(self.images, self.labels, Order(np.arange(len(self.labels)), BATCH, seed=0))

    def optimizers(self):
        return {"network": torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, nesterov=True)}

    def training_step(self, batch):
        loss = F.cross_entropy(self.model(batch["images"]).float(), batch["labels"])
        yield Update("network", {"cross_entropy": loss}, len(batch["labels"]))

    def samples(self):
        return None


def bare(task: BenchTask, device: Device) -> None:
    """Train one epoch with a handwritten loop."""
    [optimizer] = task.optimizers().values()
    task.model.train()
    for batch in task.loader("train").batches(0):
        with device.computing():
            loss = F.cross_entropy(task.model(batch["images"]).float(), batch["labels"])
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def house(task: BenchTask, device: Device) -> None:
    """Train one epoch with dl's loop and all of its observers."""
    config = TrainConfig(epochs=1, batch_size=BATCH, schedule="constant", learning_rate=0.01)
    loader = task.loader("train", training=True)
    with tempfile.TemporaryDirectory() as folder, StopOnSignal() as signals:
        run = RunDir(Path(folder))
        observers = [MetricsLog(run.metrics_file), TensorBoard(run.path / "tensorboard"), Checkpoints(run, {})]
        state = start_state(task, loader, config, device)
        train(state, loader, None, config, [*observers, EpochLines(Console(is_quiet=True)), signals])


WAYS = {
    "A": ("bare loop", bare, "bf16", True),
    "B": ("dl's loop", house, "bf16", True),
    "C": ("bare loop, torch's defaults", bare, "fp32", False),
}
"""Label, function, number format, and whether freed memory is kept and the layout is channels-last."""

WARM_UP = 3
"""Steps before the measured ones, which build kernels and grow the heap to its final size."""


def measure(way: str, net: str, steps: int) -> dict[str, float]:
    """Return the CPU and wall time per step in this process, in seconds."""
    _, run, precision, is_ours = WAYS[way]
    if is_ours:
        keep_freed_memory()
    device = Device(torch.device("cpu"), precision="fp32" if net == "tiny" else precision, is_channels_last=is_ours)
    for count in (WARM_UP, steps):
        task = BenchTask(net, count)
        device.place(task.model)
        cpu, wall = time.process_time(), time.perf_counter()
        run(task, device)
        seconds = {"cpu": (time.process_time() - cpu) / count, "wall": (time.perf_counter() - wall) / count}
    return seconds


def main() -> None:
    """Run the interleaved rounds and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--net", choices=["tiny", "resnet18", "resnet18-small"], default="resnet18")
    parser.add_argument("--way", choices=list(WAYS), help="measure this one here and print it as JSON")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.net, options.steps)))
        return
    seconds: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, rows in seconds.items():
            command = [sys.executable, __file__, "--way", way, "--net", options.net, "--steps", str(options.steps)]
            rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    where = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"# {where}, {options.net}, batch {BATCH}, {options.steps} steps")
    print(f"# milliseconds per step, median of {options.rounds} rounds (min-max), interleaved")
    base = {kind: statistics.median(row[kind] for row in seconds["A"]) for kind in ("cpu", "wall")}
    for way, rows in seconds.items():
        texts = []
        for kind in ("cpu", "wall"):
            values = [row[kind] for row in rows]
            median = statistics.median(values)
            spread = f"({min(values) * 1e3:.1f}-{max(values) * 1e3:.1f})"
            texts.append(f"{kind} {median * 1e3:8.1f} {spread:18} {median / base[kind]:.3f}x")
        print(f"{way} {WAYS[way][0]:28} {'  '.join(texts)}", flush=True)


if __name__ == "__main__":
    main()
