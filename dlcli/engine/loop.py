"""The training loop for all tasks: epochs, micro-batches, backward, clipping, optimizer steps, events."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import DivergedError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.backward import Backward
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import LONE, World
from dlcli.engine.compute.gradients import add_l1_gradients, clip_gradients, divide_gradients, gradient_norm
from dlcli.engine.evaluate import validate
from dlcli.engine.observers.averaging import averaged_copy, averaged_weights
from dlcli.engine.optim.build import parameters_of
from dlcli.engine.optim.schedule import Schedule, base_rates, set_rates
from dlcli.engine.state import Sums, TrainState
from dlcli.engine.task import Calibrates, Goal, Loader, Task, network_of

CHECK_EVERY = 50
"""Steps between checks of the loss on an accelerator, where each check synchronises; on a CPU it is every step."""


def start_state(task: Task, loader: Loader, config: TrainConfig, device: Device, world: World = LONE) -> TrainState:
    """Return the state before the first step, with new optimizers."""
    steps = max(1, math.ceil(len(loader) / config.accumulate))
    num_steps = min(steps * config.epochs, config.max_steps or math.inf)
    schedule = Schedule(config.schedule, int(num_steps), round(steps * config.warmup), steps)
    optimizers = task.optimizers()
    rates = base_rates(optimizers.values())
    num_epochs = math.ceil(num_steps / steps)
    averaged = averaged_copy(network_of(task), config)
    differentiate = Backward(world, task.model)
    lengths = (num_epochs, steps, config.accumulate)
    return TrainState(
        task, device, optimizers, schedule, differentiate, rates, *lengths, world=world, averaged=averaged
    )


def train(
    state: TrainState, loader: Loader, valid: Loader | None, config: TrainConfig, callbacks: Sequence[Callback]
) -> str | None:
    """Train until the end of the last epoch; return None, or the reason given by a callback that stopped the training.

    Raises:
        DivergedError: a loss is not finite, or a weight after a non-finite gradient.
        DeviceError: the device ran out of memory.
        UsageError: the task steps an optimizer twice in a batch, and `--accumulate` is more than 1.
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
        _end(state, callbacks)
        raise
    _end(state, callbacks)
    if state.failure is not None:
        raise state.failure
    return reason


def _end(state: TrainState, callbacks: Sequence[Callback]) -> None:
    """Call every callback; of several errors the first counts, since the others are often its consequences."""
    for callback in callbacks:
        try:
            callback.on_train_end(state)
        except Exception as error:
            state.failure = state.failure or error


def _run_epoch(
    state: TrainState,
    loader: Loader,
    valid: Loader | None,
    config: TrainConfig,
    callbacks: Sequence[Callback],
) -> None:
    started = time.perf_counter()
    num_batches, first_batch = len(loader), state.batch
    ending: StopTraining | None = None
    state.phase("data")
    for batch in loader.batches(state.epoch, start=state.batch):
        state.phase("forward")
        if state.batch % config.accumulate == 0:
            if not state.task.model.training:
                state.task.model.train()
            set_rates(state.optimizers.values(), state.base_rates, state.schedule, state.step)
            weights: dict[str, int] = {}
        is_last = state.batch + 1 == num_batches or (state.batch + 1) % config.accumulate == 0
        _step(state, batch, weights, config, steps_now=is_last)
        state.batch += 1
        state.phase("rest")
        if is_last:
            state.step += 1
            if state.device.is_cpu or state.step % CHECK_EVERY == 0:
                _check_losses(state)
            ending = _tell_step(state, callbacks)
            if ending is not None:
                break
        state.phase("data")
    for callback in callbacks:
        callback.on_steps_end(state)
    if ending is None and not is_recorded(state.epoch + 1, state.num_epochs, config):
        state.epoch, state.batch, state.sums = state.epoch + 1, 0, Sums()
        return
    state.phase("validation")
    seconds = time.perf_counter() - started
    _finish_epoch(state, valid, seconds, items=loader.num_items * (state.batch - first_batch) / max(1, num_batches))
    for callback in callbacks:
        callback.on_epoch_end(state)
    if ending is not None:
        raise ending


def is_recorded(epoch: int, num_epochs: int, config: TrainConfig) -> bool:
    """Return whether an epoch, from 1, is validated, recorded and saved, rather than a pass over the data alone."""
    return epoch % config.eval_every == 0 or epoch >= num_epochs


def _tell_step(state: TrainState, callbacks: Sequence[Callback]) -> StopTraining | None:
    """Call the callbacks after a step; return a `StopTraining` that finishes the epoch first, or None."""
    try:
        for callback in callbacks:
            callback.on_step_end(state)
    except StopTraining as stop:
        if not stop.finishes_epoch:
            raise
        return stop
    return None


