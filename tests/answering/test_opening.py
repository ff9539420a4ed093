"""Where a model is opened, and what is refused there for every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.answering.opening import open_model
from dlcli.cli.app import run
from dlcli.core.errors import ExitCode, UsageError
from dlcli.serve.opener import Opener

MODEL = str(Path(__file__).parent.parent / "stored" / "0.1.0" / "sentiment" / "model.onnx")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_an_exported_file_is_opened_for_the_cpu(device: str) -> None:
    assert open_model(MODEL, device=device, threads=1, report=pytest.fail).name == "model.onnx"


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_another_device_is_refused_for_an_exported_file_whoever_opens_it(
    device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=f"--device {device}: an exported file computes on the CPU"):
        Opener(device, 1, {})(MODEL)
    assert run(["predict", MODEL, "so fine", "--device", device]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert (out, "computes on the CPU" in err) == ("", True)
