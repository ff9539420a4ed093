"""What a process is set up with: streams that are open, and libraries that are quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

RUN = "digits-lenet-1"

SPEAKING = """
import logging, sys, warnings
from dlcli.cli.process import quieten_libraries
quieten_libraries(sys.argv[1:])
warnings.simplefilter("always")  # as a library may on its import
warnings.warn("warned")
logging.getLogger("library").warning("logged")
"""


@pytest.mark.parametrize(("args", "count"), [(["eval", "x", "-q"], 0), (["eval", "x"], 0), (["eval", "--debug"], 2)])
def test_libraries_are_quiet_unless_their_programmer_listens(args: list[str], count: int) -> None:
    done = subprocess.run([sys.executable, "-c", SPEAKING, *args], capture_output=True, text=True, check=True)
    assert sum(word in done.stderr for word in ("warned", "logged")) == count, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("line", ["predict MODEL -", "predict MODEL cat.png"])
def test_a_closed_stream_is_no_fault_and_its_text_goes_into_no_file(
    line: str, closed: str, bench: Any, onnx_file: Path, environment: dict[str, str]
) -> None:
    bench.png("cat.png")
    command = f"exec dl {line.replace('MODEL', str(onnx_file))} {closed}"
    before = bench.files()
    done = subprocess.run(
        ["sh", "-c", command], env=environment, input=b"cat.png\n", capture_output=True, timeout=60, check=False
    )
    is_without_input = line.endswith("-") and "<&-" in closed
    assert done.returncode == (3 if is_without_input else 0), done.stderr
    assert bench.files() == before


@pytest.mark.slow
@pytest.mark.parametrize("line", ["eval RUN", "predict RUN cat.png"])
def test_a_home_that_cannot_be_written_is_no_matter(line: str, bench: Any, environment: dict[str, str]) -> None:
    bench.run()
    bench.png("cat.png")
    home = str(bench.write("file") / "home")  # below a file: not even root can make it
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), home)
    kept = {name: value for name, value in environment.items() if name != "MPLCONFIGDIR"}
    done = subprocess.run(
        ["dl", *line.replace("RUN", RUN).split(), "-q"], env={**kept, **nowhere}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickled_module_of_another_program_is_refused_in_one_sentence(is_zip: bool, bench: Any, dl: Any) -> None:
    bench.png("cat.png")
    torch.save(torch.nn.Linear(2, 2), "best.pt", _use_new_zipfile_serialization=is_zip)
    bench.digits()
    for line in ("predict best.pt cat.png", "train digits --model resnet18 --pretrained best.pt --epochs 1"):
        answer = dl(*line.split())
        assert answer.code == 4
        assert "\x1b" not in answer.err
        assert "weights_only" not in answer.err
        if is_zip or "train" in line:
            assert "holds a pickled torch.nn.modules.linear.Linear, the code of another program" in answer.err
