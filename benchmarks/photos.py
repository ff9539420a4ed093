"""Accuracy on 200 photos over five folds: `dl train ./photos` beside the usual fine-tuning of torchvision and timm.

    python benchmarks/photo_sets.py PHOTOS
    python benchmarks/photos.py PHOTOS/five [--folds 5] [--ways dl,scratch,frozen,torchvision,timm] [--set NAME=VALUE]

- `dl`: the defaults, that is efficientnet_lite0 with its ImageNet weights (extra `pretrained`).
- `scratch`: the defaults with `--pretrained none`: torchvision's ResNet-18 from random weights.
- `frozen`: `--cache features`: the head alone, on cached views.
- `torchvision`: its transfer-learning tutorial: the whole network, SGD 1e-3 with momentum 0.9, divided by ten every 7
  of 25 epochs, batches of 4, random resized crops and flips.
- `timm`: what its training script does with `--opt adamw --lr 5e-4`: batches of 32, its training transform with
  colour jitter 0.4, cosine with warm-up over a fifth, weight decay 0.05, label smoothing 0.1, the whole network.

Both start from the same weights as `dl` (timm's network of the same name, torchvision's recipe on ours), and have the
wall time that `dl` took on the same fold: their epochs are planned by a timing of five steps and their schedules scaled
to them. Every way answers for the same test photos; a fold's seconds are those of the whole training without imports.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torchvision import transforms

from dlcli.core.config import Layer
from dlcli.core.console import Console
from dlcli.core.registry import TASKS, load_object
from dlcli.data.images.form import open_images
from dlcli.engine.compute.device import open_device
from dlcli.engine.request import resolve_request
from dlcli.engine.runs.evaluation import measure_run
from dlcli.engine.runs.training import start_training
from dlcli.models.images.pretrained import load_pretrained
from dlcli.models.images.published import published_file
from dlcli.tasks.classification.networks import NETWORKS

NAME, SIDE = "efficientnet_lite0", 224
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


def by_dl(data: Path, splits: Path, fold: int, folder: Path, given: dict[str, Any]) -> tuple[float, float]:
    """Return the accuracy on a fold's test photos, and the seconds of the training."""
    options = {"splits": str(splits), "fold": fold, **given}
    request = resolve_request(TASKS["classification"], "photos", data, [Layer("benchmark", options)])
    started = time.perf_counter()
    name = str(len(list(folder.iterdir())) + 1)
    run = start_training(dataclasses.replace(request, folder=folder, name=name), Console(is_quiet=True))
    taken = time.perf_counter() - started
    return float(measure_run(run, data, "test", open_device("cpu")).report["metrics"]["accuracy"]), taken


def own_network(num_classes: int) -> nn.Module:
    """Return our network with the weights of ImageNet and a fresh head."""
    network: nn.Module = load_object(NETWORKS[NAME].build)(num_classes=num_classes, in_channels=3, image_size=SIDE)
    load_pretrained(network, NAME, "default", SIDE)
    return network


