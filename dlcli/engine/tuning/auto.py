"""`--batch-size auto` and `--lr auto`: values found by trial runs before the training starts.

Each trial creates a new task and trains it for a few steps with the same loop; the task to be trained is never
touched, and the random generators are restored.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlcli.core.errors import DeviceError, DivergedError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.state import Sums, TrainState
from dlcli.engine.task import CountsSizes, Task
from dlcli.engine.tuning.lr_range import HIGHEST, LOWEST, NUM_STEPS, LrRange, find_rate, is_lost

MakeTask = Callable[[TrainConfig], Task]

SMALLEST_FIRST = 16
"""Items of the first batch size to try; smaller ones are tried only if it does not fit in memory."""

MIN_GAIN = 1.05
"""A batch twice as large must be this much faster per item; otherwise the smaller one trains better in equal time."""

MIN_STEPS = 16
"""Steps that an epoch must have: a small network on little data is fastest with one step per epoch, and learns
nothing."""

WARM_STEPS, TIMED_STEPS = 1, 3
"""Per trial; the fastest step counts, because other processes only ever slow one down."""


@dataclass(frozen=True)
class Tuning:
    """The result of tuning.

    Attributes:
        config: the options with numbers in place of `auto`.
        reasons: one line per value.
        lr_range: the range test, if there was one.
    """

    config: TrainConfig
    reasons: tuple[str, ...]
    lr_range: LrRange | None = None

    def keep(self, run: RunDir) -> None:
        """Write the reasons to the run, and the range test to `plots/lr-range.png`."""
        if self.reasons:
            run.update_info(tuned=list(self.reasons))
        if self.lr_range is not None:
            from dlcli.visualize.canvas import write_png
            from dlcli.visualize.lr_range import draw_lr_range

            found = self.lr_range
            picture = draw_lr_range(found.rates, found.losses, found.smoothed, chosen=found.chosen, lost=found.lost)
            write_png(run.folder("plots") / "lr-range.png", picture)


def tune(
    config: TrainConfig,
    auto: frozenset[str],
    make: MakeTask,
    device: Device,
    clock: Callable[[], float] = time.perf_counter,
) -> Tuning:
    """Return the options with the fields in `auto` set to values that suit the network, data and device.

    Args:
        config: the options; the values of the fields in `auto` are ignored.
        auto: a subset of `batch_size` and `learning_rate`.
        make: creates a new task on the device for changed options.
        device: where to train, at the precision of the training.
        clock: returns seconds since an arbitrary moment.

    Raises:
        UsageError: the batch size would be timed with --deterministic, or no learning rate makes the loss fall.
        DeviceError: not even one item fits in memory.
    """
    reasons: list[str] = []
    lr_range = None
    with device.keeping_random():
        if "batch_size" in auto:
            if config.deterministic:
                raise UsageError("--batch-size auto: a timing would decide, which --deterministic rules out")
            config, reason = _with_batch_size(config, make, device, clock)
            reasons.append(reason)
        if "learning_rate" in auto:
            lr_range = _test_range(config, make, device)
            config = dataclasses.replace(config, learning_rate=lr_range.chosen)
            reasons.append(lr_range.reason)
    return Tuning(config, tuple(reasons), lr_range)


def _with_batch_size(
    config: TrainConfig, make: MakeTask, device: Device, clock: Callable[[], float]
) -> tuple[TrainConfig, str]:
    def speed(size: int) -> float | None:
        """Return the items per second with batches of this size; None if out of memory."""
        watch = Watch(WARM_STEPS + TIMED_STEPS, clock)
        trial = dataclasses.replace(config, batch_size=size)
        try:
            _try(make(trial), trial, device, watch)
        except DeviceError:
            return None
        finally:
            device.free_memory()
        return max(watch.speeds[WARM_STEPS:])

    loader = make(dataclasses.replace(config, batch_size=1)).loader("train", training=True)
    epoch_size = loader.epoch_size if isinstance(loader, CountsSizes) else loader.num_items
    largest = max(1, epoch_size // (MIN_STEPS * config.accumulate))
    # The unit of a batch size may be smaller than an item: 16 tokens are less than a sentence.
    first = max(1, SMALLEST_FIRST * epoch_size // max(1, loader.num_items))
    size, why = choose_batch_size(speed, largest, first)
    return dataclasses.replace(config, batch_size=size), f"batch size {size}: {why}"


def choose_batch_size(
    speed: Callable[[int], float | None], largest: int, first: int = SMALLEST_FIRST
) -> tuple[int, str]:
    """Return the batch size above which a larger one is not faster or does not fit, and the reason.

    Args:
        speed: returns the items per second with batches of a given size; None if out of memory.
        largest: the largest size to try.
        first: the first size to try, unless that is too large.

    Raises:
        DeviceError: not even one item fits.
    """
    size, best_size, best = min(first, largest), 0, 0.0
    while True:
        found = speed(size)
        if found is None:
            return _largest_that_fits(speed, best_size, size)
        if found < best * MIN_GAIN:
            return best_size, f"{best:.0f} items/s, and {found:.0f} with {size}"
        best_size, best = size, found
        if size == largest:
            return size, f"{best:.0f} items/s; a larger one leaves fewer than {MIN_STEPS} steps per epoch"
        size = min(2 * size, largest)


def _largest_that_fits(speed: Callable[[int], float | None], fits: int, too_large: int) -> tuple[int, str]:
    """Bisect until the uncertainty is at most an eighth of what fits."""
    while too_large - fits > max(1, fits // 8):
        middle = (fits + too_large) // 2
        if speed(middle) is None:
            too_large = middle
        else:
            fits = middle
    if fits == 0:
        raise DeviceError(
            "out of memory with a batch of one item", hint="use a smaller --model, or a device with more memory"
        )
    return fits, f"memory runs out with {too_large}"


def _test_range(config: TrainConfig, make: MakeTask, device: Device) -> LrRange:
    config = dataclasses.replace(config, learning_rate=1.0)  # so that the groups' rates are ratios
    watch = RangeSweep(NUM_STEPS)
    try:
        _try(make(config), config, device, watch)
    except DivergedError:
        pass  # expected in a range test
    finally:
        device.free_memory()
    return find_rate(watch.rates, watch.losses)


def _try(task: Task, config: TrainConfig, device: Device, watch: Watch) -> None:
    """Train a task until the watch stops it; an epoch has at least one step.

    The watch takes the losses from the sums of an epoch, so it must hear of the end of every one.
    """
    config = dataclasses.replace(config, eval_every=1)
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, device)
    state.num_epochs = watch.num_steps
    train(state, loader, None, config, [watch])


class Watch(Callback):
    """Records each step's loss and items per second, and stops after `num_steps`."""

    def __init__(self, num_steps: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.num_steps = num_steps
        self.speeds: list[float] = []
        self.losses: list[float] = []
        self._clock = clock
        self._before: dict[str, tuple[float, int]] = {}

    def on_train_start(self, state: TrainState) -> None:
        """Start the clock."""
        del state
        self._since = self._clock()

    def on_step_end(self, state: TrainState) -> None:
        """Record what the step has added to the epoch's sums."""
        state.device.synchronize()
        now = self._clock()
        after = _totals(state.sums)
        added = [np.subtract(sums, self._before.get(name, (0.0, 0))) for name, sums in after.items()]
        self.losses.append(sum(float(total / count) for total, count in added if count))
        self.speeds.append(max(float(count) for _, count in added) / (now - self._since))
        self._before, self._since = after, now
        if len(self.speeds) >= self.num_steps:
            raise StopTraining("tried")

    def on_epoch_end(self, state: TrainState) -> None:
        """Reset, as the epoch's sums are."""
        del state
        self._before = {}


def _totals(sums: Sums) -> dict[str, tuple[float, int]]:
    return {name: (float(total), sums.counts[name]) for name, total in sums.losses.items()}


class RangeSweep(Watch):
    """Multiplies the learning rate by a constant factor after each step, until the loss diverges."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps)
        self.rates: list[float] = []
        self._growth = (HIGHEST / LOWEST) ** (1 / (num_steps - 1))

    def on_train_start(self, state: TrainState) -> None:
        """Start at the lowest rate."""
        super().on_train_start(state)
        state.schedule = dataclasses.replace(state.schedule, text="constant", warmup_steps=0)
        _scale(state, LOWEST)

    def on_step_end(self, state: TrainState) -> None:
        """Record the step, and raise the rate for the next."""
        self.rates.append(state.learning_rate)
        super().on_step_end(state)
        if is_lost(self.losses):
            raise StopTraining("lost")
        _scale(state, self._growth)


def _scale(state: TrainState, factor: float) -> None:
    state.base_rates = [[rate * factor for rate in rates] for rates in state.base_rates]
