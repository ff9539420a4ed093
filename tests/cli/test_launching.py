"""`--devices N`: the processes that it starts, and the one answer that it makes of theirs.

The processes run a small program in place of a training: `python -P -m dlcli` finds the package of this name in the
folder that PYTHONPATH names.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dlcli.cli import launching
from dlcli.cli.launching import launch
from dlcli.core.console import Console

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups and no SIGTERM for another")

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path

rank, restart = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])

def error(line):
    (Path(os.environ["DLCLI_ERRORS"]) / str(rank)).write_text(line)

def wait_for(other):
    while not (Path(os.environ["DLCLI_ERRORS"]) / str(other)).exists():
        time.sleep(0.01)

def leave():
    record = {"words": sys.argv[1:], "environment": dict(os.environ), "group": os.getpgid(0)}
    Path(f"{restart}-{rank}.json").write_text(json.dumps(record))

"""


@pytest.fixture
def run_as(tmp_path, monkeypatch, capsys):
    """A function that launches processes of a program, and returns the exit code and what was written to stderr."""
    (tmp_path / "package" / "dlcli").mkdir(parents=True)
    (tmp_path / "package" / "dlcli" / "__init__.py").touch()  # without it the installed package comes first
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "package"))
    monkeypatch.setattr(launching, "GRACE_S", 0.3)
    monkeypatch.setattr(launching, "POLL_S", 0.01)

    def call(program, count=2, words=("train", "digits")):
        (tmp_path / "package" / "dlcli" / "__main__.py").write_text(PROGRAM + program)
        code = launch(count, words, Console())
        out, err = capsys.readouterr()
        assert out == ""
        return int(code), err

    return call


def records():
    return {path.stem: json.loads(path.read_text()) for path in sorted(Path().glob("*.json"))}


def test_each_process_has_the_words_and_its_number_and_all_share_one_address(run_as, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launching, "usable_cores", lambda: 8)
    assert run_as("leave()", 3, ("train", "digits", "--name", "a b")) == (0, "")
    found = [record["environment"] for record in records().values()]
    assert [record["words"] for record in records().values()] == [["train", "digits", "--name", "a b"]] * 3
    assert [(one["RANK"], one["LOCAL_RANK"], one["WORLD_SIZE"]) for one in found] == [
        ("0", "0", "3"),
        ("1", "1", "3"),
        ("2", "2", "3"),
    ]
    for name in ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "DLCLI_ERRORS"):
        assert len({one[name] for one in found}) == 1, name
    assert found[0]["MASTER_ADDR"] == "127.0.0.1"
    assert {one["OMP_NUM_THREADS"] for one in found} == {"2"}, "8 cores for 3 processes"
    assert not Path(found[0]["DLCLI_ERRORS"]).exists(), "the folder of the errors is removed"
    groups = {record["group"] for record in records().values()}
    assert len(groups) == 3
    assert os.getpgid(0) not in groups


