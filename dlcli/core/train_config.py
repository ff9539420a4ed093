"""The options of the training loop, shared by every task."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dlcli.core.choices import Choices, Setting, read_choice
from dlcli.core.config import MAX_SEED, MAX_THREADS, option
from dlcli.core.duration import parse_duration
from dlcli.core.errors import UsageError

_BETAS = (
    Setting("beta1", 0.9, 0.0, 0.99999),
    Setting("beta2", 0.999, 0.0, 0.9999999),
    Setting("eps", 1e-8, 0.0, 1.0, is_open=True),
)

OPTIMIZERS: Choices = {
    "sgd": (Setting("momentum", 0.9, 0.0, 0.99999), Setting("nesterov", True)),
    "adam": _BETAS,
    "adamw": _BETAS,
    "lazyadam": (),
    "muon": (),
}
"""What each optimizer may be given, as in `sgd:momentum=0` and `adam:0.5,0.999`."""

PLATEAU = "plateau"
"""The schedule that follows the figures of the validation part."""

SCHEDULES: Choices = {
    "constant": (),
    # Without a number of epochs: at half and at three quarters (He et al. 2015, CIFAR-10 section).
    "step": (Setting("epochs", 0, 1, 1_000_000), Setting("factor", 0.1, 0.0, 1.0)),
    "exponential": (Setting("factor", 0.95, 0.0, 1.0),),
    "cosine": (Setting("end", 0.0, 0.0, 1.0),),
    "linear": (Setting("hold", 0.0, 0.0, 0.999),),
    # Smith & Topin 2017, with fastai's values.
    "onecycle": (
        Setting("divisor", 25.0, 1.0, 1e9),
        Setting("rise", 0.3, 0.0, 1.0, is_open=True),
        Setting("end", 1e-4, 0.0, 1.0),
    ),
    # Vaswani et al. 2017, arXiv:1706.03762, equation 3: the steps of warm-up are part of the shape.
    "inverse-sqrt": (Setting("steps", 4000, 1, 1_000_000_000),),
    # Holzmueller et al. 2024, arXiv:2407.04491.
    "coslog": (Setting("cycles", 4, 1, 30),),
    PLATEAU: (Setting("patience", 3, 0, 1_000_000), Setting("factor", 0.3, 0.0, 1.0, is_open=True)),
}
"""What each schedule may be given; `dlcli.engine.optim.schedule` says what the values do."""

HEAD = "head"
"""What `--freeze` trains if it is given no value."""

LOO = "loo"
"""Leave-one-out, in place of a number of folds."""

IN_TIME = "time:"
"""What precedes a number of folds that test what follows their training part."""

MAX_FOLDS = 1000

MACHINE = ("device", "threads", "workers")
"""Options of the machine rather than of the training: they may differ in a resumed run."""


def read_optimizer(text: str) -> tuple[str, dict[str, float]]:
    """Return the name and values of an optimizer, such as `sgd:momentum=0`; ValueError if it is none."""
    return read_choice(text, OPTIMIZERS)


def read_schedule(text: str) -> tuple[str, dict[str, float]]:
    """Return the name and values of a schedule, such as `step:5,0.9`; ValueError if it is none."""
    return read_choice(text, SCHEDULES)


@dataclass(frozen=True)
class FoldPlan:
    """What `--folds` requests.

    Attributes:
        count: the number of folds in a round; None for leave-one-out, which has as many as there are items.
        held_out: the fraction of the items that a round tests, in (0, 1); None if the folds test every item.
        in_time: whether a fold tests what follows its training part in time.
        column: the column that holds the time; "" for the order of the rows.
    """

    count: int | None
    held_out: float | None = None
    in_time: bool = False
    column: str = ""

    @property
    def is_fixed(self) -> bool:
        """Whether the folds depend on neither the seed nor a grouping."""
        return self.count is None or self.in_time


def read_folds(text: str) -> FoldPlan:
    """Return what a value of `--folds` requests: `10`, `loo`, `0.3`, `time:5` or `time:5,COLUMN`.

    Raises:
        ValueError: it is none of them.
    """
    if text == LOO:
        return FoldPlan(None)
    number, _, column = text.removeprefix(IN_TIME).partition(",") if text.startswith(IN_TIME) else (text, "", "")
    if number.isdecimal() and number.isascii() and 2 <= int(number[:9]) <= MAX_FOLDS:
        return FoldPlan(int(number), in_time=text.startswith(IN_TIME), column=column.strip())
    fraction = float(text) if re.fullmatch(r"0?\.[0-9]{1,9}", text) else 0.0
    if fraction == 0.0:
        raise ValueError(
            f"{text[:100]!r} is neither a number from 2 to {MAX_FOLDS}, a fraction such as 0.3, `{LOO}` nor `time:5`"
        )
    return FoldPlan(1, held_out=fraction)


def read_val_fold(text: str) -> tuple[int, int]:
    """Return the number of a validation fold, from 1, and how many there are, from a text such as `2/5`.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", text)
    fold, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= fold <= count or count < 2:
        raise ValueError(f"{text[:100]!r} is not a fold such as 2/5, the second of five")
    return fold, count


