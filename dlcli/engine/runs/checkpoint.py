"""Checkpoints: only tensors and JSON, so that they load with `weights_only=True`; written atomically."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import pickle
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import RunError, first_line, why_refused
from dlcli.core.files import atomic_file, parse_json
from dlcli.core.run_dir import RunDir
from dlcli.engine.state import Sums, TrainState
from dlcli.engine.task import KeepsState, Task, network_of

CHECKPOINT_SCHEMA = 1

MODEL, NETWORK = "model", "network"
"""What a checkpoint's weights belong to: the whole model, or the part used for inference."""


@dataclass(frozen=True)
class Progress:
    """The progress of a training; see the attributes of the same names in `TrainState`."""

    epoch: int
    batch: int
    step: int
    best: float | None
    best_epoch: int
    seconds: float
    best_loss: float | None = None

    @classmethod
    def of(cls, state: TrainState) -> Progress:
        """Return the progress of a training."""
        return cls(state.epoch, state.batch, state.step, state.best, state.best_epoch, state.seconds, state.best_loss)

    @classmethod
    def from_values(cls, values: Any) -> Progress:
        """Return the progress from the output of `dataclasses.asdict`, validated.

        Raises:
            ValueError: a name is missing or unknown, or a value has the wrong type or is out of range.
        """
        names = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}  # older files lack the others
        if not isinstance(values, Mapping) or not needed <= values.keys() <= names:
            found = set(values.keys()) if isinstance(values, Mapping) else set()
            odd = sorted(map(str, (found - names) | (needed - found)))
            raise ValueError(f"its progress has missing or unknown names: {', '.join(odd)}")
        for name in ("epoch", "batch", "step", "best_epoch"):
            if type(values[name]) is not int or values[name] < 0:
                raise ValueError(f"its progress has {name} = {values[name]!r}")
        if type(values["seconds"]) not in (int, float) or not 0 <= values["seconds"] < math.inf:
            raise ValueError(f"its progress has seconds = {values['seconds']!r}")
        for name in ("best", "best_loss"):
            value = values.get(name)
            if value is not None and (type(value) is not float or math.isnan(value)):
                raise ValueError(f"its progress has {name} = {value!r}")
        return cls(**values)

    def rescaled(self, ratio: Fraction, accumulate: int) -> Progress:
        """Return the same place, to within one step, in a training whose epochs have `ratio` times as many steps.

        Args:
            ratio: see `Schedule.load_state`.
            accumulate: micro-batches of a step.
        """
        steps_in_epoch = math.ceil(self.batch / accumulate)
        batch = math.floor(steps_in_epoch * ratio) * accumulate
        return replace(self, step=math.floor(self.step * ratio), batch=batch)

    def put_into(self, state: TrainState) -> None:
        """Set the state of a training to this progress."""
        state.epoch, state.batch, state.step = self.epoch, self.batch, self.step
        state.best, state.best_epoch, state.seconds = self.best, self.best_epoch, self.seconds
        state.best_loss = self.best_loss


def weights_content(weights: Mapping[str, Tensor], epoch: int, description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint of weights for inference holds.

    Args:
        weights: those of the part of the model used for inference, by name.
        epoch: finished epochs.
        description: JSON values that make the file self-contained: task, configuration, assets.
    """
    return {
        "schema": CHECKPOINT_SCHEMA,
        "description": json.dumps(description, ensure_ascii=False),
        "part": NETWORK,
        "model": weights,
        "epoch": epoch,
    }


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, with its SHA-256, beside the file and rename it.

    Raises:
        OSError: the disk is full; the old file is kept. The free space is checked before the first byte is written.
    """
    content = {**content, "sha256": _digest(content)}
    _require_space(path, content)
    with atomic_file(path) as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # torch.save fails once more while it closes the file
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def save_checkpoint(path: Path, state: TrainState, description: Mapping[str, Any], *, with_training: bool) -> None:
    """Write the part of the model used for inference, or, if `with_training`, everything that is needed to resume.

    Every process must call this; only the writer writes.

    Args:
        path: the file to replace.
        state: the state to save.
        description: JSON values that make the file self-contained: task, configuration, assets.
        with_training: save the whole model, optimizers, schedule, progress, sums, the task's state and the random
            generators.

    Raises:
        OSError: see `write_checkpoint`.
    """
    content = weights_content(network_of(state.task).state_dict(), state.epoch, description)
    if with_training:
        training = _training_state(state)  # collective: every process must call it
        content |= {"part": MODEL, "model": state.task.model.state_dict(), "training": training}
    if state.world.is_writer:
        write_checkpoint(path, content)


def _digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 over every name, plain value and tensor of a checkpoint except the digest itself."""
    digest = hashlib.sha256()
    for name, value in _leaves({key: value for key, value in content.items() if key != "sha256"}):
        digest.update(name.encode())
        if isinstance(value, Tensor):
            array = value.detach().cpu().contiguous()
            digest.update(f"{array.dtype}{tuple(array.shape)}".encode())
            digest.update(array.flatten().view(torch.uint8).numpy().data if array.numel() else b"")
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()


def weights_digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a checkpoint's weights: names, dtypes, shapes and values."""
    return _digest(content["model"])


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{name}/{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}/{index}")
    else:
        yield name, value


def _require_space(path: Path, content: Mapping[str, Any]) -> None:
    tensors = [value for _, value in _leaves(content) if isinstance(value, Tensor)]
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors) + 2**16
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        message = f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
        raise OSError(errno.ENOSPC, message, str(path))


