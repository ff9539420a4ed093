"""The process of a trial: whatever happens in it, the caller gets a figure or an error that says what happened."""

from __future__ import annotations

import signal
import sys
import time

import pytest
from toys.trials import (
    add,
    crash,
    fill_the_disk,
    have_a_fault,
    leave,
    misuse,
    run_out_of_memory,
    stop_on_a_full_disk,
    work_on,
)

from dlcli.core.errors import DataError, DeviceError, ExitCode, StoppedError
from dlcli.core.run_dir import RunDir
from dlcli.engine.tuning.trial_process import Figure, TrialError, _call, figure_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def never():
    return None


def test_arguments_messages_and_the_result_pass_between_the_processes():
    heard = []

    def answer(message):
        heard.append(message)
        return True

    assert _call(add, (2, 3), answer, never) == 6
    assert heard == [(2,)]


def test_an_error_of_the_user_arrives_with_its_exit_code_and_all_its_lines():
    with pytest.raises(TrialError) as caught:
        _call(misuse, (), bool, never)
    assert caught.value.exit_code == ExitCode.DATA
    assert (
        caught.value.lines()
        == DataError("data/x: nothing there", hint="look elsewhere", details=["one", "two"]).lines()
    )


@pytest.mark.parametrize(
    ("body", "told", "code"),
    [
        (crash, "its process was ended by SIGSEGV", ExitCode.FAULT),
        (leave, "its process ended without an answer (exit 3)", ExitCode.FAULT),
        (have_a_fault, "RuntimeError: a fault", ExitCode.FAULT),
        (run_out_of_memory, "MemoryError", DeviceError.exit_code),
    ],
)
def test_a_process_that_ends_badly_is_an_error_here_and_no_more(body, told, code):
    with pytest.raises(TrialError) as caught:
        _call(body, (), bool, never)
    assert caught.value.message.startswith(told)
    assert caught.value.exit_code == code


@pytest.mark.parametrize("body", [stop_on_a_full_disk, fill_the_disk])
def test_a_full_disk_is_no_failure_of_the_trial(body):
    with pytest.raises(StoppedError, match="runs/x: the disk is full") as caught:
        _call(body, (), bool, never)
    assert caught.value.exit_code == ExitCode.DATA


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_trial_that_shall_stop_saves_and_stops(tmp_path, number, code):
    started = time.monotonic()

    def stop():
        return number if time.monotonic() > started + 2 else None

    with pytest.raises(StoppedError) as caught:
        _call(work_on, (str(tmp_path / "saved"),), bool, stop)
    assert caught.value.exit_code == code


def test_a_figure_is_the_goal_at_the_best_epoch(tmp_path):
    run = RunDir(tmp_path)
    text = '{"schema": 1, "goal": "accuracy", "epochs": 5, "seconds": 2.5, "best": {"epoch": 3, "accuracy": 0.75}'
    run.info_file.write_text(text + "}")
    assert figure_of(run) == Figure(0.75, 5, 3, 2.5)
    run.info_file.write_text(text + ', "pruned": true}')
    assert figure_of(run).is_pruned


@pytest.mark.parametrize(
    "best", ["null", "{}", '{"accuracy": null}', '{"accuracy": true}', '{"accuracy": "0.5"}', "[]"]
)
def test_a_goal_without_a_number_has_no_value(tmp_path, best):
    run = RunDir(tmp_path)
    run.info_file.write_text(f'{{"schema": 1, "goal": "accuracy", "best": {best}}}')
    assert figure_of(run).value is None
