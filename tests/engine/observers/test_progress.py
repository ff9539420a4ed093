"""The progress bar: what a terminal gets to see of it, and what is left when it is erased."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace

import pytest

from dlcli.core.console import Console
from dlcli.engine.observers import progress
from dlcli.engine.observers.epoch_lines import EpochLines
from dlcli.engine.observers.progress import MIN_SECONDS, StepBar

CONTROL = re.compile(r"\x1b\[[0-9;?]*([A-Za-z])")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns, which `open_bar` makes stderr."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


@pytest.fixture
def open_bar(terminal, clock, monkeypatch):
    """A function that opens a bar on the terminal; only within the test, since pytest sets stderr before it."""

    def bar_of(total):
        monkeypatch.setattr(sys, "stderr", terminal)
        return StepBar(total)

    return bar_of


def screen(written):
    """Return the lines that a terminal shows after these characters, without the empty ones.

    It knows what a bar needs: carriage return, line feed, cursor up (A) and erase line (K).
    """
    lines, row, column = [""], 0, 0
    for match in re.finditer(r"\x1b\[([0-9;?]*)([A-Za-z])|([\s\S])", written):
        count, control, sign = match.groups()
        if control == "A":
            row = max(row - int(count or 1), 0)
        elif control == "K":
            lines[row] = "" if count == "2" else lines[row][:column]
        elif sign == "\r":
            column = 0
        elif sign == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif sign is not None:
            lines[row] = lines[row][:column].ljust(column) + sign + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]


def drawn(terminal):
    """Return how often a bar with a description was drawn."""
    return CONTROL.sub("", terminal.getvalue()).count("epoch")


def test_a_bar_names_what_is_done_and_how_much_of_it(terminal, clock, open_bar):
    bar = open_bar(8)
    bar.show("epoch 1/3", 2)
    (line,) = screen(terminal.getvalue())
    bar.close()
    assert line.startswith("epoch 1/3 ")
    assert "2/8" in line
    assert len(line) <= 80


def test_a_closed_bar_leaves_nothing_on_the_screen_and_shows_the_cursor_again(terminal, clock, open_bar):
    bar = open_bar(8)
    bar.show("epoch 1/3", 8)
    assert screen(terminal.getvalue()) != []
    bar.close()
    assert screen(terminal.getvalue()) == []
    cursor = re.findall(r"\x1b\[\?25([lh])", terminal.getvalue())
    assert cursor[0] == "l"
    assert cursor[-1] == "h"


def test_it_is_drawn_at_most_once_in_a_tenth_of_a_second(terminal, clock, open_bar):
    bar = open_bar(1000)
    for step in range(1, 1001):  # a thousand steps of a millisecond: one second
        clock.now = 100.0 + step / 1000
        bar.show("epoch 1/1", step)
    count = drawn(terminal)
    bar.close()
    assert MIN_SECONDS == 0.1
    assert 9 <= count <= 10, "the first at once, then one after each tenth of the second"


def test_a_step_between_two_drawings_is_in_the_next_one(terminal, clock, open_bar):
    bar = open_bar(8)
    bar.show("epoch 1/1", 1)
    bar.show("epoch 1/1", 2)
    assert "1/8" in screen(terminal.getvalue())[0]
    clock.now += 0.2
    bar.show("epoch 1/1", 3)
    assert "3/8" in screen(terminal.getvalue())[0]
    bar.close()


def test_a_line_written_after_clearing_stands_alone_and_the_next_epoch_starts_from_its_own_count(
    terminal, clock, open_bar
):
    bar = open_bar(8)
    bar.show("epoch 1/2", 8)
    bar.clear()
    sys.stderr.write("epoch 1/2  loss 0.5\n")
    assert screen(terminal.getvalue()) == ["epoch 1/2  loss 0.5"]
    clock.now += 0.2
    bar.show("epoch 2/2", 3)
    line, below = screen(terminal.getvalue())
    bar.close()
    assert line == "epoch 1/2  loss 0.5"
    assert below.startswith("epoch 2/2 ")
    assert "3/8" in below
    assert screen(terminal.getvalue()) == ["epoch 1/2  loss 0.5"]


def test_a_file_as_stderr_gets_no_control_sequence_from_a_bar(monkeypatch, clock):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = StepBar(total=8)
    bar.show("epoch 1/1", 4)
    bar.clear()
    bar.close()
    assert "\x1b" not in sys.stderr.getvalue()


@pytest.mark.parametrize(
    ("stream", "is_quiet", "count"),
    [(Terminal, False, 1), (Terminal, True, 0), (io.StringIO, False, 0)],
    ids=["terminal", "quiet", "file"],
)
def test_a_training_opens_a_bar_only_on_a_terminal_that_is_to_be_written_to(
    terminal, clock, monkeypatch, stream, is_quiet, count
):
    monkeypatch.setattr(sys, "stderr", stream())
    state = SimpleNamespace(epoch=1, num_epochs=3, step=10, steps_per_epoch=8)
    lines = EpochLines(Console(is_quiet=is_quiet))
    lines.on_train_start(state)
    lines.on_step_end(state)
    written = sys.stderr.getvalue()
    lines.on_train_end(state)
    shown = screen(written)
    assert len(shown) == count
    assert not count or (shown[0].startswith("epoch 2/3 ") and "2/8" in shown[0]), "step 10 is the second of epoch 2"
    assert count or written == ""
