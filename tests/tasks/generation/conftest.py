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
from dlcli.tasks.generation.config import GenerationConfig
from dlcli.tasks.generation.recipes import recipe
from dlcli.tasks.generation.task import GenerationTask

MakeImages = Callable[..., Path]
OpenTask = Callable[..., GenerationTask]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Compute on one thread: networks this small spend their time waiting for the second."""
    torch.set_num_threads(1)


def write_images(folder: Path, counts: Mapping[str, int], *, size: tuple[int, int] = (8, 8), channels: int = 1) -> None:
    """Write PNG files of noise; those of the first class have a bright upper half, others a bright lower one."""
    random = np.random.default_rng(0)
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = random.integers(0, 60, (*size, channels), dtype=np.uint8)
            half = slice(0, size[0] // 2) if place == 0 else slice(size[0] // 2, None)
            image[half] += 180
            (folder / name / f"{number:03}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """A function (training images of each class, test images of each, ...) -> folder."""

    def make(train: int = 12, test: int = 4, *, name: str = "pictures", **more: Any) -> Path:
        write_images(tmp_path / name / "train", {"high": train, "low": train}, **more)
        if test:
            write_images(tmp_path / name / "test", {"high": test, "low": test}, **more)
        return tmp_path / name

    return make


@pytest.fixture
def open_task() -> OpenTask:
    """A function (data, options by name) -> task with seeded weights, small and with the recipe's optimizer."""

    def open_(data: Path, *, train: Mapping[str, Any] = {}, **config: Any) -> GenerationTask:
        torch.manual_seed(0)
        options = {"width": 8, "latent": 6, **config}
        chosen = recipe("pictures", options)
        loop = {"batch_size": 8, "workers": 0, **{key: value for key, value in chosen.items() if key != "batch_size"}}
        return GenerationTask.from_data(GenerationConfig(**options), TrainConfig(**{**loop, **train}), data)

    return open_
