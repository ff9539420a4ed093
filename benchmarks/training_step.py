"""What the loop costs over one written by hand, and what `--precision auto` gains over torch's defaults.

    python benchmarks/training_step.py [--steps N] [--rounds N] [--net tiny|resnet18|resnet18-small]

A: a bare loop on the same net and data: forward, cross-entropy, backward, step; nothing is logged.
B: `dlcli.engine.loop.train` with all of its observers (metrics, tensorboard, checkpoints, epoch lines, signals).
Both in the same number format and layout. CPU seconds a step, A and B in turn; the epoch's end is left out of neither.

C: the bare loop in torch's defaults: fp32, contiguous. D: what `choose_precision` picks (bf16 and channels-last here).
"""

from __future__ import annotations

import argparse
import platform
import statistics
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
from dlcli.data.loader import Order, PackedLoader
from dlcli.engine.callbacks import EpochLines, MetricsLog
from dlcli.engine.checkpoint import Checkpoints
from dlcli.engine.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.signals import StopOnSignal
from dlcli.engine.task import Goal, Update
from dlcli.engine.tensorboard import TensorBoard
from dlcli.models.lenet import SmallCNN
from dlcli.models.normalised import Normalised
from dlcli.models.zoo import build_torchvision

BATCH = 128


def build(net: str) -> torch.nn.Module:
    """Return the network with its normalisation."""
    if net == "tiny":
        inner: torch.nn.Module = SmallCNN(num_classes=10, in_channels=3, image_size=32, width=8)
    elif net == "resnet18":
        inner = torchvision.models.resnet18(num_classes=10)
    else:  # as `dl train cifar10 --model resnet18` builds it: a stem that keeps the resolution of small images
        inner = build_torchvision("resnet18", num_classes=10, in_channels=3, image_size=32, pretrained=None)
    return Normalised(inner, (0.5,) * 3, (0.25,) * 3)


class BenchTask:
    """Random images through the loop."""

    inputs, outputs, goal, card = ("images",), ("logits",), Goal("accuracy", True), None

    def __init__(self, net: str, steps: int) -> None:
        random = np.random.default_rng(0)
        self.images = random.integers(0, 256, (steps * BATCH, 32, 32, 3), dtype=np.uint8)
        self.labels = random.integers(0, 10, steps * BATCH)
        self.model = build(net)

    def loader(self, split, *, training=False, shard=None):
        return PackedLoader(self.images, self.labels, Order(np.arange(len(self.labels)), BATCH, seed=0))

    def optimizers(self):
        return {"network": torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, nesterov=True)}

    def training_step(self, batch):
        loss = F.cross_entropy(self.model(batch["images"]).float(), batch["labels"])
        yield Update("network", {"cross_entropy": loss}, len(batch["labels"]))

    def samples(self):
        return None


def bare(task: BenchTask, device: Device) -> None:
    """Train one epoch by hand."""
    [optimizer] = task.optimizers().values()
    task.model.train()
    for batch in task.loader("train").batches(0):
        with device.computing():
            loss = F.cross_entropy(task.model(batch["images"]).float(), batch["labels"])
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def house(task: BenchTask, device: Device) -> None:
    """Train one epoch by the loop, with all that observes it."""
    config = TrainConfig(epochs=1, batch_size=BATCH, schedule="constant", learning_rate=0.01)
    loader = task.loader("train", training=True)
    with tempfile.TemporaryDirectory() as folder, StopOnSignal() as signals:
        run = RunDir(Path(folder))
        observers = [MetricsLog(run.metrics_file), TensorBoard(run.path / "tensorboard"), Checkpoints(run, {})]
        state = start_state(task, loader, config, device)
        train(state, loader, None, config, [*observers, EpochLines(Console(is_quiet=True)), signals])


def main() -> None:
    """Take turns and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--net", choices=["tiny", "resnet18", "resnet18-small"], default="resnet18")
    options = parser.parse_args()
    task = BenchTask(options.net, options.steps)
    plain = Device(torch.device("cpu"), is_channels_last=False)
    fast = Device(torch.device("cpu"), precision="fp32" if options.net == "tiny" else "bf16")
    ways = {
        "A bare loop": (bare, fast),
        "B dl's loop": (house, fast),
        "C bare loop, fp32, contiguous": (bare, plain),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(options.rounds + 1):  # the first round builds kernels
        for name, (way, device) in ways.items():
            task.model.to(memory_format=torch.channels_last if device.is_channels_last else torch.contiguous_format)
            cpu, wall = time.process_time(), time.perf_counter()
            way(task, device)
            seconds[name].append(
                ((time.process_time() - cpu) / options.steps, (time.perf_counter() - wall) / options.steps)
            )
    where = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"# {where}, {options.net}, batch {BATCH}")
    print(f"# milliseconds a step, median of {options.rounds} rounds (min-max), interleaved; B's end of epoch is in it")
    base = {kind: statistics.median(row[kind] for row in seconds["A bare loop"][1:]) for kind in (0, 1)}
    for name, rows in seconds.items():
        cpu, wall = ([row[kind] for row in rows[1:]] for kind in (0, 1))
        print(
            f"{name:30} CPU {statistics.median(cpu) * 1e3:8.2f} ({min(cpu) * 1e3:.2f}-{max(cpu) * 1e3:.2f})"
            f"  {statistics.median(cpu) / base[0]:.3f}x   wall {statistics.median(wall) * 1e3:8.2f}"
            f"  {statistics.median(wall) / base[1]:.3f}x"
        )


if __name__ == "__main__":
    main()