def _step(state: TrainState, batch: Any, weights: dict[str, int], config: TrainConfig, *, steps_now: bool) -> None:
    """Accumulate one micro-batch's gradients, and step the optimizers if `steps_now`.

    Micro-batches, and the shares of several processes, may differ in size: each loss is weighted by its count and the
    accumulated gradients are divided by the total count, so the step equals that of one large batch.

    Raises:
        UsageError: gradients are accumulated, and an optimizer has two updates in one batch, or none in the last.
    """
    device = state.device
    is_part = config.accumulate > 1 or not state.world.is_alone
    stepping: set[str] = set()
    with device.computing():
        for update in state.task.training_step(device.move(batch)):
            state.phase("backward")
            if update.optimizer is None:
                state.sums.add(update)
                continue
            optimizer = state.optimizers[update.optimizer]
            if config.accumulate > 1 and update.optimizer in stepping:
                reason = "its second step depends on its first, so gradients of micro-batches cannot be summed"
                _refuse_accumulation(config, f"{update.optimizer!r} steps more than once in a batch", reason)
            stepping.add(update.optimizer)
            parameters = parameters_of(optimizer)
            loss = _total(list(update.losses.values()))
            if is_part:
                loss = loss * update.count
            state.differentiate(loss, parameters, is_last=steps_now)
            state.sums.add(update)
            weights[update.optimizer] = weights.get(update.optimizer, 0) + update.count
            if not steps_now:
                state.phase("forward")
                continue
            weight = weights.pop(update.optimizer)  # a second step in this batch starts from zero
            if is_part:
                divide_gradients(parameters, state.world.mean(weight))
            if config.l1:
                add_l1_gradients(parameters, config.l1)
            if config.clip_norm:
                state.gradient_norm = clip_gradients(parameters, config.clip_norm)
            elif config.log_every is not None and (state.step + 1) % config.log_every == 0:
                state.gradient_norm = gradient_norm(parameters)
            state.phase("optimizer")
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state.phase("forward")
    if steps_now and weights:
        reason = "its gradients from the earlier batches would leak into the next step"
        _refuse_accumulation(config, f"{next(iter(weights))!r} has no update in the last of the batches", reason)


def _total(losses: Sequence[Tensor]) -> Tensor:
    """Return the sum of the losses; a single one is not copied, which would cost a tenth of a small step."""
    if len(losses) == 1:
        return losses[0].float()
    return torch.stack([loss.float() for loss in losses]).sum()


def _refuse_accumulation(config: TrainConfig, fault: str, reason: str) -> None:
    hint = "use --accumulate 1 with a larger --batch-size"
    raise UsageError(f"--accumulate {config.accumulate}: the optimizer {fault}", details=[reason], hint=hint)


def _check_losses(state: TrainState) -> None:
    """Check that the losses so far are finite. A non-finite gradient shows up in the next loss, through the weights."""
    broken = [name for name, total in state.sums.losses.items() if not math.isfinite(float(total))]
    _stop_where(state, f"the loss {broken[0]!r}" if broken else None)


def _stop_where(state: TrainState, broken: str | None) -> None:
    """Stop all processes if one of them has found a non-finite value."""
    if state.world.any(broken is not None):
        raise DivergedError(
            f"{broken or 'a value in another process'} is not finite at step {state.step} "
            f"(epoch {state.epoch + 1}, learning rate {state.learning_rate:.3g})",
            hint="use a smaller --lr, a --warmup, or --clip-norm 1; the last finite checkpoint is kept",
        )


def has_finite_weights(model: nn.Module) -> bool:
    """Return whether all parameters are finite."""
    weights = [parameter.detach() for parameter in model.parameters() if parameter.numel()]
    if not weights:
        return True
    return bool(torch.isfinite(torch.stack(torch._foreach_norm(weights, ord=math.inf))).all())


def _finish_epoch(state: TrainState, valid: Loader | None, seconds: float, items: float) -> None:
    """Validate, create the epoch's record, and advance to the next epoch."""
    _check_losses(state)
    _stop_where(state, None if has_finite_weights(state.task.model) else "a weight")
    first, *others = state.world.gather(state.sums)
    sums = first.merge(others)
    means = sums.means()
    record: dict[str, Any] = {"epoch": state.epoch + 1, "step": state.step, "loss": sum(means.values())}
    if len(means) > 1:
        record |= {f"loss_{name}": value for name, value in means.items()}
    record |= {f"train_{name}": value for name, value in sums.figure_means().items()}
    # Each process has its own running statistics in training; those of the writer are validated and saved.
    for model in (state.task.model, state.averaged):
        if model is not None:
            state.world.share_tensors(model.buffers())
    if valid is not None:
        with averaged_weights(network_of(state.task), state.averaged):
            metric = validate(state.task, valid, state.device, state.world)
            if isinstance(state.task, Calibrates):  # here the network has the weights that `best.pt` will have
                state.task.calibrate(metric)
        figures = metric.compute()
        record["val_loss"] = figures.pop("loss", None)
        record |= figures
        is_sound = record["val_loss"] is None or math.isfinite(record["val_loss"])
        _stop_where(state, None if is_sound else "the validation loss")
    record |= {"lr": state.learning_rate, "seconds": round(seconds, 3), "items_per_s": round(items / seconds, 1)}
    _judge(state, record, state.task.goal if valid is not None else None)
    state.record = record
    state.epoch, state.batch, state.sums = state.epoch + 1, 0, Sums()


def _judge(state: TrainState, record: Mapping[str, Any], goal: Goal | None) -> None:
    """Record whether the finished epoch is the best so far by the goal; without a goal, the newest is the best.

    Of epochs that are equal by the goal, as they often are on a few validation items, that of the lowest loss counts.
    """
    value = record.get(goal.metric) if goal is not None else None
    loss = record.get("val_loss")
    is_lower = loss is not None and state.best_loss is not None and loss < state.best_loss
    is_equal = value is not None and value == state.best
    state.is_best = (
        goal is None or (value is not None and goal.is_better(float(value), state.best)) or (is_equal and is_lower)
    )
    if state.is_best:
        state.best, state.best_epoch = None if value is None else float(value), state.epoch + 1
        state.best_loss = None if loss is None or goal is None else float(loss)
    state.schedule.observe(is_better=state.is_best)
