from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys import seq

from dlcli.answering.opening import open_model, task_of
from dlcli.core import builtin
from dlcli.core.errors import DlError, ExitCode, ExportError, ParityError, RunError
from dlcli.engine.compute.device import open_device
from dlcli.engine.evaluate import RunPredictor
from dlcli.export import onnx as onnx_format
from dlcli.export.exporting import export_model
from dlcli.export.folder import open_graphs
from dlcli.export.model_file import MODEL_JSON, is_graph_folder
from dlcli.export.plan import ExportPlan, ExportResult

FORMATS = ["onnx", "torchscript"]
DESCRIPTION = {
    "task": "toy-seq",
    "config": {"beam": 4},
    "assets": {"words": ["你", "好"]},
    "model": "tiny",
    "dataset": "toy-pairs",
    "run": "toy-seq-1",
}


def export(plan: ExportPlan, format: str, path: Path) -> ExportResult:
    return export_model(plan, format, path, report=lambda line: None)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(builtin.TASKS, seq.SPEC.name, seq.SPEC)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Format -> the folder of the toy's graphs; only read, or copied."""
    plan = dataclasses.replace(seq.SeqTask().export_plan(), metadata=DESCRIPTION)
    place = tmp_path_factory.mktemp("模 型")
    return {format: export(plan, format, place / f"seq-{format}").path for format in FORMATS}


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders["onnx"], tmp_path / "copied"))


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / MODEL_JSON).read_text(encoding="utf-8"))
    change(content)
    (folder / MODEL_JSON).write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("inference", [None, seq.SeqInference(beam=1, num_best=1), seq.SeqInference(4, 4)])
@pytest.mark.parametrize("format", FORMATS)
def test_sentences_of_the_folder_equal_those_of_the_run(folders: dict[str, Path], format: str, inference: Any) -> None:
    task = seq.SeqTask()
    if inference is not None:
        task.set_inference(inference)
    exported = open_model(str(folders[format]), device="cpu", threads=1, inference=inference, report=print).predictor
    run = RunPredictor(task, open_device("cpu"))  # type: ignore[arg-type]
    for count, longest in ((1, 1), (4, 6), (5, 13)):
        batch = seq.sentences(count, longest, seed=7)
        expected, given = run.run(batch), exported.run(batch)
        np.testing.assert_array_equal(given["sentences"], expected["sentences"])
        np.testing.assert_allclose(given["scores"], expected["scores"], rtol=1e-5)
    assert len(np.unique(expected["sentences"][:, 0], axis=0)) > 2  # the sentences are told apart


def test_folder_holds_the_graphs_and_their_metadata(folders: dict[str, Path]) -> None:
    for format, folder in folders.items():
        names = [f"encoder.{format}", MODEL_JSON, f"step.{format}"]
        assert sorted(path.name for path in folder.iterdir()) == sorted(names)
        assert list(folder.parent.glob(".*")) == []
        opened = open_graphs(folder)
        assert {key: opened.metadata[key] for key in DESCRIPTION} == DESCRIPTION
        assert vars(opened.description("folder")) == DESCRIPTION
        assert list(opened.graphs) == ["encoder", "step"]
        assert opened.graphs["step"].outputs == ("scores", "ids", "new_past")


def test_task_of_a_folder_is_known_before_it_is_opened(folders: dict[str, Path], copied: Path) -> None:
    assert task_of(str(folders["onnx"])) is seq.SPEC
    (copied / MODEL_JSON).write_bytes(b"{")
    assert task_of(str(copied)) is None


def test_result_counts_all_files_and_names_every_graph(tmp_path: Path) -> None:
    result = export(seq.SeqTask().export_plan(), "torchscript", tmp_path / "new" / "seq")
    assert result.bytes == sum(file.stat().st_size for file in result.path.iterdir())
    assert result.exporters == {"encoder": "trace", "step": "trace"}
    assert [check.graph for check in result.checks] == ["encoder"] * 3 + ["step"] * 3
    assert {check.sizes.get("steps") for check in result.checks} == {None, 1, 2, 3}


