"""Seconds to 94 % on CIFAR-10 on one GPU, with our AirNet, Muon and augmentation.

    python benchmarks/cifar10_speed.py --data data/cifar10 [--runs 25] [--epochs 8] [--width 64] [--no-compile]

The protocol of arXiv:2404.00498: every run trains from new weights to the end of its schedule, accuracy is measured on
the test split with test-time augmentation, and the result is the mean over all runs. The time is from the first layer's
whitening to the test accuracy, with the GPU synchronised at both ends. It excludes loading the data onto the GPU, and
one complete run before the others that compiles and warms up; the header gives its time. The images stay on the GPU as
uint8; the loop is a separate, minimal one without checkpoints, logs or validation, which `dl train` measures.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.data.card import read_card
from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.form import open_images
from dlcli.engine.compute.device import Device, open_device
from dlcli.engine.optim.build import parameters_of, with_ends
from dlcli.engine.optim.muon import Muon, muon_groups
from dlcli.engine.optim.schedule import Schedule, base_rates, set_rates
from dlcli.models.fitting import FIT_IMAGES
from dlcli.models.images.airnet import AirNet
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.views import logits_over_views

BATCH_SIZE, EVAL_BATCH = 2000, 2000
LEARNING_RATE = 0.24
"""Both as in airbench94_muon.py: a learning rate for batches of 2,000."""

SMOOTHING, TARGET = 0.2, 0.94


class Cifar:
    """A split on the device: (N, 3, 32, 32) uint8 images in channels-last memory, and (N,) labels."""

    def __init__(self, root: Path, split: str, device: Device) -> None:
        packed = open_images(root).packed(split)
        if packed is None:
            raise SystemExit(f"{root}: no packed copy; prepare it with `dl prepare cifar10 SOURCE`")
        self.images = device.move(torch.tensor(packed.images)).permute(0, 3, 1, 2)
        self.labels = device.move(torch.tensor(packed.labels))


def plan(epoch: int, mirrored_first: Tensor, rows: Tensor, random: torch.Generator) -> dict[str, Tensor]:
    """Return an epoch's random numbers for `BatchAugmentation.apply`, drawn on the device so that no copy is needed."""
    crop = torch.randint(0, 5, (len(rows), 2), generator=random, device=rows.device)
    return {"crop": crop, "flip": mirrored_first[rows] ^ bool(epoch % 2)}


def train_once(model: Normalised, network: nn.Module, train: Cifar, epochs: int, seed: int) -> None:
    """Train the model to the end of its schedule; `network` is the model itself or its compiled form."""
    device = train.images.device
    random = torch.Generator(device).manual_seed(seed)
    assert isinstance(model.network, AirNet)
    model.network.fit_to(model.normalise(train.images[:FIT_IMAGES]))
    optimizer = Muon(with_ends(muon_groups(model, lr=LEARNING_RATE, weight_decay=0.0), model))
    rates = base_rates([optimizer])
    augmentation = BatchAugmentation(pad=2, flip=True, alternates=True)
    count = len(train.labels)
    mirrored_first = torch.rand(count, generator=random, device=device) < 0.5
    schedule, step = Schedule("linear", epochs * (count // BATCH_SIZE)), 0
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(count, generator=random, device=device)
        for rows in order.split(BATCH_SIZE)[: count // BATCH_SIZE]:
            images = augmentation.apply(train.images[rows], plan(epoch, mirrored_first, rows, random))
            set_rates([optimizer], rates, schedule, step)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = network(images).float()
                loss = F.cross_entropy(logits, train.labels[rows], label_smoothing=SMOOTHING)
                loss.backward(inputs=parameters_of(optimizer))
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1


@torch.inference_mode()
def accuracy(model: nn.Module, test: Cifar) -> float:
    """Return the accuracy on the test split with test-time augmentation, in [0, 1]."""
    model.eval()
    right = torch.zeros((), device=test.labels.device)
    parts = zip(test.images.split(EVAL_BATCH), test.labels.split(EVAL_BATCH), strict=True)
    with torch.autocast(test.labels.device.type, dtype=torch.bfloat16):
        for images, labels in parts:
            right += (logits_over_views(model, images, mirror=True)[1].argmax(dim=1) == labels).sum()
    return float(right) / len(test.labels)


def main() -> None:
    """Warm up, run, and print every run and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/cifar10"))
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-compile", action="store_true")
    arguments = parser.parse_args()
    device = open_device(arguments.device)
    train, test = (Cifar(arguments.data, split, device) for split in ("train", "test"))
    card = read_card(arguments.data)
    assert card is not None
    torch.set_float32_matmul_precision("high")

    def new_model() -> Normalised:
        network = AirNet(num_classes=len(card.classes), width=arguments.width)
        return device.place(Normalised(network, card.details["mean"], card.details["std"]))

    model = new_model()
    called = model if arguments.no_compile else torch.compile(model)
    seconds, accuracies = [], []
    for number in range(arguments.runs + 1):  # the first compiles and warms up
        torch.manual_seed(number)
        model.load_state_dict(new_model().state_dict())  # a new module would be compiled again
        device.synchronize()
        started = time.perf_counter()
        train_once(model, called, train, arguments.epochs, seed=number)
        reached = accuracy(called, test)
        device.synchronize()
        taken = time.perf_counter() - started
        if number == 0:
            print(f"# {device.describe()}; Python {platform.python_version()}, torch {torch.__version__}")
            print(f"# width {arguments.width}, {arguments.epochs} epochs of batches of {BATCH_SIZE}")
            print(f"# warm-up, left out: one run of {taken:.1f} s at {reached:.2%}", flush=True)
            continue
        seconds.append(taken)
        accuracies.append(reached)
        print(f"run {number:3}  {taken:7.3f} s  {reached:.2%}", flush=True)
    if len(seconds) < 2:
        return
    mean, std = statistics.mean(accuracies), statistics.stdev(accuracies)
    verdict = "reached" if mean >= TARGET else "NOT reached"
    print(f"accuracy mean {mean:.3%}, std {std:.3%}, n {len(seconds)}: {TARGET:.0%} {verdict}")
    print(f"seconds mean {statistics.mean(seconds):.3f}, std {statistics.stdev(seconds):.3f}")


if __name__ == "__main__":
    main()
