"""Whole processes whose streams, machines or groups are taken from them, and what a resumed run remembers of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.core.run_dir import RunDir

RUN = "digits-lenet-1"


@pytest.fixture
def interrupted(bench):
    """The trained run, as if it had been interrupted after its last epoch."""
    run = RunDir(bench.run())
    run.update_info(status="interrupted")
    return run


def test_a_resumed_run_remembers_on_which_machine_which_part_was_trained(interrupted, dl):
    answer = dl("train", "--resume", RUN, "--device", "cpu", "--threads", "1", "--workers", "3", "--quiet")
    assert (answer.code, answer.out) == (0, f"runs/{RUN}\n"), answer.err
    info, config = interrupted.info(), interrupted.config()
    assert (config["device"], config["workers"]) == ("cpu", 3)
    [part] = info["resumed"]
    assert part["changes"] == {"device": ["auto", "cpu"], "workers": [None, 3]}
    assert (info["status"], part["step"], part["processes"]) == ("finished", 3, 1)
    assert not interrupted.lock_file.exists()


def test_damaged_metrics_are_reported_and_the_run_is_finished(interrupted, dl):
    interrupted.metrics_file.write_bytes(b"\xff\xfe rubbish\n")
    answer = dl("train", "--resume", RUN, "--quiet")
    assert (answer.code, "metrics of 1 finished epochs are lost" in answer.err) == (0, True)
    assert interrupted.info()["status"] == "finished"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(("eval", RUN, "--no-plots"), marks=pytest.mark.slow),
        pytest.param(("predict", RUN, "cat.png"), marks=pytest.mark.slow),
        ("runs",),
    ],
)
def test_numbers_of_a_process_change_no_command_that_does_not_train(bench, environment, dl, line):
    bench.run()
    bench.png("cat.png")
    plain = dl(*line)
    numbered = subprocess.run(
        [sys.executable, "-m", "dlcli", *line],
        env={**environment, "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert plain.out
    assert (numbered.returncode, numbered.stdout) == (plain.code, plain.out)


def test_a_picture_is_never_saved_onto_an_input(bench, dl):
    bench.run()
    before = bench.png("cat.png").read_bytes()
    for _ in range(2):
        assert dl("predict", RUN, "cat.png", "--save-dir", ".").code == 0
    assert (bench.home / "cat.png").read_bytes() == before
    assert sorted(path.name for path in bench.home.glob("*.png")) == ["cat-2.png", "cat.png"]


def test_a_link_stays_a_link_and_its_file_is_written(bench, dl):
    bench.run()
    (bench.home / "elsewhere").mkdir()
    (bench.home / "curves.png").symlink_to(bench.home / "elsewhere" / "curves.png")
    assert dl("visualize", "curves", RUN, "--out", "curves.png").code == 0
    assert (bench.home / "curves.png").is_symlink()
    assert (bench.home / "elsewhere" / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_lost_stderr_does_not_end_a_training(bench, environment):
    bench.digits()
    line = "dl train digits --model lenet --epochs 8 --threads 1 --name r 2>&1 >out | head -1"
    subprocess.run(["bash", "-c", line], env=environment, capture_output=True, timeout=120, check=True)
    run = RunDir(Path("runs/r"))
    assert (run.info()["status"], Path("out").read_text()) == ("finished", "runs/r\n")
    assert run.log_file.read_text().count("epoch ") >= 8


@pytest.mark.slow
def test_several_processes_answer_an_error_once_with_its_code(bench, environment):
    bench.digits()
    bench.write("tokenize.py", "raise SystemExit('the files of this folder are not for imports')")
    line = ["dl", "train", "digits", "--model", "lenet", "--epochs", "1", "--devices", "2", "--device", "cuda:9"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 10, done.stderr
    assert done.stderr.count("error: ") == 1
    assert len(done.stderr.splitlines()) <= 6
    assert not Path("runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--devices", "2")], ids=["alone", "two processes"])
def test_a_signal_to_the_whole_group_is_one_signal(bench, environment, more):
    bench.digits()
    line = ["dl", "train", "digits", "--model", "lenet", "--epochs", "400", "--threads", "1", "--name", "r", *more]
    with subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        while "epoch 1/" not in process.stderr.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "stopped by SIGTERM at step" in err
    info = json.loads(Path("runs/r/run.json").read_text())
    assert info["status"] == "interrupted"


FULL = """
mkdir m; mount -t tmpfs -o size=4m tmpfs m || exit 99
cd m; head -c 3700000 /dev/zero > fill
dl train digits --data ../data/digits --model lenet --epochs 30 --threads 1 --name r -q 2>../err; echo $? >../first
rm -f fill; dl train --resume r -q >../out 2>>../second
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no private mounts")
def test_a_full_disk_is_said_in_a_few_lines_and_the_run_goes_on_once_there_is_room(bench, environment):
    bench.digits()
    done = subprocess.run(["unshare", "-rm", "bash", "-c", FULL], env=environment, capture_output=True, timeout=200)
    if done.returncode in (1, 99) and not Path("first").exists():
        pytest.skip("no private mounts")
    err = Path("err").read_text()
    if Path("first").read_text() == "0\n":
        pytest.skip("the disk was large enough")
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 6
    assert (Path("first").read_text(), "dl train --resume r" in err) == ("3\n", True), err
    assert Path("out").read_text() == "runs/r\n", Path("second").read_text()
