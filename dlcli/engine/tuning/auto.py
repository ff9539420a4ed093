"""`--batch-size auto` and `--lr auto`: values found by trying, before the training begins.

Every trial is a task of its own, made anew and trained for some steps by the same loop; what is to be trained is never
touched, and the random generators are put back.
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
from dlcli.engine.task import Task
from dlcli.engine.tuning.lr_range import HIGHEST, LOWEST, NUM_STEPS, LrRange, find_rate, is_lost

MakeTask = Callable[[TrainConfig], Task]

SMALLEST_FIRST = 16
"""The first batch that is tried; smaller ones only where memory runs out for it."""

MIN_GAIN = 1.05
"""A batch twice as large must be this much faster per item, or the smaller one trains better for the same time."""

MIN_STEPS = 16
"""Steps that an epoch must have: a small net on few data is fastest with one step an epoch, and learns nothing."""

WARM_STEPS, TIMED_STEPS = 1, 3
"""Of a trial; the fastest counts, because what else runs here only ever makes one slower."""


@dataclass(frozen=True)
class Tuning:
    """What was found.

    Attributes:
        config: the options with numbers in place of `auto`.
        reasons: one line a value.
        lr_range: the range test, where there was one.
    """

    config: TrainConfig
    reasons: tuple[str, ...]
    lr_range: LrRange | None = None

    def keep(self, run: RunDir) -> None:
        """Write the reasons into the run, and the range test as `plots/lr-range.png`."""
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
    """Return the options in which the fields named in `auto` have values that suit network, data and device.

    Args:
        config: the options; what it holds for the fields in `auto` is not used.
        auto: `batch_size`, `learning_rate`.
        make: makes the task anew for changed options, on the device.
        device: where, in the number format of the training.
        clock: seconds since some moment.

    Raises:
        UsageError: a timing would decide with --deterministic, or no learning rate makes the loss fall.
        DeviceError: not even one item fits into memory.
    """
    reasons: list[str] = []
    lr_range = None
    with device.keeping_random():
        if "batch_size" in auto:
            if config.deterministic:
                raise UsageError("--batch-size auto: a timing would decide, and --deterministic excludes that")
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
        """Return the items a second with batches of this size, None where memory runs out."""
        watch = Watch(WARM_STEPS + TIMED_STEPS, clock)
        trial = dataclasses.replace(config, batch_size=size)
        try:
            _try(make(trial), trial, device, watch)
        except DeviceError:
            return None
        finally:
            device.free_memory()
        return max(watch.speeds[WARM_STEPS:])

    num_items = make(dataclasses.replace(config, batch_size=1)).loader("train", training=True).num_items
    largest = max(1, num_items // (MIN_STEPS * config.accumulate))
    size, why = choose_batch_size(speed, largest)
    return dataclasses.replace(config, batch_size=size), f"batch size {size}: {why}"


def choose_batch_size(speed: Callable[[int], float | None], largest: int) -> tuple[int, str]:
    """Return the batch size from which on a larger one does not pay or does not fit, and why it is that.

    Args:
        speed: the items a second with batches of a size, None where memory runs out.
        largest: the largest size that comes into question.

    Raises:
        DeviceError: not even one item fits.
    """
    size, best_size, best = min(SMALLEST_FIRST, largest), 0, 0.0
    while True:
        found = speed(size)
        if found is None:
            return _largest_that_fits(speed, best_size, size)
        if found < best * MIN_GAIN:
            return best_size, f"{best:.0f} items/s, and {found:.0f} with {size}"
        best_size, best = size, found
        if size == largest:
            return size, f"{best:.0f} items/s; a larger one leaves fewer than {MIN_STEPS} steps an epoch"
        size = min(2 * size, largest)


def _largest_that_fits(speed: Callable[[int], float | None], fits: int, too_large: int) -> tuple[int, str]:
    """Bisect, to an eighth of what fits."""
    while too_large - fits > max(1, fits // 8):
        middle = (fits + too_large) // 2
        if speed(middle) is None:
            too_large = middle
        else:
            fits = middle
    if fits == 0:
        raise DeviceError(
            "out of memory with a batch of one item", hint="take a smaller --model, or a device with more memory"
        )
    return fits, f"memory runs out with {too_large}"


def _test_range(config: TrainConfig, make: MakeTask, device: Device) -> LrRange:
    config = dataclasses.replace(config, learning_rate=1.0)  # so that the groups' rates are ratios
    watch = RangeSweep(NUM_STEPS)
    try:
        _try(make(config), config, device, watch)
    except DivergedError:
        pass  # what the test is for
    finally:
        device.free_memory()
    return find_rate(watch.rates, watch.losses)


def _try(task: Task, config: TrainConfig, device: Device, watch: Watch) -> None:
    """Train a task for as many steps as the watch wants; an epoch has one or more."""
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, device)
    state.num_epochs = watch.num_steps
    train(state, loader, None, config, [watch])


class Watch(Callback):
    """Notes each step's loss and items a second, and stops after `num_steps`."""

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
        """Note what the step has added to the epoch's sums."""
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
        """Begin at nothing, as the epoch's sums do."""
        del state
        self._before = {}


def _totals(sums: Sums) -> dict[str, tuple[float, int]]:
    return {name: (float(total), sums.counts[name]) for name, total in sums.losses.items()}


class RangeSweep(Watch):
    """Raises the learning rate by a constant factor each step, until the loss is lost."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps)
        self.rates: list[float] = []
        self._growth = (HIGHEST / LOWEST) ** (1 / (num_steps - 1))

    def on_train_start(self, state: TrainState) -> None:
        """Begin at the lowest rate."""
        super().on_train_start(state)
        state.schedule = dataclasses.replace(state.schedule, shape="constant", warmup_steps=0)
        _scale(state, LOWEST)

    def on_step_end(self, state: TrainState) -> None:
        """Note the step, and raise the rate for the next."""
        self.rates.append(state.learning_rate)
        super().on_step_end(state)
        if is_lost(self.losses):
            raise StopTraining("lost")
        _scale(state, self._growth)


def _scale(state: TrainState, factor: float) -> None:
    state.base_rates = [[rate * factor for rate in rates] for rates in state.base_rates]
