"""No command opens a connection to another machine: Python's audit events say what is looked up and connected to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = """
import json, sys
OWN = ("127.", "localhost", "::1", "/", "")
seen = []

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        place = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        place = arguments[1]
        place = place[0] if isinstance(place, tuple) else place
    else:
        return
    place = place.decode(errors="replace") if isinstance(place, bytes) else str(place or "")
    if not place.startswith(OWN[:4]) and place != "":
        seen.append([event, place])

sys.addaudithook(watch)
from dlcli.cli.app import run
codes = [run(words) for words in json.loads(sys.argv[1])]
print(json.dumps({"codes": codes, "seen": seen}))
"""

QUICK = ("--epochs", "1", "--max-steps", "2", "--threads", "1", "--precision", "fp32", "--quiet")
LINES = (
    ("prepare", "digits", "--quiet"),
    *(("train", "digits", "--model", "lenet", *QUICK, "--name", name) for name in ("r", "q")),
    ("rerun", "r", "--quiet"),
    *(("eval", name, "--quiet") for name in ("r", "q")),
    ("predict", "r", "data/digits/test/7", "--quiet", "--jsonl"),
    ("export", "r", "--quiet"),
    ("export", "r", "--format", "safetensors", "--quiet"),
    ("export", "r", "--quantize", "int8", "--quiet"),
    ("predict", "runs/r/exports/r.onnx", "data/digits/test/7", "--quiet", "--jsonl"),
    ("eval", "runs/r/exports/r.onnx", "--quiet"),
    ("visualize", "curves", "r", "--out", "c.png", "--quiet"),
    ("report", "r", "--quiet"),
    ("compare", "r", "q", "--quiet"),
    ("runs",),
    ("models",),
    ("models", "lenet"),
    ("datasets",),
    ("tasks",),
    ("doctor",),
    ("doctor", "data/digits"),
    ("doctor", "runs/r/exports/r.onnx"),
    ("completion", "bash"),
)


@pytest.mark.slow
def test_no_command_reaches_beyond_this_machine(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", GUARD, json.dumps(LINES)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    failed = [line for line, code in zip(LINES, found["codes"], strict=True) if code]
    assert (failed, found["seen"]) == ([], []), done.stderr[-2000:]


@pytest.mark.slow
def test_the_guard_sees_a_connection(tmp_path: Path) -> None:
    attempt = GUARD.replace(
        "from dlcli.cli.app import run",
        "import socket\ndef run(words):\n    try:\n        socket.create_connection(('192.0.2.1', 9), 0.01)\n"
        "    except OSError:\n        return 0",
    )
    done = subprocess.run(
        [sys.executable, "-c", attempt, "[[]]"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ["socket.connect", "192.0.2.1"] in json.loads(done.stdout)["seen"]
