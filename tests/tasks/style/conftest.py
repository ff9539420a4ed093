from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toys.domains import write_own, write_prepared

from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.tasks.style.config import StyleConfig
from dlcli.tasks.style.task import StyleTask

CPU = Device(torch.device("cpu"))
SMALL = StyleConfig(image_size=32, width=2, critic_width=2, generator="resnet_6")
PAIRS = StyleConfig(model="pix2pix", image_size=64, width=2, critic_width=2)


@pytest.fixture(scope="session")
def unpaired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpaired") / "night2day"
    return write_own(folder, {"trainA": 5, "trainB": 6, "testA": 5, "testB": 4})


@pytest.fixture(scope="session")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paired") / "night2day"
    return write_prepared(folder, {"train": (4, 4), "test": (4, 4)}, paired=True)


def loop_options(**options: object) -> TrainConfig:
    defaults = {
        "batch_size": 1,
        "learning_rate": 2e-4,
        "optimizer": "adam:0.5,0.999",
        "weight_decay": 0.0,
        "schedule": "linear:hold=0.5",
        "workers": 0,
    }
    return TrainConfig(**{**defaults, **options})


def opened(data: Path, config: StyleConfig = SMALL, **options: object) -> StyleTask:
    torch.manual_seed(0)
    return StyleTask.from_data(config, loop_options(**options), data)
