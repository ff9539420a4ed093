"""The options of the training loop, which every task shares."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine", "onecycle", "plateau")


@dataclass(frozen=True)
class TrainConfig:
    """What the loop can be told; a task's own options stand in its own dataclass."""

    epochs: int = option(10, "passes over the training part", short="e", minimum=1)
    batch_size: int = option(128, "items a batch", short="b", minimum=1)
    optimizer: str = option("adamw", "the update rule", choices=OPTIMIZERS)
    learning_rate: float = option(1e-3, "the peak learning rate", flag="lr", minimum=0.0)
    weight_decay: float = option(1e-2, "decay of weights (never of norms and biases)", minimum=0.0)
    schedule: str = option("cosine", "how the learning rate moves", choices=SCHEDULES)
    warmup: float = option(0.0, "epochs of linear warm-up", minimum=0.0)
    clip_norm: float | None = option(None, "clip the gradient's norm to this", minimum=0.0)
    accumulate: int = option(1, "batches whose gradients make one step", minimum=1)
    val_fraction: float = option(
        0.1, "part of the training split that picks the best checkpoint", minimum=0.0, maximum=0.9
    )
    patience: int | None = option(None, "stop after so many epochs without a better one", minimum=1)
    seed: int = option(0, "seed of weights, order and augmentation", minimum=0)
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps")
    precision: str = option("auto", "number format of the heavy work", choices=("auto", "fp32", "bf16"))
    threads: int | None = option(None, "CPU threads (default: all cores)", minimum=1)
    workers: int | None = option(None, "processes that decode large images (default: all cores)", minimum=0)
