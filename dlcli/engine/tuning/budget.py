"""`--budget 5m`: the network size and number of steps that fill a given time, from a timing of ten steps.

Each candidate size is a new task, trained for a few steps with the same loop. The time spent here counts towards the
budget, which runs from here to the end of the last epoch; preparing data and importing torch come before it.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dlcli.core.console import Console
from dlcli.core.duration import parse_duration
from dlcli.core.errors import DataError, UsageError
from dlcli.core.registry import Size, load_object
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import World
from dlcli.engine.compute.precision import choose_precision
from dlcli.engine.compute.threads import choose_threads
from dlcli.engine.evaluate import validate
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.budget_keeper import BudgetKeeper
from dlcli.engine.state import TrainState
from dlcli.engine.task import Batch, Loader, Task

if TYPE_CHECKING:
    from dlcli.engine.request import TrainRequest

TIMED_STEPS, FEWEST_STEPS = 10, 5
"""Steps per timing, and the minimum when a step is slow; one warm-up step, which builds kernels, precedes them."""

TIMED_SHARE = 0.01
"""A timing ends before its tenth step once it has used this fraction of the budget."""

TIMED_BATCHES = 3
"""Validation batches that are timed, after one for warm-up."""

RESERVE = 0.04
"""Fraction of the budget held in reserve, for checkpoints and because a machine slows down as it gets warm."""

MOST_EPOCHS = 10_000
"""If a task offers no sizes, only the time limits the epochs."""

Clock = Callable[[], float]
Open = Callable[[Any, TrainConfig], tuple[Task, Loader, Loader | None, Device]]
"""(task's options, loop's options) -> a new task, its training and validation loaders, and the device at the precision
that suits it."""

OpenRequest = Callable[["TrainRequest", Device, World], tuple[Task, Loader, Loader | None]]


@dataclass(frozen=True)
class Cost:
    """The cost of a size on this machine, in seconds: once at the start, per step, and per validation.

    `precision` is the precision at which it was measured.
    """

    start_s: float
    step_s: float
    steps_per_epoch: int
    valid_s: float
    precision: str = "fp32"

    @property
    def epoch_s(self) -> float:
        """Seconds per epoch, validation included."""
        return self.steps_per_epoch * self.step_s + self.valid_s

    def steps_in(self, seconds: float) -> int:
        """Return how many steps fit in `seconds`, with a validation after each epoch and at the end."""
        whole, rest_s = divmod(max(0.0, seconds - self.start_s) + 1e-9, self.epoch_s)
        return int(whole) * self.steps_per_epoch + max(0, int((rest_s - self.valid_s) / self.step_s + 1e-6))

    def seconds_of(self, steps: int) -> float:
        """Return the total seconds of this many steps, start and validation included."""
        return self.start_s + steps * self.step_s + math.ceil(steps / self.steps_per_epoch) * self.valid_s


@dataclass(frozen=True)
class Plan:
    """The result: the options with the chosen size and epochs, one line that explains them, and what a keeper needs."""

    config: Any
    train: TrainConfig
    reason: str
    deadline: float
    valid_s: float
    most_steps: int


def fit_budget(
    request: TrainRequest, console: Console, open_task: OpenRequest, world: World, device: Device
) -> tuple[TrainRequest, Sequence[Callback]]:
    """Return the request with the size and the epochs that fill its --budget, and the callback that keeps to it.

    The request is unchanged, and there is no callback, if it has no budget.

    Raises:
        UsageError: the budget conflicts with another option.
    """
    if request.train.budget is None:
        return request, ()
    if request.train.deterministic:
        raise UsageError("--budget: a timing would decide, which --deterministic rules out", hint="use --epochs")
    if "batch_size" in request.auto:
        raise UsageError("--budget and --batch-size auto cannot be combined", hint="give --batch-size a number")

    precision = request.train.precision
    has_threads = request.train.threads is not None or not device.is_cpu

    def open_sized(config: Any, options: TrainConfig) -> tuple[Task, Loader, Loader | None, Device]:
        nonlocal precision, has_threads  # chosen with the first size: a wider network gains more from bf16, not less
        task, loader, valid = open_task(dataclasses.replace(request, config=config, train=options), device, world)
        first = next(iter(loader.batches()), None)
        if first is None:
            raise DataError(f"{request.data}: nothing in the training split can be read")
        if not has_threads:
            choose_threads(task, device, first)
            has_threads = True
        chosen, _ = choose_precision(task, device, first, precision)
        precision = world.share(chosen.precision)
        return task, loader, valid, device.with_precision(precision)

    offered = load_object(request.spec.sizes)(request.config) if request.spec.sizes else ()
    with device.keeping_random():
        # Every process reads the writer's clock, so that all make the same choice.
        clock = lambda: world.share(time.perf_counter())  # noqa: E731
        plan = plan_budget(request.config, request.train, offered, open_sized, clock)
    console.say(plan.reason)
    keeper = BudgetKeeper(plan.deadline, plan.valid_s, plan.most_steps, console, clock)
    asked = {**vars(request.config), **vars(request.train)}
    chosen = {**vars(plan.config), **vars(plan.train), "budget": request.train.budget}
    budgeted = {name: value for name, value in asked.items() if value != chosen[name]}
    return dataclasses.replace(request, config=plan.config, train=plan.train, budgeted=budgeted), [keeper]


def plan_budget(
    config: Any, options: TrainConfig, sizes: Iterable[Size], open_task: Open, clock: Clock = time.perf_counter
) -> Plan:
    """Return the options of a training that ends within `options.budget`; the budget itself is cleared in them.

    Args:
        config, options: the task's and the loop's options.
        sizes: the sizes that the task offers, cheapest first; empty if it has only one.
        open_task: creates the task for a size.
        clock: returns seconds since an arbitrary moment; all processes must read the same value.

    If not even the smallest size reaches the number of epochs that is worth its while, it is trained as long as the
    time goes, and the reason says so.
    """
    assert options.budget is not None
    budget_s = parse_duration(options.budget)
    started = clock()
    deadline = started + budget_s * (1 - RESERVE)
    without = dataclasses.replace(options, budget=None)

    def measure(size: Size) -> Cost:
        return measure_cost(size.config, without, open_task, clock, limit_s=budget_s * TIMED_SHARE)

    offered = list(sizes) or [Size(config, "", worthwhile_epochs=1, max_epochs=MOST_EPOCHS)]
    size, steps, cost = choose_size(offered, measure, lambda: deadline - clock())
    spent_s = clock() - started
    steps = max(1, steps)
    epochs = steps / cost.steps_per_epoch
    expected_s = spent_s + cost.seconds_of(steps)
    parts = [part for part in (size.label, cost.precision, f"{epochs:.4g} epochs of {cost.epoch_s:.1f} s") if part]
    reason = f"budget {options.budget}: {', '.join(parts)}; about {expected_s:.0f} s with validation"
    if epochs < size.worthwhile_epochs:
        needed_s = math.ceil((spent_s + cost.start_s + size.worthwhile_epochs * cost.epoch_s) / (1 - RESERVE))
        reason += f"; {size.worthwhile_epochs} epochs would take --budget {needed_s}s here"
    # The last epoch may be cut short: the schedule knows the number of steps and ends with them.
    is_cut = steps % cost.steps_per_epoch > 0
    last_step = min(steps, options.max_steps or steps) if is_cut else options.max_steps
    settled = dataclasses.replace(without, epochs=math.ceil(epochs), max_steps=last_step, precision=cost.precision)
    most_steps = min(size.max_epochs * cost.steps_per_epoch, options.max_steps or sys.maxsize)
    return Plan(size.config, settled, reason, deadline, cost.valid_s, most_steps)


def choose_size(
    sizes: Iterable[Size], measure: Callable[[Size], Cost], left: Callable[[], float]
) -> tuple[Size, int, Cost]:
    """Return the largest size that reaches its worthwhile epochs in the remaining time, its steps, and its cost.

    Sizes are measured in order until the remaining time is too short for one, or would be even at the cost of the
    previous one. The first size is always accepted.

    Args:
        sizes: cheapest first; at least one.
        measure: measures the cost of a size, which itself takes time.
        left: returns the remaining seconds.
    """
    chosen: tuple[Size, Cost] | None = None
    for size in sizes:
        # A larger size is no faster than the last, so if it falls short even at that cost, do not time it.
        if chosen is not None and _steps(size, chosen[1], left()) < size.worthwhile_epochs * chosen[1].steps_per_epoch:
            break
        cost = measure(size)
        if chosen is not None and _steps(size, cost, left()) < size.worthwhile_epochs * cost.steps_per_epoch:
            break
        chosen = size, cost
    assert chosen is not None
    size, cost = chosen
    return size, _steps(size, cost, left()), cost


def _steps(size: Size, cost: Cost, left_s: float) -> int:
    return min(size.max_epochs * cost.steps_per_epoch, cost.steps_in(left_s))


def measure_cost(config: Any, options: TrainConfig, open_task: Open, clock: Clock, *, limit_s: float) -> Cost:
    """Return the cost of a size, measured over a few training steps and validation batches.

    The step that builds kernels and the choice of a precision count as part of the start.
    """
    started = clock()
    task, loader, valid, device = open_task(config, options)
    state = start_state(task, loader, options, device)
    state.num_epochs = TIMED_STEPS + 1  # an epoch has at least one step
    steps = StepTimes(clock, limit_s)
    train(state, loader, None, options, [steps])
    valid_s = _seconds_of_validation(task, valid, device, clock) if valid is not None else 0.0
    step_s = max(steps.seconds_a_step, 1e-9)
    return Cost(steps.moments[0] - started, step_s, state.steps_per_epoch, valid_s, device.precision)


class StepTimes(Callback):
    """Records when each step ends, and stops after enough steps."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self.moments: list[float] = []

    def on_step_end(self, state: TrainState) -> None:
        """Record the time."""
        state.device.synchronize()
        self.moments.append(self._clock())
        count, taken = len(self.moments) - 1, self.moments[-1] - self.moments[0]
        if count >= TIMED_STEPS or (count >= FEWEST_STEPS and taken > self._limit_s):
            raise StopTraining("timed")

    @property
    def seconds_a_step(self) -> float:
        """The median over the steps after the first, so that a single delayed step does not count."""
        return statistics.median(later - earlier for earlier, later in pairwise(self.moments))


def _seconds_of_validation(task: Task, valid: Loader, device: Device, clock: Clock) -> float:
    first = _First(valid, 1)
    validate(task, first, device)
    some = _First(valid, TIMED_BATCHES)
    device.synchronize()
    started = clock()
    validate(task, some, device).compute()
    device.synchronize()
    return (clock() - started) / len(some) * len(valid)


class _First:
    """A loader over the first batches of another."""

    def __init__(self, loader: Loader, count: int) -> None:
        self._loader = loader
        self._count = min(count, len(loader))
        self.num_items = loader.num_items * self._count // max(1, len(loader))

    def __len__(self) -> int:
        return self._count

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Yield the batches up to the limit."""
        for number, batch in enumerate(self._loader.batches(epoch, start), start):
            if number >= self._count:
                return
            yield batch
