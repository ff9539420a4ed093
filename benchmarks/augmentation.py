"""Images per second of augmentation by operation, beside torchvision's v2 transforms, on one thread.

    python benchmarks/augmentation.py [--rounds N] [--photo FILE] [--device cuda]

Small: batches of 128 colour images of 32 pixels. `dl` draws and moves a batch at a time; v2 transforms image by
image, as in a Dataset, on uint8 tensors.
Large: one decoded photo of 500 x 375 pixels (or --photo) to 224 pixels, as a worker process does for each file. The
first row is the default augmentation, a crop by v2, beside the same crop by `dl`'s operations.

Rounds are interleaved; a line is the median of each and the range of ratios. With --device the small batches are moved
on an accelerator, which v2 is not compared with.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision.transforms import v2

from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.decoding import read_image
from dlcli.data.images.operations.batched import OperationBatches
from dlcli.data.images.operations.table import parse_augment
from dlcli.data.images.preprocess import Preprocess
from dlcli.tasks.classification.augmenting import operate, random_crop

BATCH, SMALL, LARGE = 128, 32, 224
BILINEAR = v2.InterpolationMode.BILINEAR
COLOUR = v2.ColorJitter(0.2, 0.2, 0.2, 0.05)
BY_V2: dict[str, list[Callable[[torch.Tensor], torch.Tensor]]] = {
    "flip": [v2.RandomHorizontalFlip()],
    "flip rotate=15": [v2.RandomHorizontalFlip(), v2.RandomRotation(15, BILINEAR)],
    "rotate=15 shear=10 translate=0.1": [
        v2.RandomAffine(15, (0.1, 0.1), shear=(-10, 10, -10, 10), interpolation=BILINEAR)
    ],
    "perspective=0.1": [v2.RandomPerspective(0.2, 1.0)],
    "colour=0.2": [COLOUR],
    "colour=0.2 grey=0.2": [COLOUR, v2.RandomGrayscale(0.2)],
    "blur=0.01": [v2.GaussianBlur(9, (0.1, 2.0))],
    "erase=0.5": [v2.RandomErasing(0.5, (0.02, 0.2))],
    "flip rotate=10 colour=0.1 grey=0.2 scale=0.8 erase=0.25": [
        v2.RandomHorizontalFlip(),
        v2.RandomRotation(10, BILINEAR),
        v2.ColorJitter(0.1, 0.1, 0.1, 0.025),
        v2.RandomGrayscale(0.2),
        v2.RandomErasing(0.25, (0.02, 0.2)),
    ],
    "trivial": [v2.TrivialAugmentWide(interpolation=BILINEAR)],
}
"""Operations, and the transforms that do as much; a crop to the network's size is added where `scale` is named, and for
large images."""


def small(text: str, images: torch.Tensor) -> Callable[[], object]:
    """Return a function that draws the numbers of a batch and moves it."""
    augmentation = OperationBatches(parse_augment(text)) if text != "default" else BatchAugmentation(4, True)
    random = np.random.default_rng(0)

    def run() -> object:
        plan = augmentation.plan(len(images), (SMALL, SMALL), random)
        moved = augmentation.apply(images, {name: values.to(images.device) for name, values in plan.items()})
        return moved if images.is_cpu else float(moved[-1, -1, -1, -1])  # waits for the device

    return run


def small_by_v2(
    transforms: Sequence[Callable[[torch.Tensor], torch.Tensor]], images: torch.Tensor
) -> Callable[[], object]:
    """Return a function that transforms a batch image by image."""
    transform = v2.Compose(transforms)
    return lambda: torch.stack([transform(image) for image in images])


def large(text: str, photo: np.ndarray) -> Callable[[], object]:
    """Return a function that brings a photo to the network's size."""
    preprocess = Preprocess(3, LARGE, LARGE, (0.5,) * 3, (0.5,) * 3)
    seeds = iter(range(10**9))
    if text == "default":
        return lambda: random_crop(preprocess, True, photo, next(seeds))
    steps = parse_augment(text)
    return lambda: operate(preprocess, steps, photo, next(seeds))


def large_by_v2(
    transforms: Sequence[Callable[[torch.Tensor], torch.Tensor]], photo: np.ndarray, least: float
) -> Callable[[], object]:
    """Return a function that transforms a photo, cropped at random first to at least a share of its area."""
    transform = v2.Compose([v2.RandomResizedCrop(LARGE, scale=(least, 1.0), antialias=True), *transforms])
    tensor = torch.from_numpy(photo).permute(2, 0, 1)
    return lambda: transform(tensor).permute(1, 2, 0).numpy()


def images_per_second(run: Callable[[], object], images: int, seconds: float = 0.15) -> float:
    """Return the images per second of calls that take at least this long together."""
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        run()
        calls += 1
    return calls * images / (time.perf_counter() - started)


def compare(name: str, own: Callable[[], object], other: Callable[[], object] | None, images: int, rounds: int) -> None:
    """Print the medians of interleaved rounds, after one that does not count."""
    rates = [
        (images_per_second(own, images), images_per_second(other, images) if other is not None else 0.0)
        for _ in range(rounds + 1)
    ]
    first, second = zip(*rates[1:], strict=True)
    line = f"{name:58} {statistics.median(first):10,.0f}"
    if other is not None:
        ratios = [one / two for one, two in rates[1:]]
        spread = f"({min(ratios):.1f}-{max(ratios):.1f})"
        line += f" {statistics.median(second):10,.0f}  {statistics.median(ratios):6.1f}x {spread}"
    print(line, flush=True)


def main() -> None:
    """Compare every set of operations, for small images and for a photo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--device")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    noise = cv2.resize(random.integers(0, 256, (48, 64, 3), dtype=np.uint8), (500, 375), interpolation=cv2.INTER_CUBIC)
    photo = read_image(options.photo, channels=3) if options.photo else noise
    images = random.integers(0, 256, (BATCH, SMALL, SMALL, 3), dtype=np.uint8)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    print(f"# {platform.machine()}, one thread, torch {torch.__version__}, OpenCV {cv2.__version__}")
    print(f"# images per second, medians of {options.rounds} interleaved rounds\n")
    print(f"{f'small, {SMALL} pixels, batches of {BATCH}':58} {'dl':>10} {'v2':>10}")
    for text, transforms in {
        "default": [v2.RandomCrop(SMALL, 4, padding_mode="reflect"), BY_V2["flip"][0]],
        **BY_V2,
    }.items():
        crop = [v2.RandomResizedCrop(SMALL, scale=(0.8, 1.0), antialias=True)] if "scale" in text else []
        if options.device:
            compare(text, small(text, batch.to(options.device)), None, BATCH, options.rounds)
        else:
            compare(
                text, small(text, batch), small_by_v2([*crop, *transforms], batch.contiguous()), BATCH, options.rounds
            )
    print(f"\n{f'large, {photo.shape[1]} x {photo.shape[0]} to {LARGE} pixels':58} {'dl':>10} {'v2':>10}")
    compare(
        "flip scale=0.35 beside the default",
        large("flip scale=0.35", photo),
        large("default", photo),
        1,
        options.rounds,
    )
    for text, transforms in BY_V2.items():
        whole = text if "scale" in text else f"{text} scale=0.35"
        compare(
            whole,
            large(whole, photo),
            large_by_v2(transforms, photo, 0.8 if whole == text else 0.35),
            1,
            options.rounds,
        )


if __name__ == "__main__":
    main()