def test_onnx_folder_is_opened_without_torch(folders: dict[str, Path]) -> None:
    code = (
        "import sys, pathlib\n"
        "from dlcli.export.folder import open_graphs\n"
        "print(*open_graphs(pathlib.Path(sys.argv[1]), threads=1).graphs, 'torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(folders["onnx"])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "encoder step False\n"


class Deciding(nn.Module):
    """A step that a trace gets wrong: its sign depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.step = seq.Step()

    def forward(self, last: Tensor, memory: Tensor, lengths: Tensor, past: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores, ids, past = self.step(last, memory, lengths, past)
        return (scores if past.sum() > 0 else 2 * scores), ids, past


@pytest.mark.parametrize("is_older", [False, True])
def test_parity_failure_of_the_second_graph_leaves_nothing_behind(
    folders: dict[str, Path], tmp_path: Path, is_older: bool
) -> None:
    if is_older:
        shutil.copytree(folders["torchscript"], tmp_path / "seq")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    plan = seq.SeqTask().export_plan()
    encoder, step = plan.graphs
    samples = [*step.samples, *({**sample, "past": -sample["past"]} for sample in step.samples)]
    step = dataclasses.replace(step, module=Deciding(), samples=tuple(samples))
    with pytest.raises(ParityError, match=r"step\.torchscript") as caught:
        export(dataclasses.replace(plan, graphs=(encoder, step)), "torchscript", tmp_path / "seq")
    assert caught.value.exit_code == ExitCode.PARITY
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert list(tmp_path.iterdir()) == ([tmp_path / "seq"] if is_older else [])


def test_older_folder_is_replaced_whole(tmp_path: Path) -> None:
    plan = seq.SeqTask().export_plan()
    encoder, step = plan.graphs
    other = dataclasses.replace(plan, graphs=(dataclasses.replace(encoder, name="reader"), step))
    export(other, "torchscript", tmp_path / "seq")
    export(plan, "torchscript", tmp_path / "seq")
    assert sorted(file.name for file in (tmp_path / "seq").iterdir()) == [
        "encoder.torchscript",
        MODEL_JSON,
        "step.torchscript",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "seq"]


@pytest.mark.parametrize("place", ["file", "folder", "run"])
def test_what_something_else_stands_in_is_kept(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    for name, content in (("folder", "notes.txt"), ("run", "run.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).write_bytes(b"kept")
    (tmp_path / "run" / MODEL_JSON).write_bytes(b"{}")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ExportError, match="cannot be written"):
        export(seq.SeqTask().export_plan(), "torchscript", tmp_path / place)
    assert sorted(tmp_path.rglob("*")) == before


def _entry(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["graphs"][1].update({key: value})


TAMPERED: dict[str, Callable[[dict[str, Any]], None]] = {
    "path upwards": _entry("file", "../step.onnx"),
    "absolute path": _entry("file", "/etc/passwd"),
    "path downwards": _entry("file", "deeper/step.onnx"),
    "windows path": _entry("file", "..\\step.onnx"),
    "null byte": _entry("file", "step.onnx\0"),
    "folder itself": _entry("file", "."),
    "missing file": _entry("file", "other.onnx"),
    "other hash": _entry("sha256", "0" * 64),
    "hash of no type": _entry("sha256", 7),
    "other name": _entry("name", "decoder"),
    "name twice": _entry("name", "encoder"),
    "data outside": _entry("data", {"file": "../x.onnx.data", "sha256": "0" * 64}),
    "data of no type": _entry("data", "x.onnx.data"),
    "graphs swapped": lambda content: content["graphs"][1].update(
        {key: content["graphs"][0][key] for key in ("file", "sha256")}
    ),
    "no graph": lambda content: content.update(graphs=[]),
    "graphs of no type": lambda content: content.update(graphs={"encoder": "encoder.onnx"}),
    "entry of no type": lambda content: content.update(graphs=["encoder.onnx"]),
    "no task": lambda content: content.pop("task"),
    "no assets": lambda content: content.pop("assets"),
    "newer schema": lambda content: content.update(schema=99),
    "schema of no type": lambda content: content.update(schema="2"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_model_json_is_a_run_error(copied: Path, name: str) -> None:
    shutil.copy(copied / "step.onnx", copied.parent / "step.onnx")  # the file outside is there
    changed(copied, TAMPERED[name])
    with pytest.raises(RunError) as caught:
        open_model(str(copied), device="cpu", threads=1, report=print)
    assert caught.value.exit_code == ExitCode.RUN == 4
    assert caught.value.hint
    assert len(caught.value.lines()) <= 6


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": NaN}', b"[" * 100_000])
def test_damaged_model_json_is_a_run_error(copied: Path, content: bytes) -> None:
    (copied / MODEL_JSON).write_bytes(content)
    with pytest.raises(RunError, match=r"model\.json"):
        open_graphs(copied)


def test_link_out_of_the_folder_is_refused(copied: Path) -> None:
    outside = (copied / "step.onnx").rename(copied.parent / "step.onnx")
    (copied / "step.onnx").symlink_to(outside)
    with pytest.raises(RunError, match="outside its folder"):
        open_graphs(copied)


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx"])
def test_missing_or_exchanged_file_is_named(folders: dict[str, Path], copied: Path, name: str) -> None:
    other = export(seq.SeqTask(seed=1).export_plan(), "torchscript", copied.parent / "other").path
    (copied / name).write_bytes((other / name.replace("onnx", "torchscript")).read_bytes())
    with pytest.raises(RunError, match=rf"{name}: is not the file that was exported"):
        open_graphs(copied)
    (copied / name).unlink()
    with pytest.raises(RunError, match=rf"{name}: cannot be read"):
        open_graphs(copied)


def test_one_graph_of_several_is_no_model(folders: dict[str, Path]) -> None:
    with pytest.raises(RunError, match="one of several graphs") as caught:
        open_model(str(folders["onnx"] / "step.onnx"), device="cpu", threads=1, report=print)
    assert caught.value.hint == "name the folder that contains it"


def test_several_graphs_of_a_task_without_a_search_are_refused(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(builtin.TASKS, seq.SPEC.name, dataclasses.replace(seq.SPEC, search=""))
    with pytest.raises(DlError, match="several graphs"):
        open_model(str(folders["onnx"]), device="cpu", threads=1, report=print)


def test_run_with_an_asset_called_model_is_no_export(tmp_path: Path) -> None:
    (tmp_path / MODEL_JSON).write_text("{}", encoding="utf-8")
    assert is_graph_folder(tmp_path)
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    assert not is_graph_folder(tmp_path)


def test_large_weights_travel_in_the_folder_and_are_proven_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_format, "MAX_BYTES_IN_ONE_FILE", 0)
    result = export(seq.SeqTask().export_plan(), "onnx", tmp_path / "here")
    assert {file.name for file in result.path.glob("*.data")} == {"encoder.onnx.data", "step.onnx.data"}
    there = result.path.rename(tmp_path / "there")
    memory = open_graphs(there).graphs["encoder"].run(seq.sentences(3, 4))["memory"]
    with torch.inference_mode():
        inputs = [torch.from_numpy(array) for array in seq.sentences(3, 4).values()]
        np.testing.assert_allclose(memory, seq.SeqTask().model["encoder"](*inputs).numpy(), atol=1e-6)
    data = bytearray((there / "step.onnx.data").read_bytes())
    data[0] ^= 1
    (there / "step.onnx.data").write_bytes(data)
    with pytest.raises(RunError, match=r"step\.onnx\.data: is not the file"):
        open_graphs(there)
