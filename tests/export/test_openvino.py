"""OpenVINO beside ONNX Runtime: nothing is reported to its makers; a file that it takes answers alike."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dlcli.core.errors import RunError
from dlcli.export import openvino
from dlcli.export.exporting import export_model
from dlcli.export.openvino import OpenVinoModel, import_silently, is_installed
from dlcli.export.runtime import open_model

PACKAGE = """
sent = []
try:
    import openvino_telemetry
    sent.append(openvino_telemetry.NAME)
except ImportError:  # as the real one does, which has a stub for it
    pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `openvino` that reports its import as the real one does, and the one that it reports by."""
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "openvino_telemetry.py").write_text("NAME = 'somebody'\n")
    for name in [each for each in sys.modules if each.partition(".")[0] in ("openvino", "openvino_telemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "openvino", None)  # put back afterwards, whatever was imported meanwhile
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)
    del sys.modules["openvino"], sys.modules["openvino_telemetry"]
    return tmp_path


def test_the_import_reports_nothing(package: Path) -> None:
    assert is_installed()
    found = import_silently()
    assert isinstance(found, ModuleType) and found.sent == []


def test_the_fake_package_would_report(package: Path) -> None:
    import openvino as plain  # type: ignore[import-not-found, unused-ignore]

    assert plain.sent == ["somebody"]


class Port:
    """An output, whose tensor has the name of the graph's output and that of the node that makes it."""

    def __init__(self, *names: str) -> None:
        self._names = {*names}

    def get_names(self) -> set[str]:
        return self._names


class Compiled:
    def __call__(self, arrays: dict[str, np.ndarray]) -> dict[Port, np.ndarray]:
        if "rows" not in arrays:
            raise RuntimeError("Port for tensor name x was not found\nmore")
        return {Port("/Add_output_0", "answer"): arrays["rows"] + 1}


class Core:
    """Of a fake OpenVINO."""

    fails = False

    def compile_model(self, path: str, device: str, settings: dict[str, Any]) -> Compiled:
        if self.fails:
            raise RuntimeError("Unsupported operator\nmore")
        assert (device, settings["INFERENCE_NUM_THREADS"], settings["INFERENCE_PRECISION_HINT"]) == ("CPU", 2, "f32")
        return Compiled()


@pytest.fixture
def plain(plans: Any, tmp_path: Path) -> Path:
    path = tmp_path / "plain.onnx"
    export_model(plans["two"](), "onnx", path, report=lambda _: None)
    return path


def test_outputs_have_their_names_and_faults_one_line(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("openvino")
    fake.Core = Core  # type: ignore[attr-defined]
    monkeypatch.setattr(openvino, "import_silently", lambda: fake)
    model = OpenVinoModel(plain, 2)
    np.testing.assert_array_equal(model.run({"rows": np.zeros(3)})["answer"], np.ones(3))
    with pytest.raises(RunError, match=r"does not take these inputs: Port for tensor name x was not found$"):
        model.run({})
    monkeypatch.setattr(Core, "fails", True)
    with pytest.raises(RunError, match=r"OpenVINO cannot compile it: Unsupported operator$"):
        OpenVinoModel(plain, 2)


def test_a_truncated_file_is_refused(plain: Path) -> None:
    plain.write_bytes(plain.read_bytes()[:-10])
    with pytest.raises(RunError, match="truncated"):
        OpenVinoModel(plain, 1)


@pytest.mark.skipif(not is_installed(), reason="OpenVINO is not installed")
def test_the_real_one_answers_like_onnx_runtime(plain: Path) -> None:
    model = open_model(plain)
    arrays = {name: np.ones((3, 4), np.float32) for name in model.inputs}
    expected, found = model.run(arrays), OpenVinoModel(plain, 1).run(arrays)
    assert found.keys() >= expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
