"""Small folders of images by class, and tasks on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.task import ClassificationTask

MakeImages = Callable[..., Path]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Compute on one thread: networks this small spend their time waiting for the second."""
    torch.set_num_threads(1)


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image[..., ::-1] if image.shape[-1] == 3 else image)[1].tobytes())


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """A function (splits, ...) -> folder: `splits` maps a split to its classes, each to a number of images.

    A class's images are as bright as its name's place in `shades` says, under noise, so they can be told apart.
    """

    def make(
        splits: Mapping[str, Mapping[str, int]],
        *,
        name: str = "pictures",
        size: tuple[int, int] = (8, 8),
        channels: int = 3,
        shades: str = "abcdef",
        seed: int = 0,
    ) -> Path:
        random = np.random.default_rng(seed)
        for split, classes in splits.items():
            for class_name, count in classes.items():
                shade = 200 * shades.index(class_name) // len(shades)
                for number in range(count):
                    image = random.integers(shade, shade + 30, (*size, channels), dtype=np.uint8)
                    write_image(tmp_path / name / split / class_name / f"{number:03d}.png", image)
        return tmp_path / name

    return make


@pytest.fixture
def open_task() -> Callable[..., ClassificationTask]:
    """A function (data, options by name) -> task, its weights seeded."""

    def open_(data: Path, *, train: Mapping[str, Any] = {}, **config: Any) -> ClassificationTask:
        torch.manual_seed(0)
        options = {"model": "cnn", **config}
        loop = {"batch_size": 8, "workers": 0, "learning_rate": 0.01, **train}
        return ClassificationTask.from_data(ClassificationConfig(**options), TrainConfig(**loop), data)

    return open_
