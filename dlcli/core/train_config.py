"""The options of the training loop, which every task shares."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.core.duration import parse_duration
from dlcli.core.errors import UsageError

OPTIMIZERS = ("sgd", "adam", "adamw", "lazyadam", "muon")
SCHEDULES = ("constant", "step", "cosine", "linear", "onecycle", "plateau")

LOO = "loo"
"""In place of a number of folds: one item each."""


def parse_folds(text: str) -> str:
    """Check a number of folds, or "loo".

    Raises:
        ValueError: it is neither.
    """
    if text != LOO and not (text.isdecimal() and 2 <= int(text) <= 1000):
        raise ValueError(f"{text!r} is neither a number from 2 to 1000 nor `loo`")
    return text


@dataclass(frozen=True)
class TrainConfig:
    """What the loop can be told; a task's own options stand in its own dataclass."""

    epochs: int = option(10, "passes over the training part", short="e", minimum=1, section="Training")
    max_steps: int | None = option(None, "end after so many optimizer steps, if the epochs are not over", minimum=1)
    max_time: str | None = option(None, "end after this long: 90s, 5m, 1h30m", metavar="TIME", read=parse_duration)
    budget: str | None = option(
        None, "fill this time: chooses the epochs, and a width where none is given", metavar="TIME", read=parse_duration
    )
    batch_size: int = option(128, "items a batch, or auto: as many as pay", short="b", minimum=1, may_be_auto=True)
    optimizer: str = option("adamw", "the update rule", choices=OPTIMIZERS)
    learning_rate: float = option(
        1e-3, "the peak learning rate, or auto: found by a range test", flag="lr", minimum=0.0, may_be_auto=True
    )
    weight_decay: float = option(1e-2, "decay of weights (never of norms and biases)", minimum=0.0)
    schedule: str = option("cosine", "how the learning rate moves", choices=SCHEDULES)
    warmup: float = option(0.0, "epochs of linear warm-up", minimum=0.0)
    clip_norm: float | None = option(None, "clip the gradient's norm to this", minimum=0.0)
    accumulate: int = option(1, "batches whose gradients make one step", minimum=1)
    val_fraction: float = option(
        0.1, "part of the training split that picks the best checkpoint", minimum=0.0, maximum=0.9
    )
    patience: int | None = option(None, "stop after so many epochs without a better one", minimum=1)
    ema: float | None = option(
        None, "judge and keep a moving average of the weights: its decay, as 0.999", minimum=0.0, maximum=0.99999
    )
    folds: str | None = option(
        None,
        "cross-validate over all items in so many folds, or loo: one item each",
        metavar="K|loo",
        read=parse_folds,
        section="Cross-validation",
    )
    repeats: int = option(1, "cross-validate so often, each time in other folds", minimum=1, maximum=100)
    group: str | None = option(None, "of a table: rows with equal values here stay in one fold", metavar="COLUMN")
    splits: str | None = option(None, "cross-validate in given index files: a folder, or JSON", metavar="FILE")
    fold: int | None = option(None, "train this fold alone, from 1", minimum=1)
    seed: int = option(0, "seed of weights, order and augmentation", minimum=0, section="Machine")
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps")
    precision: str = option("auto", "number format of the heavy work", choices=("auto", "fp32", "bf16"))
    threads: int | None = option(None, "CPU threads (default: all cores)", minimum=1)
    workers: int | None = option(None, "processes that decode large images (default: all cores)", minimum=0)
    deterministic: bool = option(False, "equal seeds give equal weights on a GPU too; slower there")
    compile: bool = option(False, "torch.compile the network: pays in long runs on a GPU")
    profile: bool = option(False, "write where a step's time goes, and a trace, into the run's profile/")


def is_cross_validation(train: TrainConfig) -> bool:
    """Return whether the options ask for all folds, not one or none.

    Raises:
        UsageError: they contradict each other.
    """
    if train.folds is None and train.splits is None:
        for flag, value in (("--fold", train.fold), ("--group", train.group), ("--repeats", train.repeats > 1)):
            if value:
                raise UsageError(f"{flag}: of which folds?", hint="give --folds K or --splits FILE")
        return False
    if train.folds is not None and train.splits is not None:
        raise UsageError("--folds and --splits exclude each other", hint="the files of --splits are the folds")
    if train.repeats > 1 and (train.splits is not None or train.folds == LOO):
        raise UsageError("--repeats: these folds are the same each time", hint="leave it out, or give --folds K")
    if train.group is not None and (train.splits is not None or train.folds == LOO):
        raise UsageError("--group: these folds are cut already", hint="leave it out, or give --folds K")
    return train.fold is None
