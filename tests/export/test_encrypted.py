"""An archive with an encrypted member is damaged for everybody who has no password, and no fault of the program."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from dlcli.core.errors import RunError
from dlcli.export.looking import look_into_torchscript
from dlcli.export.peek import task_name_of
from dlcli.export.runtime import open_model
from dlcli.export.torch_archive import read_metadata


def encrypted(source: Path, target: Path, end: str) -> Path:
    """Copy an archive, and set the bit of encryption of the members whose names end so, in both of their headers."""
    content = bytearray(source.read_bytes())
    with zipfile.ZipFile(source) as archive:
        place = archive.start_dir
        for info in archive.infolist():
            if info.filename.endswith(end):
                content[info.header_offset + 6] |= 1
                content[place + 8] |= 1
            place += 46 + sum(struct.unpack_from("<3H", content, place + 28))
    target.write_bytes(content)
    return target


@pytest.mark.parametrize("kind", ["torchscript", "pt2"])
def test_encrypted_metadata_are_refused_as_damaged(model_files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    path = encrypted(model_files[kind], tmp_path / "model", "extra/dlcli.json")
    assert task_name_of(model_files[kind]) == "classification"
    assert task_name_of(path) is None
    with pytest.raises(RunError, match=r"damaged: .*encrypted"):
        read_metadata(path)
    with pytest.raises(RunError, match=r"damaged: .*encrypted"):
        open_model(path)


def test_an_encrypted_checkpoint_has_no_task(model_files: dict[str, Path], tmp_path: Path) -> None:
    assert task_name_of(encrypted(model_files["checkpoint"], tmp_path / "best.pt", "data.pkl")) is None


def test_an_encrypted_graph_or_program_is_refused_as_damaged(model_files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"damaged: .*encrypted"):
        open_model(encrypted(model_files["pt2"], tmp_path / "model.pt2", "models/model.json"))
    for end in (".py", "data.pkl", "data/0"):
        with pytest.raises(RunError, match="a damaged TorchScript file: "):
            look_into_torchscript(encrypted(model_files["torchscript"], tmp_path / "model.torchscript", end))
