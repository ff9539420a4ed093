"""One training by the workers of a Ray cluster: `python ray_train.py`.

Ray's workers get RANK, WORLD_SIZE, LOCAL_RANK and MASTER_ADDR; dl reads those. Each worker runs dl in a process of its
own, since Ray has connected its workers already, at MASTER_PORT: dl takes the next port.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

WORDS = ["train", "cifar10", "--model", "resnet18", "--epochs", "30", "--name", "ray"]


def work(config: dict[str, Any]) -> None:
    """Run one of the processes of `dl`, in the folder that all workers share."""
    environment = {**os.environ, "MASTER_PORT": str(int(os.environ["MASTER_PORT"]) + 1)}
    subprocess.run([sys.executable, "-m", "dlcli", *config["words"]], cwd=config["folder"], env=environment, check=True)


def main(words: list[str]) -> None:
    """Train with eight workers, a GPU each, or as the environment says."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    workers = int(os.environ.get("WORKERS", "8"))
    trainer = TorchTrainer(
        work,
        train_loop_config={"words": words, "folder": str(Path.cwd())},
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=os.environ.get("USE_GPU", "1") == "1"),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=0)),
    )
    trainer.fit()


if __name__ == "__main__":
    main(sys.argv[1:] or WORDS)
