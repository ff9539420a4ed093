"""The one training loop: epochs, micro-batches, backward, clip, step, events. It knows time, and no task."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dlcli.core.errors import DivergedError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.optim import Schedule, base_rates, parameters_of, set_rates
from dlcli.engine.task import Loader, Task, Update

CHECK_EVERY = 50
"""Steps between two looks at the loss on an accelerator, where each look waits for the device; on a CPU every step."""


@dataclass
class Sums:
    """Losses of the epoch so far, as tensors, so that adding to them waits for nothing."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, update: Update) -> None:
        """Add an update's losses, each weighted by its count."""
        for name, loss in update.losses.items():
            weighted = loss.detach().float() * update.count
            self.losses[name] = self.losses[name] + weighted if name in self.losses else weighted
            self.counts[name] = self.counts.get(name, 0) + update.count

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over its items; this waits for the device."""
        return {name: float(total) / self.counts[name] for name, total in self.losses.items()}


@dataclass
class TrainState:
    """Where a training stands; callbacks read it, checkpoints keep it.

    Attributes:
        task, device, optimizers, schedule: what is trained, where, and how.
        base_rates: each group's learning rate as built; the schedule is a factor on it.
        num_epochs, steps_per_epoch: the whole way.
        epoch: the epoch under way, from 0; after its end, the next one.
        batch: micro-batches of this epoch that are done.
        step: optimizer rounds since the start of training.
        sums: losses of this epoch so far.
        record: figures of the last finished epoch.
        best: the goal's best value so far, and `best_epoch` its epoch, from 1.
        is_best: whether the last finished epoch was the best.
        failure: what broke the training, for the observers' last moment.
    """

    task: Task
    device: Device
    optimizers: dict[str, Optimizer]
    schedule: Schedule
    base_rates: list[list[float]]
    num_epochs: int
    steps_per_epoch: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    record: dict[str, Any] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int = 0
    is_best: bool = False
    failure: BaseException | None = None

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first group of the first optimizer."""
        return float(next(iter(self.optimizers.values())).param_groups[0]["lr"])


def start_state(task: Task, loader: Loader, config: TrainConfig, device: Device) -> TrainState:
    """Return the state before the first step, with new optimizers."""
    steps = max(1, math.ceil(len(loader) / config.accumulate))
    schedule = Schedule(config.schedule, steps * config.epochs, round(steps * config.warmup))
    optimizers = task.optimizers()
    return TrainState(task, device, optimizers, schedule, base_rates(optimizers.values()), config.epochs, steps)


def train(
    state: TrainState, loader: Loader, valid: Loader | None, config: TrainConfig, callbacks: Sequence[Callback]
) -> str | None:
    """Train to the end of the last epoch; return None, or the reason of a callback that stopped it.

    Raises:
        DivergedError: a loss or a gradient is not finite.
        DeviceError: the device ran out of memory.
    """
    reason: str | None = None
    try:
        for callback in callbacks:
            callback.on_train_start(state)
        while state.epoch < state.num_epochs:
            _run_epoch(state, loader, valid, config, callbacks)
    except StopTraining as stop:
        reason = stop.reason
    except BaseException as error:
        state.failure = error
        raise
    finally:
        for callback in callbacks:
            callback.on_train_end(state)
    return reason


def _run_epoch(
    state: TrainState,
    loader: Loader,
    valid: Loader | None,
    config: TrainConfig,
    callbacks: Sequence[Callback],
) -> None:
    started = time.perf_counter()
    num_batches, first_batch = len(loader), state.batch
    for batch in loader.batches(state.epoch, start=state.batch):
        if state.batch % config.accumulate == 0:
            state.task.model.train()
            set_rates(state.optimizers.values(), state.base_rates, state.schedule.factor(state.step))
            weights: dict[str, int] = {}
        is_last = state.batch + 1 == num_batches or (state.batch + 1) % config.accumulate == 0
        _step(state, batch, weights, config, steps_now=is_last)
        state.batch += 1
        if is_last:
            state.step += 1
            if state.device.is_cpu or state.step % CHECK_EVERY == 0:
                _check_finite(state)
            for callback in callbacks:
                callback.on_step_end(state)
    seconds = time.perf_counter() - started
    _finish_epoch(state, valid, seconds, items=loader.num_items * (num_batches - first_batch) / max(1, num_batches))
    for callback in callbacks:
        callback.on_epoch_end(state)


def _step(state: TrainState, batch: Any, weights: dict[str, int], config: TrainConfig, *, steps_now: bool) -> None:
    """Add one micro-batch's gradients; step the optimizers where `steps_now`.

    Micro-batches may differ in size: with accumulation each loss is weighted by its count and the sum divided at the
    end, so the step equals that of one large batch.
    """
    device = state.device
    with device.computing():
        for update in state.task.training_step(device.move(batch)):
            optimizer = state.optimizers[update.optimizer]
            parameters = parameters_of(optimizer)
            loss = torch.stack([value.float() for value in update.losses.values()]).sum()
            if config.accumulate > 1:
                loss = loss * update.count
            loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]
            state.sums.add(update)
            weights[update.optimizer] = weights.get(update.optimizer, 0) + update.count
            if not steps_now:
                continue
            if config.accumulate > 1:
                torch._foreach_div_([p.grad for p in parameters if p.grad is not None], weights[update.optimizer])
            if config.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(parameters, config.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


def _check_finite(state: TrainState) -> None:
    for name, total in state.sums.losses.items():
        if not math.isfinite(float(total)):
            raise DivergedError(
                f"the loss {name!r} is not finite at step {state.step} "
                f"(epoch {state.epoch + 1}, learning rate {state.learning_rate:.3g})",
                hint="take a smaller --lr, a --warmup, or --clip-norm 1; the last finite checkpoint is kept",
            )


def _finish_epoch(state: TrainState, valid: Loader | None, seconds: float, items: float) -> None:
    """Validate, write the epoch's record, and move on to the next epoch."""
    _check_finite(state)
    means = state.sums.means()
    record: dict[str, Any] = {"epoch": state.epoch + 1, "step": state.step, "loss": sum(means.values())}
    if len(means) > 1:
        record |= {f"loss_{name}": value for name, value in means.items()}
    if valid is not None:
        figures = evaluate(state.task, valid, state.device).compute()
        record["val_loss"] = figures.pop("loss", None)
        record |= figures
        if record["val_loss"] is not None and not math.isfinite(record["val_loss"]):
            raise DivergedError(
                f"the validation loss is not finite after epoch {state.epoch + 1} "
                f"(learning rate {state.learning_rate:.3g})",
                hint="take a smaller --lr, a --warmup, or --clip-norm 1; the last finite checkpoint is kept",
            )
    record |= {"lr": state.learning_rate, "seconds": round(seconds, 3), "items_per_s": round(items / seconds, 1)}
    goal = state.task.goal
    value, is_better = (record.get(goal.metric), goal.is_better) if valid is not None else (-record["loss"], _is_larger)
    state.is_best = value is not None and is_better(float(value), state.best)
    if state.is_best and value is not None:
        state.best, state.best_epoch = float(value), state.epoch + 1
    state.schedule.observe(is_better=state.is_best)
    state.record = record
    state.epoch, state.batch, state.sums = state.epoch + 1, 0, Sums()


def _is_larger(value: float, best: float | None) -> bool:
    return best is None or value > best
