"""`--profile`: where a step's time goes, and a trace of some steps for a viewer (Perfetto, chrome://tracing).

The table comes from steps timed by a clock alone, since the profiler slows down the steps that it traces. Both
synchronise the device at each change of phase, so on an accelerator the phases do not overlap as they do in training.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from torch.profiler import profile, record_function, supported_activities

from dlcli.core.console import Console
from dlcli.core.files import write_json
from dlcli.engine.callbacks import Callback
from dlcli.engine.state import TrainState

PHASES = ("data", "forward", "backward", "optimizer", "rest")
"""In the order of a step; `rest` is logging, checks and signals."""

PAUSE = "pause"
"""Time outside the steps."""

WARM_UP, TIMED, TRACED = 5, 10, 10
"""Numbers of steps: first those that build kernels and fill caches, then those for the table, then for the trace."""


class Profile(Callback):
    """Profiles some steps early in the training, then detaches.

    Args:
        folder: where `step.json` and `trace.json` are written.
        console: where the table is printed.
        clock: returns seconds since an arbitrary moment.
    """

    def __init__(self, folder: Path, console: Console, clock: Callable[[], float] = time.perf_counter) -> None:
        self._folder = folder
        self._console = console
        self._clock = clock
        self._steps = 0
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._phase = PAUSE
        self._since = 0.0
        self._mark = ExitStack()
        self._profiler: profile | None = None
        self._unsaid: list[str] = []

    def on_train_start(self, state: TrainState) -> None:
        """Create the folder, and remember the original phase callback."""
        self._folder.mkdir(exist_ok=True)
        self._unwatched = state.phase

    def on_step_end(self, state: TrainState) -> None:
        """Count the step, and switch to the next stage when due."""
        self._steps += 1
        if self._steps == WARM_UP:
            state.phase = lambda phase: self._time(state, phase)
        elif self._steps == WARM_UP + TIMED:
            state.phase(PAUSE)
            state.phase = lambda phase: self._trace(state, phase)
            os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise it logs to stderr
            self._profiler = profile(activities=supported_activities())  # type: ignore[no-untyped-call]
            self._profiler.start()
        elif self._steps == WARM_UP + TIMED + TRACED:
            self._finish(state)

    def on_epoch_end(self, state: TrainState) -> None:
        """Print the table, after the epoch's line so that it does not collide with the progress bar."""
        del state
        for line in self._unsaid:
            self._console.say(line)
        self._unsaid = []

    def on_train_end(self, state: TrainState) -> None:
        """If the training was too short, finish with the steps so far."""
        if self._steps < WARM_UP + TIMED + TRACED:
            self._finish(state)
        self.on_epoch_end(state)

    def _time(self, state: TrainState, phase: str) -> None:
        state.device.synchronize()
        now = self._clock()
        if self._phase in self._seconds:
            self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def _trace(self, state: TrainState, phase: str) -> None:
        state.device.synchronize()
        self._mark.close()
        if phase in self._seconds:
            self._mark.enter_context(record_function(phase))

    def _finish(self, state: TrainState) -> None:
        state.phase(PAUSE)
        state.phase = self._unwatched
        num_timed = min(self._steps - WARM_UP, TIMED)
        if num_timed < 1:
            self._console.warn(f"--profile: the training ended after {self._steps} steps, all of them warm-up")
            return
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler.export_chrome_trace(str(self._folder / "trace.json"))
        seconds = {phase: total / num_timed for phase, total in self._seconds.items()}
        step = {"steps": num_timed, "device": state.device.describe(), "seconds": seconds}
        write_json(self._folder / "step.json", step)
        self._unsaid = step_table(seconds, num_timed)


def step_table(seconds: dict[str, float], num_steps: int) -> list[str]:
    """Return the lines of the table: the milliseconds of each phase and its share of the step."""
    whole = sum(seconds.values())
    rows = [f"  {phase:<10}{1e3 * part:9.2f} ms{part / whole:7.1%}" for phase, part in seconds.items()]
    return [f"a step takes {1e3 * whole:.2f} ms (mean of {num_steps}):", *rows]
