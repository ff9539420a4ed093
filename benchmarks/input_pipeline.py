"""Images per second of the input pipeline: batch 128, crop + flip + normalise, 32 x 32 colour.

    python benchmarks/input_pipeline.py PREPARED [--rounds N] [--batches N]

A: torchvision's ImageFolder with PIL, RandomCrop, RandomHorizontalFlip, ToTensor, Normalize, no workers.
B: the packed copy through `packed_loader`, `BatchAugmentation` and the network's own normalisation, no workers.
B1: the same on one thread.

PREPARED is a folder written by `dl prepare cifar10`. A, B and B1 are interleaved; A, being slower, runs fewer batches.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.form import open_images
from dlcli.data.images.loader import packed_loader
from dlcli.data.order import Order
from dlcli.engine.compute.device import open_device
from dlcli.models.images.normalised import Normalised

BATCH = 128
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def usual(folder: Path) -> Iterator[torch.Tensor]:
    """Yield batches as in the tutorials."""
    steps = [v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    dataset = ImageFolder(str(folder / "train"), v2.Compose([*steps, v2.Normalize(MEAN, STD)]))
    for images, _ in DataLoader(dataset, BATCH, shuffle=True):
        yield images


def packed(folder: Path, epoch: int) -> Iterator[torch.Tensor]:
    """Yield batches as in `dl train`."""
    form = open_images(folder)
    split = form.packed("train")
    assert split is not None
    augmentation, normalise = BatchAugmentation(4, True), Normalised(nn.Identity(), MEAN, STD)
    order = Order(np.arange(len(split.labels)), BATCH, seed=0)
    for batch in packed_loader(split.images, split.labels, order, augmentation).batches(epoch):
        yield normalise(augmentation.apply(batch["images"], batch["plan"]))


def images_per_second(batches: Iterator[torch.Tensor], count: int) -> float:
    """Return the images per second over `count` batches after a first one."""
    next(batches)
    started = time.perf_counter()
    total = sum(len(batch) for batch, _ in zip(batches, range(count), strict=False))
    return total / (time.perf_counter() - started)


def main() -> None:
    """Run the interleaved rounds and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=300)
    options = parser.parse_args()
    open_device("cpu")  # as in `dl train`: sets the threads, and how the C library handles freed memory
    threads = torch.get_num_threads()
    rates: dict[str, list[float]] = {"A ImageFolder + PIL": [], "B packed": [], "B1 packed, one thread": []}
    for round_number in range(options.rounds):
        rates["A ImageFolder + PIL"].append(images_per_second(usual(options.prepared), options.batches // 15))
        rates["B packed"].append(images_per_second(packed(options.prepared, round_number), options.batches))
        torch.set_num_threads(1)
        rates["B1 packed, one thread"].append(
            images_per_second(packed(options.prepared, round_number), options.batches)
        )
        torch.set_num_threads(threads)
    print(f"# {platform.machine()}, {threads} threads, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"# images per second, median of {options.rounds} rounds (min-max), interleaved")
    base = statistics.median(rates["A ImageFolder + PIL"])
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:24} {median:10,.0f} ({min(values):,.0f}-{max(values):,.0f})  {median / base:6.1f}x")


if __name__ == "__main__":
    main()
