"""`--log-every N`: one JSON line per N steps in `steps.jsonl`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from dlcli.core.files import finite, parse_json, write_text
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


@dataclass(frozen=True)
class _Point:
    """What is known after a step, with tensors that are not read before the epoch ends."""

    step: int
    epoch: int
    lr: float
    losses: dict[str, Tensor]
    counts: dict[str, int]
    norm: Tensor | None


class StepLog(Callback):
    """Writes loss, learning rate and gradient norm after every N steps; a resumed run first removes later lines.

    A loss is the mean over the items of the N steps, and the norm that of the last one's gradients before clipping.
    Values stay tensors on the device until the epoch ends, so that logging does not synchronise it. `records` are the
    lines of the epoch just ended, for the observers after this one.

    Args:
        path: the file.
        every: N.
    """

    def __init__(self, path: Path, every: int) -> None:
        self._path = path
        self._every = every
        self._points: list[_Point] = []
        self.records: list[dict[str, Any]] = []

    def on_train_start(self, state: TrainState) -> None:
        """Keep only the lines of finished steps."""
        self._start(state)
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines() if self._path.exists() else []
        # The steps of finished epochs may have been smaller ones, of fewer processes, and so have higher numbers.
        places = [(line, *_place_of(line)) for line in lines]
        kept = [line for line, epoch, step in places if epoch <= state.epoch or step <= state.step]
        write_text(self._path, "".join(line + "\n" for line in kept))

    def on_step_end(self, state: TrainState) -> None:
        """Keep the sums after every N steps."""
        if state.step % self._every == 0:
            self._points.append(self._point(state))

    def on_epoch_end(self, state: TrainState) -> None:
        """Write the epoch's lines."""
        self._flush()
        self._start(state)

    def on_train_end(self, state: TrainState) -> None:
        """Write the lines of an unfinished epoch, which a resumed run continues."""
        del state
        self._flush()

    def _start(self, state: TrainState) -> None:
        self._points = [self._point(state)]

    def _point(self, state: TrainState) -> _Point:
        sums = state.sums  # its tensors are replaced, not changed, by later steps
        return _Point(
            state.step, state.epoch + 1, state.learning_rate, dict(sums.losses), dict(sums.counts), state.gradient_norm
        )

    def _flush(self) -> None:
        pairs = zip(self._points, self._points[1:], strict=False)
        self.records = [_record(before, point) for before, point in pairs if point.step > before.step]
        self._points = self._points[-1:]
        if self.records:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.writelines(json.dumps(finite(record), allow_nan=False) + "\n" for record in self.records)


def _record(before: _Point, point: _Point) -> dict[str, Any]:
    is_same_epoch = before.epoch == point.epoch
    losses = {}
    for name, total in point.losses.items():
        earlier = float(before.losses[name]) if is_same_epoch and name in before.losses else 0.0
        count = point.counts[name] - (before.counts.get(name, 0) if is_same_epoch else 0)
        losses[name] = (float(total) - earlier) / count if count else 0.0
    record: dict[str, Any] = {"step": point.step, "epoch": point.epoch, "loss": sum(losses.values())}
    if len(losses) > 1:
        record |= {f"loss_{name}": value for name, value in losses.items()}
    record["lr"] = point.lr
    if point.norm is not None:
        record["gradient_norm"] = float(point.norm)
    return record


def _place_of(line: str) -> tuple[float, float]:
    """Return the epoch, from 1, and the step of a line; infinite ones for a damaged line."""
    try:
        record = parse_json(line)
        return int(record["epoch"]), int(record["step"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return float("inf"), float("inf")
