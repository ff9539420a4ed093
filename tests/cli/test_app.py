from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from dlcli.cli import app, inspect
from dlcli.cli.commands import COMMANDS
from dlcli.core import errors
from dlcli.core.errors import DlError, ExitCode
from dlcli.core.interruption import Terminated


def _failing(bench: Any, error: BaseException) -> None:
    """Let `dl tasks` fail."""

    def fail(*_: Any) -> Any:
        raise error

    bench.patch.setattr(inspect, "all_tasks", fail)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DlError)]
)
def test_every_error_of_ours_has_its_code_and_says_what_where_and_the_fix(
    kind: Callable[..., DlError], bench: Any, dl: Any
) -> None:
    more = {"exit_code": ExitCode.TERMINATED} if kind is errors.StoppedError else {}
    error = kind("it broke", hint="mend it", **more)
    _failing(bench, error)
    answer = dl("tasks")
    assert (answer.code, answer.out) == (error.exit_code, "")
    assert answer.err == "error: it broke\n  fix: mend it\n"


def test_an_unexpected_exception_is_our_fault_in_two_lines(bench: Any, dl: Any) -> None:
    _failing(bench, ZeroDivisionError("by\nzero " + "x" * 999))
    answer = dl("tasks")
    first, second = answer.err.splitlines()
    assert answer.code == ExitCode.FAULT
    assert re.match(r"error: internal error in dl: ZeroDivisionError: by zero x+$", first)
    assert len(first) < 260
    assert "--debug" in second


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ZeroDivisionError("by zero"), ExitCode.FAULT, "error: internal error in dl: ZeroDivisionError: by zero"),
        (errors.DataError("it broke", hint="mend it"), ExitCode.DATA, "error: it broke"),
        (OSError(5, "broke"), ExitCode.DATA, "error: broke"),
        (errors.StoppedError("stopped", exit_code=ExitCode.TERMINATED), ExitCode.TERMINATED, "error: stopped"),
    ],
)
def test_debug_shows_the_traceback_and_keeps_message_and_code(
    error: Exception, code: int, says: str, bench: Any, dl: Any
) -> None:
    _failing(bench, error)
    answer = dl("tasks", "--debug")
    assert (answer.code, answer.out) == (code, "")
    trace, message = answer.err.split("error: ", 1)[0], answer.err[answer.err.rindex("\nerror: ") + 1 :]
    assert trace.startswith("Traceback (most recent call last):\n") and ", in fail\n" in trace
    assert message.startswith(says)
    without = dl("tasks")
    assert (without.code, without.err.splitlines()[0]) == (code, message.splitlines()[0])


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_debug_keeps_the_codes_of_signals(error: BaseException, code: int, bench: Any, dl: Any) -> None:
    _failing(bench, error)
    assert dl("tasks", "--debug").code == code


def test_debug_keeps_the_code_of_a_wrong_line(bench: Any, dl: Any) -> None:
    answer = dl("train", "digits", "--epohcs", "3", "--debug")
    assert answer.code == ExitCode.USAGE
    assert answer.err.startswith("Traceback") and "\nerror: " in answer.err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOENT, "No such file or directory", "/proc/.x.lock"), "folder exists"),
        (OSError(errno.EIO, "Input/output error"), "--debug"),
    ],
)
def test_what_the_system_refuses_has_a_fix(error: OSError, says: str, bench: Any, dl: Any) -> None:
    _failing(bench, error)
    answer = dl("tasks")
    assert answer.code == ExitCode.DATA
    assert re.fullmatch(rf"error: [^\n]+\n  fix: [^\n]*{re.escape(says)}[^\n]*\n", answer.err)


def test_a_full_disk_is_named(bench: Any, dl: Any) -> None:
    _failing(bench, OSError(errno.ENOSPC, "No space left on device", "runs/x"))
    answer = dl("tasks")
    assert answer.code == ExitCode.DATA
    assert answer.err.startswith("error: runs/x: the disk is full\n  fix: ")


def test_ctrl_c_ends_with_130_and_one_line(bench: Any, dl: Any) -> None:
    _failing(bench, KeyboardInterrupt())
    answer = dl("tasks")
    assert (answer.code, answer.out, answer.err) == (ExitCode.INTERRUPTED, "", "error: interrupted\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("tarin digits", "did you mean 'train'?"),
        ("eval", "`dl eval -h`"),
        ("train digits --epohcs 3", "--epochs"),
        ("--wrong", "`dl -h`"),
    ],
)
def test_a_wrong_line_is_answered_in_the_same_shape(line: str, says: str, bench: Any, dl: Any) -> None:
    answer = dl(*line.split())
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert re.fullmatch(r"error: [^\n]+\n  fix: [^\n]+\n", answer.err)
    assert says in answer.err


def test_the_version_is_one_line(bench: Any, dl: Any) -> None:
    answer = dl("--version")
    assert (answer.code, answer.err) == (0, "")
    assert re.fullmatch(r"dl \d+\.\d+\.\d+\S*\n", answer.out)


def test_every_command_of_the_table_can_be_loaded() -> None:
    group = app.build_app()
    names = group.list_commands(None)
    assert names == list(COMMANDS)
    assert [group.get_command(None, name).name for name in names] == names


def test_the_module_is_the_same_program(bench: Any, environment: dict[str, str]) -> None:
    lines = [[sys.executable, "-m", "dlcli"], ["dl"]]
    answers = [subprocess.run([*line, "tasks"], env=environment, capture_output=True, text=True) for line in lines]
    assert answers[0].stdout == answers[1].stdout != ""
