"""The task of a model file is read from its bytes, and nothing that a file holds makes that fail."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from dlcli.core.registry import TASKS
from dlcli.export.peek import task_name_of

STORED = Path(__file__).parents[1] / "stored" / "0.1.0"


@pytest.mark.parametrize("task", [task for task in TASKS if (STORED / task).is_dir()])
@pytest.mark.parametrize("name", ["model.onnx", "run/checkpoints/best.pt", "run/checkpoints/last.pt"])
def test_exported_files_and_checkpoints_name_their_task(task, name):
    assert task_name_of(STORED / task / name) == task


def test_each_kind_of_file_names_its_task(model_files):
    assert task_name_of(model_files["onnx"]) == task_name_of(model_files["torchscript"]) == "classification"
    assert task_name_of(model_files["checkpoint"]) is None, "bare weights describe nothing"


@pytest.mark.parametrize("name", ["model.onnx", "run/checkpoints/best.pt"])
def test_a_file_cut_off_anywhere_is_no_fault(tmp_path, name):
    whole = (STORED / "sentiment" / name).read_bytes()
    path = tmp_path / "cut"
    found = set()
    for end in (*range(0, len(whole), 97), len(whole) - 1):
        path.write_bytes(whole[:end])
        found.add(task_name_of(path))
    assert found <= {None, "sentiment"}


@pytest.mark.parametrize("place", range(0, 6000, 61))
def test_a_damaged_byte_is_no_fault(tmp_path, place):
    for name in ("model.onnx", "run/checkpoints/best.pt"):
        content = bytearray((STORED / "sentiment" / name).read_bytes())
        content[place % len(content)] ^= 0xFF
        path = tmp_path / "damaged"
        path.write_bytes(content)
        assert isinstance(task_name_of(path), str | None)


def test_other_files_have_none(tmp_path):
    for content in (b"", b"hello", b"PK\x03\x04", b"\x08\x0a", b"\x89PNG\r\n\x1a\n"):
        (tmp_path / "file").write_bytes(content)
        assert task_name_of(tmp_path / "file") is None
    assert task_name_of(tmp_path / "gone") is None
    assert task_name_of(tmp_path) is None


@pytest.mark.parametrize("document", ["[]", "3", '{"task": 3}', "{", "[" * 5000])
def test_metadata_of_another_shape_has_none(tmp_path, document):
    path = tmp_path / "net.ts"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/constants.pkl", b"")
        archive.writestr("net/code/a.py", b"")
        archive.writestr("net/extra/dlcli.json", document)
    assert task_name_of(path) is None


def test_nothing_that_a_pickle_asks_for_is_run(tmp_path):
    description = json.dumps({"task": "sentiment"}).encode()
    trap = b"cos\nsystem\n(Vtouch sprung\ntR0"  # protocol 0: os.system("touch sprung"), its answer dropped
    pickled = trap + b"(Vdescription\nV" + description + b"\ntd."
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/data.pkl", pickled)
    assert task_name_of(tmp_path / "net.pt") == "sentiment"
    assert not Path("sprung").exists()
