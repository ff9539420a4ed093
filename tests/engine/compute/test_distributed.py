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
from torch.distributed import HashStore

from dlcli.engine.compute import distributed
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import World, joined

TESTS = str(Path(__file__).parents[2])

WORKER = """
import os, sys, json, torch
sys.path.insert(0, sys.argv[1])
import conftest
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device, open_device
from dlcli.engine.compute.distributed import joined, world_of_environment
from dlcli.engine.loop import start_state, train
torch.set_num_threads(1)
batch_size, cases = int(sys.argv[2]), json.loads(sys.argv[3])
answers = []
with joined(world_of_environment(), Device(torch.device("cpu"))) as world:
    for kind, accumulate in cases:
        config = TrainConfig(
            epochs=3, batch_size=batch_size, learning_rate=0.05, schedule="cosine", accumulate=accumulate, clip_norm=1.0
        )
        make = getattr(conftest, kind)
        task = make(config, dropout=0.0) if kind == "ToyTask" else make(config)
        loader = task.loader("train", training=True, shard=world.shard)
        state = start_state(task, loader, config, Device(torch.device("cpu")), world)
        train(state, loader, task.loader("valid", shard=world.shard), config, [])
        weights = torch.cat([value.flatten() for value in task.model.state_dict().values()])
        everyone = world.gather(weights.tolist())
        figures = {k: v for k, v in state.record.items() if k not in ("seconds", "items_per_s")}
        answers.append({"weights": everyone, "record": figures, "steps": state.step})
    if world.is_writer:
        print(json.dumps(answers), flush=True)
os._exit(0)  # as `dl` ends in such a process; see dlcli/__main__.py
"""


POOLS = """
import os, sys, json, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from toys.gan import PoolGan
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import joined, world_of_environment
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training
torch.set_num_threads(1)
cpu, run = Device(torch.device("cpu")), RunDir(Path(sys.argv[2]))
with joined(world_of_environment(), cpu) as world:
    pools = []
    for is_resumed in (False, True):
        config = TrainConfig(epochs=1, batch_size=8, learning_rate=0.01)
        task = PoolGan(config)
        loader = task.loader("train", training=True, shard=world.shard)
        state = start_state(task, loader, config, cpu, world)
        if is_resumed:
            restore_training(state, world.share(read_checkpoint(run.last_checkpoint)), run.last_checkpoint)
        else:
            train(state, loader, None, config, [Checkpoints(run, {})])
        pools.append(torch.stack(task.pool.pictures).tolist())
        world.wait()
    everyone = world.gather(pools)
    if world.is_writer:
        print(json.dumps(everyone), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(("serves", "is_unique"), [("True", True), ("False", False), (None, False)])
def test_restarts_share_the_id_of_their_launch_and_no_other_launch_of_torchrun_has_it(monkeypatch, serves, is_unique):
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    if serves is not None:
        monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", serves)
    ids, first, second = [], HashStore(), HashStore()
    for store, restarts in ((first, 0), (first, 1), (second, 0)):
        monkeypatch.setattr(distributed, "rendezvous", lambda url, store=store: iter([(store, 0, 1)]))
        with joined(World(launch="none", restarts=restarts), Device(torch.device("cpu"))) as world:
            ids.append(world.launch)
    assert ids[0] == ids[1]
    assert (ids[2] != ids[0]) == is_unique


def test_a_process_that_nothing_launched_meets_no_other(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")  # of a job around it
    monkeypatch.setattr(distributed, "rendezvous", lambda url: pytest.fail("there is no store"))
    with joined(World(), Device(torch.device("cpu"))) as world:
        assert world == World()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_processes(processes, script, *words):
    """Return what the first of the processes prints, as JSON."""
    command = [sys.executable, "-c", script, TESTS, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if processes == 1:
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
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


EQUAL = [("ToyTask", 1), ("ToyTask", 2), ("ToyGan", 1), ("ToyRouted", 1), ("ToyRouted", 2)]
CRITICS = [("ToyWgan", 1), ("ToyPenalty", 1)]
"""Tasks with a number of batches in a step."""


@pytest.fixture(scope="module")
def trained():
    """What one process of 16 and two of 8 make of each case; a process takes 9 s of CPU to start."""
    cases = [*EQUAL, *CRITICS]
    alone, together = (
        run_processes(processes, WORKER, str(16 // processes), json.dumps(cases)) for processes in (1, 2)
    )
    return dict(zip(cases, zip(alone, together, strict=True), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "accumulate"), EQUAL)
def test_two_processes_of_eight_equal_one_of_sixteen(kind, accumulate, trained):
    alone, together = trained[kind, accumulate]
    assert together["steps"] == alone["steps"]
    assert together["weights"][0] == together["weights"][1], "the processes hold the same weights"
    torch.testing.assert_close(
        torch.tensor(together["weights"][0]), torch.tensor(alone["weights"][0]), rtol=1e-4, atol=1e-6
    )
    for name, value in alone["record"].items():
        assert together["record"][name] == pytest.approx(value, rel=1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("case", CRITICS, ids=["a critic that steps twice", "a gradient penalty"])
def test_each_of_several_steps_in_a_batch_is_divided_by_its_own_count(case, trained):
    alone, together = trained[case]
    assert together["weights"][0] == together["weights"][1], "the processes hold the same weights"
    torch.testing.assert_close(
        torch.tensor(together["weights"][0]), torch.tensor(alone["weights"][0]), rtol=1e-6, atol=1e-6
    )


@pytest.mark.slow
def test_each_process_takes_up_its_own_pool_again(tmp_path):
    (first, first_again), (second, second_again) = run_processes(2, POOLS, str(tmp_path))
    assert first == first_again
    assert second == second_again
    assert first != second


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


def launch_machine(folder, number, port):
    """Start torchrun as on one of two machines: a folder of its own stands for a disk that the other does not see."""
    folder.mkdir()
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "two-machines"]
    place = ["--nnodes", "2", "--node-rank", str(number), "--nproc-per-node", "1", "--local-addr", "127.0.0.1"]
    options = ["--model", "lenet", "--epochs", "12", "--precision", "fp32", "--threads", "1", "--batch-size", "16"]
    command = [sys.executable, "-m", "torch.distributed.run", *meeting, *place, "--max-restarts", "3"]
    return subprocess.Popen(
        [*command, "-m", "dlcli", "train", "digits", *options],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_machines_without_a_common_disk_train_one_run_and_survive_a_killed_worker(tmp_path):
    port = free_port()
    machines = [launch_machine(tmp_path / name, number, port) for number, name in enumerate("ab")]
    deadline = time.monotonic() + 120
    while not (saved := list(tmp_path.glob("?/runs/*/checkpoints/last.pt"))) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert saved, "no epoch was finished"
    launcher = machines[1]
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    answers = [machine.communicate(timeout=240) for machine in machines]
    errors = [error[-2000:] for _, error in answers]
    assert [machine.returncode for machine in machines] == [0, 0], errors
    assert any("resuming" in error for error in errors)
    [info_file] = tmp_path.glob("?/runs/*/run.json")
    info = json.loads(info_file.read_text())
    assert (info["status"], info["epochs"], info["processes"]) == ("finished", 12, 2)
    records = [json.loads(line) for line in (info_file.parent / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, 13))
    assert sum(len(answer.splitlines()) for answer, _ in answers) == 1, "one path is the answer"