def timm_network(num_classes: int) -> nn.Module:
    """Return timm's network of the same name with the same weights, whose names differ and whose order does not."""
    import timm

    network = timm.create_model(f"tf_{NAME}", num_classes=1000)
    weights = torch.load(published_file(NAME), weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
    network.reset_classifier(num_classes)
    return network


@dataclasses.dataclass
class Recipe:
    """A way to fine-tune.

    Attributes:
        make: number of classes -> the network.
        optimizer: its parameters -> the optimizer.
        factor: fraction of the training -> factor of the learning rate.
        batch_size: photos in a batch.
        augment: the transform of a training photo, of PIL images to normalised tensors.
        smoothing: label smoothing.
    """

    make: Callable[[int], nn.Module]
    optimizer: Callable[[Any], torch.optim.Optimizer]
    factor: Callable[[float], float]
    batch_size: int
    augment: Callable[[Image.Image], torch.Tensor]
    smoothing: float = 0.0


def torchvision_recipe() -> Recipe:
    """Return the tutorial's."""
    steps = [transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    return Recipe(
        own_network,
        lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
        lambda progress: 0.1 ** int(progress * 25 / 7),
        4,
        transforms.Compose([*steps, transforms.Normalize(MEAN, STD)]),
    )


def timm_recipe() -> Recipe:
    """Return the script's."""
    from timm.data import create_transform

    augment = create_transform(SIDE, is_training=True, color_jitter=0.4, mean=MEAN, std=STD, interpolation="bicubic")
    return Recipe(
        timm_network,
        lambda parameters: torch.optim.AdamW(parameters, lr=5e-4, weight_decay=0.05),
        lambda progress: min(progress / 0.2, 0.5 * (1 + math.cos(math.pi * progress))),
        32,
        augment,
        smoothing=0.1,
    )


def by_recipe(
    recipe: Recipe, files: list[Path], labels: np.ndarray, train: np.ndarray, test: np.ndarray, seconds: float
) -> tuple[float, float]:
    """Return the accuracy on the test photos, and the seconds of the training."""
    torch.manual_seed(0)
    photos = [Image.open(file).convert("RGB") for file in files]
    network = recipe.make(int(labels.max()) + 1)
    optimizer = recipe.optimizer(network.parameters())
    base = optimizer.param_groups[0]["lr"]

    def step(rows: np.ndarray) -> None:
        images = torch.stack([recipe.augment(photos[row]) for row in rows])
        loss = F.cross_entropy(network(images), torch.from_numpy(labels[rows]), label_smoothing=recipe.smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def batches() -> Iterator[np.ndarray]:
        order = np.random.default_rng(0)
        while True:
            shuffled = order.permutation(train)
            yield from np.array_split(shuffled, math.ceil(len(train) / recipe.batch_size))

    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    source = batches()
    for rows in (next(source), next(source)):
        step(rows)
    started = time.perf_counter()
    for _ in range(5):
        step(next(source))
    num_steps = max(1, int(seconds / ((time.perf_counter() - started) / 5)))
    network.load_state_dict(before)
    optimizer = recipe.optimizer(network.parameters())
    started, source = time.perf_counter(), batches()
    for number in range(num_steps):
        for group in optimizer.param_groups:
            group["lr"] = base * recipe.factor(number / num_steps)
        step(next(source))
    taken = time.perf_counter() - started
    plain = transforms.Compose(
        [transforms.Resize(SIDE), transforms.CenterCrop(SIDE), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    network.eval()
    with torch.inference_mode():
        answers = torch.cat([network(plain(photos[row])[None]) for row in test]).argmax(1).numpy()
    return float((answers == labels[test]).mean()), taken


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=5, help="train so many of the five folds")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--ways", default="dl,scratch,frozen,torchvision,timm")
    parser.add_argument("--seconds", type=float, help="of torchvision and timm, if `dl` is not among the ways")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options of `dl`")
    args = parser.parse_args()
    form = open_images(args.data)
    files, labels = form.files("train"), form.labels("train")
    pairs = list(StratifiedKFold(5, shuffle=True, random_state=args.seed).split(labels, labels))
    given = {
        name: json.loads(value) if value[0] in "[0123456789tf" else value
        for name, value in (each.split("=", 1) for each in args.set)
    }
    own: dict[str, dict[str, Any]] = {
        "dl": given,
        "scratch": {"pretrained": "none"},
        "frozen": {"cache": "features"},
    }
    others = {"torchvision": torchvision_recipe, "timm": timm_recipe}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in args.ways.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        splits, runs = Path(folder, "splits.json"), Path(folder, "runs")
        runs.mkdir()
        splits.write_text(json.dumps([{"train": train.tolist(), "test": test.tolist()} for train, test in pairs]))
        for fold, (train, test) in enumerate(pairs[: args.folds], start=1):
            seconds = args.seconds or 60.0
            for way in found:
                if way in own:
                    result = by_dl(args.data, splits, fold, runs, own[way])
                    seconds = result[1] if way == "dl" else seconds
                else:
                    result = by_recipe(others[way](), files, labels, train, test, seconds)
                found[way].append(result)
                print(f"fold {fold}  {way:12} {result[0]:.3f}  {result[1]:.0f} s", flush=True)
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {len(labels)} photos")
    for way, results in found.items():
        accuracy, seconds = 100 * np.array([each[0] for each in results]), np.array([each[1] for each in results])
        error = accuracy.std(ddof=1) / math.sqrt(len(accuracy)) if len(accuracy) > 1 else 0.0
        print(f"{way:12} {accuracy.mean():.1f} ± {error:.1f} %   {np.median(seconds):.0f} s a fold")


if __name__ == "__main__":
    main()
