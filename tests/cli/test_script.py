"""The lines that users' scripts rely on, as they stand in used_by.sh, with the file names of the published CIFAR-10."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SCRIPT = Path(__file__).with_name("used_by.sh")


def _bash(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-u", "-c", script], env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_lines_work_as_written(bench: Any, environment: dict[str, str]) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    bench.cifar("cifar-10-batches-py", count=12)
    for number in range(3):
        path = bench.write(f"photos/{number} 号.jpg")
        Image.new("RGB", (64, 48), (80 * number, 40, 90)).save(path)
    bench.png("cat.png", size=32)

    done = _bash(SCRIPT.read_text(), environment)
    assert "Traceback" not in done.stderr

    said = done.stdout.splitlines()
    assert said[:2] == ["data/cifar10", "resnet18.onnx"]
    accuracy = float(said[2])
    assert said[3] == "features.png"
    assert done.returncode == (0 if accuracy >= 0.9 else 1)
    assert Path("runs/cifar10-resnet18-1/run.json").is_file()
    labels = [json.loads(line)["input"] for line in Path("labels.jsonl").read_text().splitlines()]
    assert labels == [f"photos/{number} 号.jpg" for number in range(3)]
    assert Path("features.png").read_bytes().startswith(b"\x89PNG")

    line = "dl eval latest --no-plots --fail-under accuracy="
    assert _bash(f"{line}{accuracy} || exit 1", environment).returncode == 0
    assert _bash(f"{line}{accuracy + 0.001}", environment).returncode == 7