def read_callbacks(text: str) -> tuple[str, ...]:
    """Return the names in a text such as `a,b`, each once.

    Raises:
        ValueError: a name is empty.
    """
    names = [name.strip() for name in text.split(",")] if text else []
    if not all(names):
        raise ValueError(f"{text!r} has an empty name")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class TrainConfig:
    """Options of the loop; each task declares its options in a dataclass of its own."""

    epochs: int = option(
        10, "passes over the training split", short="e", minimum=1, maximum=1_000_000, section="Training"
    )
    max_steps: int | None = option(
        None, "stop after at most N optimizer steps", minimum=1, maximum=10**12, is_advanced=True
    )
    max_time: str | None = option(
        None, "stop after this time: 90s, 5m, 1h30m", metavar="TIME", read=parse_duration, is_advanced=True
    )
    budget: str | None = option(
        None,
        "choose epochs (and width) to fill this time: 90s, 5m, 1h30m",
        metavar="TIME",
        read=parse_duration,
    )
    batch_size: int = option(
        128,
        "items per batch (sentence pairs: tokens); auto: the fastest size that fits",
        short="b",
        minimum=1,
        maximum=10_000_000,
        may_be_auto=True,
    )
    optimizer: str = option(
        "adamw", f"{', '.join(OPTIMIZERS)}; values after a colon: sgd:momentum=0", metavar="NAME", read=read_optimizer
    )
    learning_rate: float | tuple[float, ...] = option(
        1e-3,
        "peak learning rate; auto: found by a range test; several: one per layer group, early to head; 0 freezes it",
        flag="lr",
        minimum=0.0,
        may_be_auto=True,
        metavar="X[,X...]|auto",
    )
    freeze: str | None = option(
        None,
        "train the head only; or the layers from STAGE on; or the last N groups",
        metavar="[STAGE|-N]",
        bare=HEAD,
    )
    weight_decay: float = option(1e-2, "weight decay (norms and biases are exempt)", minimum=0.0, is_advanced=True)
    freeze_norms: bool = option(
        False,
        "keep the statistics of batch norms: for fine-tuning on few items",
        is_advanced=True,
        is_on_in_recipes=True,
    )
    l1: float = option(0.0, "L1 penalty on weights (not on norms and biases)", minimum=0.0, is_advanced=True)
    schedule: str = option(
        "cosine",
        f"{', '.join(SCHEDULES)}; values after a colon: step:5,0.9",
        metavar="NAME",
        read=read_schedule,
        is_advanced=True,
    )
    warmup: float = option(0.0, "epochs of linear warm-up", minimum=0.0, maximum=1_000_000, is_advanced=True)
    clip_norm: float | None = option(
        None, "clip the gradient norm to this; 0: no clipping", minimum=0.0, is_advanced=True
    )
    accumulate: int = option(
        1, "batches whose gradients are added up for one step", minimum=1, maximum=1_000_000, is_advanced=True
    )
    val_fraction: float = option(
        0.1, "fraction of the training split held out for validation", minimum=0.0, maximum=0.9, is_advanced=True
    )
    patience: int | None = option(None, "stop after N epochs without improvement", minimum=1, maximum=1_000_000)
    ema: float | None = option(
        None,
        "validate and save a moving average of the weights with this decay, such as 0.999",
        minimum=0.0,
        maximum=0.99999,
        is_advanced=True,
    )
    average_epochs: int | None = option(
        None,
        "validate and save the mean of the weights of the last N epochs, in place of --ema",
        minimum=2,
        maximum=1000,
        is_advanced=True,
    )
    eval_every: int = option(
        1, "validate and record every N epochs only", minimum=1, maximum=1_000_000, is_advanced=True
    )
    log_every: int | None = option(
        None,
        "log loss, rate and gradient norm every N steps to steps.jsonl and TensorBoard",
        minimum=1,
        maximum=10**9,
        is_advanced=True,
    )
    save_every: int | None = option(
        None, "keep a checkpoint, epoch-N.pt, every N epochs", minimum=1, maximum=1_000_000, is_advanced=True
    )
    folds: str | None = option(
        None,
        "K folds; loo: leave one out; 0.3: hold out that part; time:5[,COLUMN]: test what follows",
        metavar="K|loo|X|time:K",
        read=read_folds,
        section="Cross-validation",
    )
    repeats: int = option(1, "repeat the cross-validation N times", minimum=1, maximum=100, is_advanced=True)
    group: str | None = option(
        None, "keep rows with the same value in this column in one fold", metavar="COLUMN", is_advanced=True
    )
    splits: str | None = option(
        None, "use the folds in these index files: a folder or a JSON file", metavar="FILE", is_advanced=True
    )
    fold: int | None = option(None, "train fold N only (from 1)", minimum=1, maximum=1_000_000, is_advanced=True)
    val_fold: str | None = option(
        None,
        "validate on the Nth of K equal parts of the training split; the test split stays as it is",
        metavar="N/K",
        read=read_val_fold,
        is_advanced=True,
    )
    seed: int = option(
        0, "seed of initial weights, data order and augmentation", minimum=0, maximum=MAX_SEED, section="Machine"
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps", metavar="DEVICE")
    precision: str = option("auto", "floating-point format", choices=("auto", "fp32", "bf16"), is_advanced=True)
    threads: int | None = option(
        None,
        "CPU threads (default auto: as many as are fastest, by a short timing)",
        minimum=1,
        maximum=MAX_THREADS,
        may_be_auto=True,
    )
    workers: int | None = option(
        None, "processes that decode large images (default: all cores)", minimum=0, maximum=256, is_advanced=True
    )
    deterministic: bool = option(False, "make GPU runs reproducible; slower", is_advanced=True)
    compile: bool = option(False, "torch.compile the network: faster in long GPU runs", is_advanced=True)
    show: bool = option(False, "show the samples of each epoch in the terminal", is_advanced=True)
    profile: bool = option(False, "profile some steps and save a trace in the run's profile/", is_advanced=True)
    callback: str | None = option(
        None,
        "let callbacks of installed packages observe the training",
        metavar="NAME[,NAME]",
        read=read_callbacks,
        is_advanced=True,
    )


def is_cross_validation(train: TrainConfig) -> bool:
    """Return whether the options request all folds, rather than one or none.

    Raises:
        UsageError: the options contradict each other.
    """
    if train.val_fold is not None and (train.folds is not None or train.splits is not None):
        raise UsageError("--val-fold: the folds of --folds and --splits have a validation part", hint="leave it out")
    if train.folds is None and train.splits is None:
        for flag, value in (("--fold", train.fold), ("--group", train.group), ("--repeats", train.repeats > 1)):
            if value:
                raise UsageError(f"{flag} needs --folds or --splits", hint="add --folds K or --splits FILE")
        return False
    if train.folds is not None and train.splits is not None:
        raise UsageError(
            "--folds and --splits cannot be combined", hint="the files of --splits already define the folds"
        )
    is_fixed = train.folds is None or read_folds(train.folds).is_fixed
    if train.repeats > 1 and is_fixed:
        raise UsageError("--repeats: these folds never change", hint="omit it, or use --folds K")
    if train.group is not None and is_fixed:
        raise UsageError("--group: these folds are fixed", hint="omit it, or use --folds K")
    return train.fold is None
