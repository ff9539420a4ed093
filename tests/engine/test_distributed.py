"""Two processes on this machine's CPU, joined by gloo as torchrun joins them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

TESTS = str(Path(__file__).parent.parent)

WORKER = """
import os, sys, json, torch
sys.path.insert(0, sys.argv[1])
import conftest
from dlcli.core.train_config import TrainConfig
from dlcli.engine.device import Device, open_device
from dlcli.engine.distributed import joined, world_of_environment
from dlcli.engine.loop import start_state, train
torch.set_num_threads(1)
kind, batch_size = sys.argv[2], int(sys.argv[3])
with joined(world_of_environment(), Device(torch.device("cpu"))) as world:
    config = TrainConfig(epochs=3, batch_size=batch_size, learning_rate=0.05, schedule="cosine")
    make = getattr(conftest, kind)
    task = make(config, dropout=0.0) if kind == "ToyTask" else make(config)
    loader = task.loader("train", training=True, shard=world.shard)
    state = start_state(task, loader, config, Device(torch.device("cpu")), world)
    train(state, loader, task.loader("valid", shard=world.shard), config, [])
    weights = torch.cat([value.flatten() for value in task.model.state_dict().values()])
    everyone = world.gather(weights.tolist())
    figures = {k: v for k, v in state.record.items() if k not in ("seconds", "items_per_s")}
    if world.is_writer:
        print(json.dumps({"weights": everyone, "record": figures, "steps": state.step}), flush=True)
os._exit(0)  # as `dl` ends in such a process; see dlcli/__main__.py
"""


def run_worker(processes, kind, batch_size):
    command = [sys.executable, "-c", WORKER, TESTS, kind, str(batch_size)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if processes == 1:
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
    with socket.socket() as probe:  # a port that is free now
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    workers = []
    for rank in range(processes):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        workers.append(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**environment, **shared, **own},
            )
        )
    answers = [worker.communicate(timeout=120) for worker in workers]
    errors = [error[-1500:] for _, error in answers]
    assert [worker.returncode for worker in workers] == [0] * processes, errors
    return json.loads(answers[0][0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ToyTask", "ToyGan"])
def test_two_processes_of_eight_equal_one_of_sixteen(kind):
    alone, together = run_worker(1, kind, 16), run_worker(2, kind, 8)
    assert together["steps"] == alone["steps"]
    assert together["weights"][0] == together["weights"][1], "the processes hold the same weights"
    torch.testing.assert_close(
        torch.tensor(together["weights"][0]), torch.tensor(alone["weights"][0]), rtol=1e-4, atol=1e-6
    )
    for name, value in alone["record"].items():
        assert together["record"][name] == pytest.approx(value, rel=1e-4), name


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_the_run_ends_whole(tmp_path):
    """SIGKILL one of two workers after the first epoch; torchrun starts both again, and they go on from it."""
    options = ["--model", "lenet", "--epochs", "12", "--precision", "fp32", "--threads", "1", "--batch-size", "16"]
    command = [sys.executable, "-m", "dlcli", "train", "digits", "--devices", "2", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as launcher:
        deadline = time.monotonic() + 120
        while not (saved := list(tmp_path.glob("runs/*/checkpoints/last.pt"))) and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        assert saved, "no epoch was finished"
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        _, errors = launcher.communicate(timeout=240)
    assert launcher.returncode == 0, errors[-2000:]
    assert "resuming" in errors
    [run] = [path.parent for path in tmp_path.glob("runs/*/run.json")]
    info = json.loads((run / "run.json").read_text())
    assert (info["status"], info["epochs"], info["processes"]) == ("finished", 12, 2)
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, 13))
    assert records[-1]["step"] == 12 * records[0]["step"], "no step was lost or taken twice"
