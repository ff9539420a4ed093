"""The lines of docs/serve.md are true: each curl line is run against a server as the page starts it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from serve.conftest import STORED, TOKEN, open_stored

from dlcli.core.config import fields_of
from dlcli.serve.options import ServeOptions
from dlcli.serve.plan import plan_of
from dlcli.serve.running import Hooks, Running, address_of, open_socket

PAGE = (Path(__file__).parent.parent.parent / "docs" / "serve.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if line.startswith("curl ")]
PLAIN = [line for line in LINES if "admin" not in line]
ADMIN = [line for line in LINES if "admin" in line]


def _serve(options: ServeOptions, words: list[str]) -> Iterator[str]:
    ready = threading.Event()
    running = Running(options, plan_of(words, None, None), open_stored, Hooks(ready.set, print, print))
    listener = open_socket(options)
    thread = threading.Thread(target=running.serve, args=(listener,), kwargs={"is_worker": True})
    thread.start()
    assert ready.wait(60)
    yield address_of(listener, options).removeprefix("http://")
    running.stop()
    thread.join(60)


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """Where a server with the models of the page answers."""
    kinds = {"digits": "classification", "moods": "sentiment", "prices": "regression"}
    words = [f"{name}={STORED / kind / 'model.onnx'}" for name, kind in kinds.items()]
    yield from _serve(ServeOptions(port=0), words)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers that wants a token and has a folder of models."""
    models = tmp_path_factory.mktemp("models")
    shutil.copy(STORED / "sentiment" / "model.onnx", models / "new.onnx")
    options = ServeOptions(port=0, token=TOKEN, model_dir=str(models))
    yield from _serve(options, [f"mood={STORED / 'sentiment' / 'model.onnx'}"])


def _run(line: str, place: str, folder: Path) -> str:
    for name in ("photo.png", "other.png"):
        (folder / name).write_bytes(cv2.imencode(".png", np.full((8, 8), 90, np.uint8))[1].tobytes())
    shutil.copy(STORED / "regression" / "data" / "table.csv", folder / "rows.csv")
    line = line.replace("localhost:8000", place).replace("curl -s", "curl -s --fail-with-body")
    environment = {**os.environ, "DLCLI_TOKEN": TOKEN, "no_proxy": "*"}
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, (line, done.stdout)
    return done.stdout


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


@needs_curl
@pytest.mark.parametrize("line", PLAIN)
def test_each_line_of_curl_is_answered(line: str, place: str, tmp_path: Path) -> None:
    answer = _run(line, place, tmp_path)
    if "predict" in line:
        records = json.loads(answer)["records"]
        assert records
        assert not any("error" in record for record in records)
        assert ("drawing" in records[0]) == ("draw=1" in line)
    else:
        assert answer


@needs_curl
def test_the_lines_of_the_administration_work_one_after_the_other(guarded: str, tmp_path: Path) -> None:
    answers = [json.loads(_run(line, guarded, tmp_path)) for line in ADMIN]
    assert [each["models"] for each in answers] == [["mood@1", "mood@2"]] * 3 + [["mood@2"]] * 2
    assert answers[1]["shares"] == {"mood@1": 0.5, "mood@2": 0.5}
    assert answers[-1]["default"] == "mood@2"


def test_the_page_says_the_defaults_that_hold() -> None:
    defaults = {info.flag: info.default for info in fields_of(ServeOptions)}
    said = re.findall(r"`--([a-z-]+)` \((\d+)\)", PAGE)
    assert len(said) == 7
    assert [(flag, float(value)) for flag, value in said] == [(flag, defaults[flag]) for flag, _ in said]