@pytest.mark.parametrize(("given", "cores", "threads"), [("5", 8, "5"), (None, 1, "1")], ids=["given", "few cores"])
def test_a_number_of_threads_that_is_given_counts_and_there_is_at_least_one(run_as, monkeypatch, given, cores, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(launching, "usable_cores", lambda: cores)
    run_as("leave()")
    assert {record["environment"]["OMP_NUM_THREADS"] for record in records().values()} == {threads}


def test_each_launch_has_its_own_name(run_as):
    found = []
    for _ in range(2):
        run_as("leave()", 1)
        found.append(records()["0-0"]["environment"]["TORCHELASTIC_RUN_ID"])
    assert found[0] != found[1]


SECOND_FIRST = """
if rank == 0:
    wait_for(1)
    time.sleep(0.02)  # the times of the two files differ
error(f"error: from process {rank}")
wait_for(0)"""
"""Both processes leave an error, the second one first."""


def test_the_error_that_came_first_is_the_answer_with_its_exit_code(run_as):
    assert run_as(f"{SECOND_FIRST}; sys.exit((5, 4)[rank])") == (4, "error: from process 1\n")


def test_of_errors_with_the_same_code_that_of_the_first_process_counts(run_as):
    assert run_as(f"{SECOND_FIRST}; sys.exit(4)") == (4, "error: from process 0\n")


def test_those_that_wait_for_a_failed_one_are_ended_even_if_they_ignore_sigterm(run_as):
    program = """
if rank == 1:
    while not Path("deaf").exists():
        time.sleep(0.01)
    error("error: no data")
    sys.exit(4)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path("deaf").touch()
time.sleep(60)
"""
    started = time.monotonic()
    assert run_as(program) == (4, "error: no data\n")
    assert time.monotonic() - started < 20


def test_an_exit_without_a_message_names_the_exit_code(run_as):
    assert run_as("sys.exit(7 * rank)") == (7, "error: one of 2 processes was ended by exit 7\n")


def test_all_start_again_after_one_was_killed_and_keep_the_name_of_their_launch(run_as):
    program = """
leave()
if (rank, restart) == (1, 0):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_as(program) == (0, "a process was killed by SIGKILL: starting all of them again\n")
    found = records()
    assert list(found) == ["0-0", "0-1", "1-0", "1-1"]
    assert len({record["environment"]["TORCHELASTIC_RUN_ID"] for record in found.values()}) == 1


def test_they_start_again_three_times_and_no_more(run_as):
    code, written = run_as("leave(); os.kill(os.getpid(), signal.SIGKILL)", 1)
    *restarts, last = written.splitlines()
    assert restarts == ["a process was killed by SIGKILL: starting all of them again"] * 3
    assert last == "error: one of 1 processes was ended by SIGKILL"
    assert list(records()) == ["0-0", "1-0", "2-0", "3-0"]
    assert code == 1


def test_an_error_starts_nothing_again(run_as):
    run_as("leave(); sys.exit(4)", 1)
    assert list(records()) == ["0-0"]


def send_once(path, number):
    """Send this process a signal as soon as the file exists."""

    def wait():
        while not Path(path).exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_each_process_once_and_their_code_is_the_answer(run_as, number, code):
    program = f"""
count = 0

def note(number, frame):
    global count
    count += 1

signal.signal({int(number)}, note)
Path(f"ready-{{rank}}").touch()
if rank == 1:
    while not Path("ready-0").exists():
        time.sleep(0.01)
    Path("ready").touch()
while not count:
    time.sleep(0.01)
time.sleep(0.1)
Path(f"count-{{rank}}").write_text(str(count))
error("error: stopped")
sys.exit({code})
"""
    # What starts the tests in the background may ignore SIGINT, and so would these processes.
    outside = signal.signal(number, signal.SIG_DFL)
    try:
        thread = send_once("ready", number)
        assert run_as(program) == (code, "error: stopped\n")
        thread.join()
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, outside)
    assert [Path(f"count-{rank}").read_text() for rank in (0, 1)] == ["1", "1"]


def test_processes_that_a_signal_kills_before_they_heed_it_start_nothing_again(run_as):
    program = 'signal.signal(signal.SIGTERM, signal.SIG_DFL); Path("ready").touch(); time.sleep(60)'
    thread = send_once("ready", signal.SIGTERM)
    assert run_as(program, 1) == (143, "error: terminated\n")
    thread.join()


def test_a_signal_that_the_caller_ignores_is_ignored_by_the_launcher(run_as):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        program = "os.kill(os.getppid(), signal.SIGHUP); leave()"
        assert run_as(program, 1) == (0, "")
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


LAUNCHER_GONE = """
import signal, sys, time
from dlcli.cli.launching import end_with_launcher

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(9))
end_with_launcher()
print("watching", flush=True)
for _ in range(int(sys.argv[1])):
    time.sleep(0.01)  # it stops between two steps, not within one
"""


@pytest.mark.parametrize(("is_launched", "code"), [(True, 9), (False, 0)])
def test_a_process_ends_with_its_launcher_unless_torchrun_started_it(is_launched, code, tmp_path):
    kept = {name: value for name, value in os.environ.items() if name != "DLCLI_ERRORS"}
    more = {"DLCLI_ERRORS": str(tmp_path)} if is_launched else {}
    line = [sys.executable, "-c", LAUNCHER_GONE, "3000" if is_launched else "20"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env={**kept, **more}, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "watching\n"
        process.stdin.close()
        assert process.wait(timeout=20) == code


@pytest.mark.parametrize("words", [("--devices", "3"), ("--devices=3",)])
@pytest.mark.parametrize("target", [(), ("--resume", "digits-lenet-1")], ids=["new", "resumed"])
def test_the_processes_get_the_command_line_without_its_devices(bench, dl, monkeypatch, words, target):
    if target:
        bench.run()
    else:
        bench.digits()
    seen = []
    monkeypatch.setattr(launching, "launch", lambda count, words, console: seen.append((count, words)) or 12)
    monkeypatch.delenv("RANK", raising=False)
    start = ("train", *(target or ("digits", "--epochs", "1")))
    assert dl(*start, *words, "--threads", "1").code == 12
    assert seen == [(3, [*start, "--threads", "1"])]


@pytest.mark.parametrize(
    ("words", "code"), [(("--devices", "2", "--seed", "1"), 2), (("--devices", "1025"), 2), (("--devices", "two"), 2)]
)
def test_what_is_refused_starts_no_process(bench, dl, monkeypatch, words, code):
    run = bench.run()
    seen = []
    monkeypatch.setattr(launching, "launch", lambda *arguments: seen.append(arguments) or 0)
    answer = dl("train", "--resume", run.name, *words)
    assert (answer.code, seen) == (code, [])
    assert answer.err.startswith("error: ")
