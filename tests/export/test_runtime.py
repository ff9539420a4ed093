from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from dlcli.core.errors import ExitCode, RunError
from dlcli.export.metadata import METADATA_SCHEMA
from dlcli.export.plan import ExportPlan, ExportResult
from dlcli.export.runtime import open_model

FORMATS = ["onnx", "torchscript"]


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_comes_back_equal(
    model_files: dict[str, Path], exported_image_net: tuple[ExportPlan, ExportResult], format: str
) -> None:
    plan, _ = exported_image_net
    added = {"schema": METADATA_SCHEMA, "inputs": ["image"], "outputs": ["logits"]}
    assert open_model(model_files[format]).metadata == {**plan.metadata, **added}


def test_onnx_runs_without_torch_or_onnx(model_files: dict[str, Path]) -> None:
    code = (
        "import sys, pathlib, numpy as np\n"
        "from dlcli.export.runtime import open_model\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "model = open_model(pathlib.Path(sys.argv[1]), threads=1)\n"
        "answer = model.run({'image': np.zeros((3, 3, 8, 8), np.float32)})\n"
        "print(answer['logits'].shape, sorted({'torch', 'onnx', 'cv2', 'matplotlib'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(model_files["onnx"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("(3, 5) []\n", "")


def test_both_formats_answer_alike(model_files: dict[str, Path]) -> None:
    batch = {"image": np.random.default_rng(1).standard_normal((4, 3, 10, 6), dtype=np.float32)}
    answers = [open_model(model_files[format], threads=1).run(batch)["logits"] for format in FORMATS]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("format", FORMATS)
def test_read_only_and_strided_arrays_are_taken(
    model_files: dict[str, Path], format: str, recwarn: pytest.WarningsRecorder
) -> None:
    model = open_model(model_files[format])
    pixels = np.random.default_rng(1).standard_normal((4, 8, 8, 3), dtype=np.float32)
    pixels.setflags(write=False)
    strided = model.run({"image": pixels.transpose(0, 3, 1, 2)})["logits"]
    plain = model.run({"image": pixels.transpose(0, 3, 1, 2).copy()})["logits"]
    np.testing.assert_array_equal(strided, plain)
    assert not recwarn.list


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"picture": np.zeros((1, 3, 8, 8), np.float32)},
        {"image": np.zeros((1, 3, 8, 8), np.float32), "more": np.zeros(1)},
        {"image": np.zeros((1, 4, 8, 8), np.float32)},
        {"image": np.zeros((3, 8), np.float32)},
        {"image": np.zeros((1, 3, 8, 8), np.float64)},
    ],
)
def test_wrong_inputs_are_a_run_error(
    model_files: dict[str, Path], format: str, arrays: dict[str, np.ndarray], capfd: pytest.CaptureFixture[str]
) -> None:
    model = open_model(model_files[format])
    with pytest.raises(RunError):
        model.run(arrays)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format", FORMATS)
def test_truncated_file_is_a_run_error(model_files: dict[str, Path], format: str, tmp_path: Path) -> None:
    content = model_files[format].read_bytes()
    cut = tmp_path / "cut"
    for length in [0, 1, 4, 30, *range(100, len(content), len(content) // 15), len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises(RunError) as caught:
            open_model(cut)
        assert caught.value.exit_code == ExitCode.RUN == 4
        assert caught.value.hint


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_bytes_never_raise_anything_else(
    model_files: dict[str, Path], format: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(model_files[format].read_bytes())
    rng = np.random.default_rng(0)
    damaged = tmp_path / "damaged"
    for _ in range(30):
        changed = content.copy()
        changed[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(changed)
        try:
            open_model(damaged)
        except RunError as error:
            assert len(error.lines()) <= 6
    assert capfd.readouterr() == ("", "")


def test_every_other_file_is_a_run_error_that_says_what_it_is(model_files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "photo.onnx").write_bytes(b"\x89PNG\r\n\x1a\n" * 9)
    with pytest.raises(RunError, match="not a model file"):
        open_model(tmp_path / "photo.onnx")
    with pytest.raises(RunError, match="a checkpoint, not an exported model"):
        open_model(model_files["checkpoint"])
    with pytest.raises(RunError, match="No such file"):
        open_model(tmp_path / "missing.onnx")
    with pytest.raises(RunError, match="directory"):
        open_model(tmp_path)


def test_files_of_other_programs_are_refused(model_files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(str(model_files["onnx"]))
    del model.metadata_props[:]
    (tmp_path / "foreign.onnx").write_bytes(model.SerializeToString())
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "foreign.pt"))  # type: ignore[no-untyped-call]
    for name in ("foreign.onnx", "foreign.pt"):
        with pytest.raises(RunError, match="contains no labels and preprocessing") as caught:
            open_model(tmp_path / name)
        assert caught.value.hint


def test_graph_unlike_its_metadata_is_refused(model_files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(str(model_files["onnx"]))
    for entry in model.metadata_props:
        if entry.key == "dlcli.inputs":
            entry.value = '["picture"]'
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(RunError, match="differ from its metadata"):
        open_model(tmp_path / "other.onnx")
