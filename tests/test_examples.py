"""The files of docs/examples: `dl` takes their commands, and each of them trains, small, on this machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from grammar import ROOT, commands_of, fault_of

FOLDER = ROOT / "docs" / "examples"
NAMES = sorted(path.name for path in FOLDER.iterdir())
PAGES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
SMALL = "digits --model lenet --epochs 1 --threads 1 --precision fp32 --batch-size 128"
"""What the tests train in place of the example's."""


def shell_of(path: Path) -> str:
    """Return the shell of an example: the file itself, or the block that a machine runs."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        words = next(
            ast.literal_eval(line.split("=", 1)[1]) for line in text.splitlines() if line.startswith("WORDS =")
        )
        return f"dl {' '.join(words)}"
    if path.suffix == ".yaml":
        blocks = re.findall(r"^(?:setup|run): \|\n((?:  .*\n)+)", text, re.MULTILINE)
        return "\n".join(line[2:] for block in blocks for line in block.splitlines()) + "\n"
    return text


def lines_of(path: Path) -> list[list[str]]:
    """Return the command lines of an example, those in its array `words` too."""
    shell = shell_of(path)
    given = re.findall(r"words=\((.*?)\)", shell)
    found = [words for words in commands_of(shell) if words != ["${words[@]}"]]
    return [*found, *(words for line in given for words in commands_of(f"dl {line}"))]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_the_example_and_dl_takes_its_commands(name: str) -> None:
    assert f"examples/{name}" in PAGES
    lines = lines_of(FOLDER / name)
    assert lines
    assert {" ".join(words): fault for words in lines if (fault := fault_of(words))} == {}


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith((".py", ".yaml", ".yml"))])
def test_the_shell_of_an_example_has_no_fault(name: str) -> None:
    subprocess.run(["bash", "-n", str(FOLDER / name)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(FOLDER / name)], check=True)


def test_the_example_for_skypilot_is_a_task_of_its_form() -> None:
    task = pytest.importorskip("yaml").safe_load((FOLDER / "sky.yaml").read_text(encoding="utf-8"))
    assert set(task) == {"name", "num_nodes", "resources", "workdir", "file_mounts", "setup", "run"}
    subprocess.run(["bash", "-n"], input=task["setup"] + task["run"], text=True, check=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the digits and stand-ins for the commands of Slurm."""
    folder = tmp_path_factory.mktemp("examples")
    command = [sys.executable, "-m", "dlcli", "prepare", "digits", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    for name, body in {
        "srun": 'for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@" & done\nwait -n && wait -n',
        "scontrol": "echo 127.0.0.1; echo 127.0.0.2",
        "dl": f'exec {sys.executable} -m dlcli "$@"',
        "python": f'exec {sys.executable} "$@"',
        "torchrun": f'exec {sys.executable} -m torch.distributed.run "$@"',
    }.items():
        stand_in = folder / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f"#!/usr/bin/env bash\n{body}\n")
        stand_in.chmod(0o755)
    return folder


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def small(name: str, port: str) -> str:
    """Return the example with a small training in place of its own."""
    shell = re.sub(r"cifar10 --model resnet18 --epochs 30", SMALL, shell_of(FOLDER / name)).replace("29500", port)
    return re.sub(r"(?m)^(pip install|dl prepare) .*$", "", shell)


def run_all(home: Path, scripts: list[tuple[str, list[str], dict[str, str]]]) -> None:
    """Run scripts side by side, each a (text, arguments, environment), until all have ended well."""
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    processes = [
        subprocess.Popen(
            ["bash", "-c", text, "example", *words],
            cwd=home,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1", "PATH": path, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for text, words, more in scripts
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs


def run_of(home: Path, name: str) -> dict[str, object]:
    facts = json.loads((home / "runs" / name / "run.json").read_text(encoding="utf-8"))
    assert facts["status"] == "finished"
    return dict(facts)


@pytest.mark.slow
def test_two_machines_train_by_torchrun(home: Path) -> None:
    text = small("two-machines.sh", free_port())
    run_all(home, [(text, ["127.0.0.1"], {"NODES": "2", "GPUS": "1"})] * 2)
    run_of(home, "two-machines")


@pytest.mark.slow
def test_a_job_of_slurm_trains_and_a_requeued_one_finds_its_run_and_the_array_answers(home: Path) -> None:
    port = free_port()
    job = {
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_GPUS_ON_NODE": "1",
        "SLURM_JOB_ID": port,
    }
    run_all(home, [(small("train.sbatch", port), [], job)])
    run_of(home, "slurm")
    stopped = json.loads((home / "runs" / "slurm" / "run.json").read_text(encoding="utf-8"))
    (home / "runs" / "slurm" / "run.json").write_text(json.dumps({**stopped, "status": "interrupted"}))
    run_all(home, [(small("train.sbatch", free_port()), [], job)])
    run_of(home, "slurm")
    (home / "photos").symlink_to(home / "data" / "digits" / "test")
    array = [{"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2"} for number in range(2)]
    run_all(home, [(small("predict.sbatch", port), [], task) for task in array])
    names = ["all-00000-of-00002.jsonl", "all-00001-of-00002.jsonl"]
    found = [len((home / "answers" / name).read_text().splitlines()) for name in names]
    assert sum(found) == len(list((home / "data" / "digits" / "test").rglob("*.png")))


@pytest.mark.slow
def test_skypilot_s_variables_are_those_of_torchrun(home: Path) -> None:
    node = {"SKYPILOT_NUM_NODES": "2", "SKYPILOT_NUM_GPUS_PER_NODE": "1", "SKYPILOT_NODE_IPS": "127.0.0.1\n127.0.0.2"}
    text = small("sky.yaml", free_port())
    run_all(home, [(text, [], {**node, "SKYPILOT_NODE_RANK": str(rank)}) for rank in range(2)])
    run_of(home, "sky")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("accelerate") is None, reason="accelerate is not installed")
def test_accelerate_starts_the_processes(home: Path) -> None:
    text = small("accelerate.sh", free_port()).replace("accelerate launch", "python -m accelerate.commands.launch")
    run_all(home, [(text, ["127.0.0.1"], {"NODES": "1", "PROCESSES": "2"})])
    run_of(home, "accelerated")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None or find_spec("pyarrow") is None, reason="Ray Train is not installed")
def test_the_workers_of_ray_train(home: Path) -> None:
    text = f"python {FOLDER / 'ray_train.py'} train {SMALL} --name ray"
    run_all(home, [(text, [], {"WORKERS": "2", "USE_GPU": "0", "RAY_AUTH_MODE": "disabled"})])
    run_of(home, "ray")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.skipif(find_spec("uvicorn") is None, reason="the extra serve is not installed")
def test_raw_images_become_a_served_int8_model(home: Path) -> None:
    text, port = shell_of(FOLDER / "raw-to-served.sh"), free_port()
    text = re.sub(r'--budget "[^"]*"', "--epochs 1 --max-steps 4 --threads 1 --precision fp32", text)
    run_all(home, [(f"{text}\ndl runs", ["data/digits/test", "cnn"], {"PORT": port, "LEAST": "0.01"})])
    [own] = (home / "runs").glob("*-cnn-*")
    assert json.loads((own / "exports" / "exports.json").read_text())[f"{own.name}-int8.onnx"]["bytes"] > 1000