def _training_state(state: TrainState) -> dict[str, Any]:
    first, *others = state.world.gather(state.sums)
    sums = first.merge(others)
    random = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
    return {
        "optimizers": {name: optimizer.state_dict() for name, optimizer in state.optimizers.items()},
        "schedule": state.schedule.state(),
        "progress": asdict(Progress.of(state)),
        "averaged": state.averaged.state_dict() if state.averaged is not None else None,
        "sums": {"losses": sums.losses, "counts": sums.counts, "figures": sums.figures},
        "task": _task_states(state),
        "random": state.world.gather(random),
    }


def _task_states(state: TrainState) -> list[dict[str, Any]] | None:
    """Return the task's state from each process in rank order; None if the task keeps no state.

    Raises:
        TypeError: the state contains something that could not be loaded again.
    """
    if not isinstance(state.task, KeepsState):
        return None
    kept = state.task.state()
    for name, value in _leaves(kept):
        if not isinstance(value, Tensor) and type(value) not in (bool, int, float, str, type(None)):
            kind = type(value).__name__
            raise TypeError(f"a task's state may contain only tensors and plain values, and {name[1:]!r} is a {kind}")
    return state.world.gather(kept)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content, with its tensors on the CPU.

    Raises:
        RunError: the file is missing, damaged, not a checkpoint of dl, or contains anything other than tensors and
            plain values.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle protocol; the content is checked below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint", hint="the run did not save one: train it again") from None
    except pickle.UnpicklingError as error:
        hint = "name a run of dl, its checkpoint or an exported file; dl loads only tensors and plain values"
        raise RunError(f"{path}: {why_refused(error)}", hint=hint) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise RunError(f"{path}: damaged: {first_line(error)}") from None
    if not isinstance(content, dict) or content.get("schema") != CHECKPOINT_SCHEMA or "model" not in content:
        raise RunError(f"{path}: not a checkpoint of dl", hint="`dl runs` lists the runs")
    if content.get("sha256") != _digest(content):
        raise RunError(f"{path}: damaged: its content does not match its SHA-256")
    return content


def find_checkpoint(run: RunDir) -> tuple[Path, dict[str, Any]] | None:
    """Return the path and content of a run's newest intact checkpoint: the last, or the one before it; None without.

    Raises:
        RunError: all checkpoints are damaged.
    """
    if not run.last_checkpoint.exists() and not run.previous_checkpoint.exists():
        return None
    try:
        return run.last_checkpoint, read_checkpoint(run.last_checkpoint)
    except RunError:
        if not run.previous_checkpoint.exists():
            raise
        return run.previous_checkpoint, read_checkpoint(run.previous_checkpoint)


def describe_checkpoint(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the description stored in a checkpoint.

    Raises:
        RunError: the description is damaged.
    """
    try:
        value = parse_json(content["description"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{path}: its description is damaged") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: its description is damaged")
    return value


def load_weights(model: nn.Module, content: Mapping[str, Any], path: Path) -> None:
    """Load a checkpoint's weights into the model.

    Raises:
        RunError: names or shapes differ.
    """
    try:
        model.load_state_dict(content["model"])
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RunError(f"{path}: does not fit the network: {reason}") from None


def load_answering(task: Task, content: Mapping[str, Any], path: Path) -> None:
    """Load a checkpoint's weights into the part of the task's model that they belong to.

    Raises:
        RunError: names or shapes differ.
    """
    part = content.get("part", MODEL)  # older files contain whole models and do not say so
    load_weights(network_of(task) if part == NETWORK else task.model, content, path)


def restore_training(state: TrainState, content: Mapping[str, Any], path: Path) -> None:
    """Restore a training to the state saved in a checkpoint.

    With another number of processes an epoch has other numbers of steps: place and length stay the same in epochs.

    Raises:
        RunError: the checkpoint contains only weights, or does not fit.
    """
    if "training" not in content:
        hint = "resume from last.pt, or start a new run with `dl train --from RUN`"
        raise RunError(f"{path}: contains only weights", hint=hint)
    load_weights(state.task.model, content, path)
    training = content["training"]
    try:
        for name, optimizer in state.optimizers.items():
            optimizer.load_state_dict(training["optimizers"][name])
        ratio = state.schedule.load_state(training["schedule"])
        state.num_epochs = math.ceil(state.schedule.num_steps / state.steps_per_epoch)
        if state.averaged is not None:
            state.averaged.load_state_dict(training["averaged"])
        if isinstance(state.task, KeepsState):
            states = training["task"]
            state.task.load_state(states[min(state.world.rank, len(states) - 1)])  # there may be more processes now
        Progress.from_values(training["progress"]).rescaled(ratio, state.accumulate).put_into(state)
        sums = training["sums"]
        losses, figures = (state.device.move(dict(sums.get(kind, {}))) for kind in ("losses", "figures"))
        state.sums = Sums(losses, dict(sums["counts"]), figures) if state.world.is_writer else Sums()
        if len(training["random"]) == state.world.size:  # with another number of processes the order differs anyway
            random = training["random"][state.world.rank]
            torch.set_rng_state(random["cpu"])
            if len(random["cuda"]) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all(random["cuda"])
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        raise RunError(f"{path}: its training state does not fit: {error}") from None
