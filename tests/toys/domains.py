"""Images of two domains: the first dark, the second light; image k of both has stripes of period 2 + k."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from dlcli.core.files import write_json
from dlcli.data.card import Card

CLASSES = ("night", "day")


def picture(domain: int, number: int, size: tuple[int, int] = (40, 50)) -> np.ndarray:
    """Return image `number` of a domain, (H, W, 3) uint8."""
    height, width = size
    stripes = np.arange(width) // (2 + number) % 2
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:] = (128 * domain + 60 * stripes)[:, None]
    pixels[..., 2] += np.arange(height, dtype=np.uint8)[:, None]
    return pixels


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write an RGB image, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert done
    path.write_bytes(data.tobytes())


def write_own(root: Path, counts: Mapping[str, int], size: tuple[int, int] = (40, 50)) -> Path:
    """Write the folders of CycleGAN's layout, such as {"trainA": 3, "trainB": 4}; return the root."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            write_image(root / name / f"{number:03d}.png", picture("AB".index(name[-1]), number, size))
    return root


def write_prepared(
    root: Path,
    counts: Mapping[str, tuple[int, int]],
    *,
    paired: bool = False,
    size: tuple[int, int] = (40, 50),
) -> Path:
    """Write the prepared form, such as {"train": (3, 4), "test": (2, 2)}; return the root."""
    for split, numbers in counts.items():
        for domain, count in enumerate(numbers):
            (root / split / CLASSES[domain]).mkdir(parents=True)
            for number in range(count):
                write_image(root / split / CLASSES[domain] / f"{number:03d}.png", picture(domain, number, size))
    by_class = {split: dict(zip(CLASSES, numbers, strict=True)) for split, numbers in counts.items()}
    details = {"paired": paired, "channels": 3, "image_size": list(size)}
    write_json(root / "dataset.json", Card("domains", "night2day", CLASSES, by_class, details).to_json())
    return root
