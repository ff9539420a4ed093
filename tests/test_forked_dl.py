"""A `dl` that is forked is, to its caller, the program itself: streams, code, folder, environment, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked_dl import forked_dl

pytestmark = pytest.mark.slow

EDIT = """
if words[:1] == ["list-runs"]:
    words[:1] = ["runs"]
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with forked_dl(tmp_path_factory.mktemp("bin") / "dl", EDIT) as path:
        yield path


def run(program: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=300, **more)


def test_answers_errors_and_codes_are_those_of_dl(program: Path, tmp_path: Path) -> None:
    version = run(program, "--version", cwd=tmp_path)
    assert (version.returncode, version.stderr) == (0, "") and version.stdout
    wrong = run(program, "evall", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "") and "did you mean" in wrong.stderr
    assert run(program, "eval", "nothing", cwd=tmp_path).returncode == 4


def test_the_folder_the_environment_and_standard_input_are_the_callers(program: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{number},{2 * number}\n" for number in range(20)))
    made = run(program, "prepare", "table", "a.csv", "--target", "y", "--out", "data/猫", cwd=tmp_path)
    assert (made.returncode, made.stdout) == (0, "data/猫\n"), made.stderr
    assert json.loads((tmp_path / "data/猫/dataset.json").read_text(encoding="utf-8"))["name"]
    assert (
        run(program, "list-runs", "--json", cwd=tmp_path).stdout == run(program, "runs", "--json", cwd=tmp_path).stdout
    )
    environment = {**os.environ, "RANK": "x"}
    assert run(program, "runs", cwd=tmp_path, env=environment).returncode == 0


def test_processes_are_apart_and_run_side_by_side(program: Path, tmp_path: Path) -> None:
    places = [tmp_path / name for name in "ab"]
    started = []
    for place in places:
        place.mkdir()
        started.append(subprocess.Popen([program, "prepare", "digits"], cwd=place, stdout=subprocess.PIPE, text=True))
    assert [process.communicate(timeout=300)[0] for process in started] == ["data/digits\n"] * 2
    assert all((place / "data/digits/dataset.json").is_file() for place in places)


def test_a_signal_to_the_program_reaches_its_process(program: Path, tmp_path: Path) -> None:
    words = ["train", "digits", "--model", "lenet", "--epochs", "400", "--threads", "1", "--name", "r"]
    with subprocess.Popen([program, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "epoch 1/" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 143, error
    assert json.loads((tmp_path / "runs/r/run.json").read_text())["status"] == "interrupted"
