"""Verified files move to their place whole: an older export is replaced, somebody's work never."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import pytest

from dlcli.core.errors import ExportError
from dlcli.export.model_file import MODEL_JSON
from dlcli.export.publishing import check_place, empty, publish_file, publish_folder, storage_errors


def draft(folder: Path, name: str, content: bytes = b"graph", weights: bytes | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    if weights is not None:
        (folder / f"{name}.data").write_bytes(weights)
    return folder / name


@pytest.mark.parametrize("weights", [None, b"0123456789"])
def test_a_file_moves_with_its_weights_and_is_described(weights: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an older one")
    published = publish_file(draft(tmp_path / "staging", "model.onnx", weights=weights), path)
    assert path.read_bytes() == b"graph"
    assert published.sha256 == hashlib.sha256(b"graph").hexdigest()
    assert published.bytes == 5 + len(weights or b"")
    assert published.data_path == (tmp_path / "model.onnx.data" if weights else None)
    assert not list((tmp_path / "staging").iterdir())


def staged(tmp_path: Path) -> tuple[Path, list[Path]]:
    folder = tmp_path / "staging"
    return folder, [draft(folder / name, f"{name}.onnx", name.encode(), b"w") for name in ("encoder", "step")]


def test_a_folder_holds_all_graphs_and_their_description(tmp_path: Path) -> None:
    content = {"graphs": ["encoder", "step"], "名": "值"}
    folder, drafts = staged(tmp_path)
    published = publish_folder(folder, drafts, content, tmp_path / "model")
    names = {file.name for file in (tmp_path / "model").iterdir()}
    assert names == {"encoder.onnx", "encoder.onnx.data", "step.onnx", "step.onnx.data", MODEL_JSON}
    text = (tmp_path / "model" / MODEL_JSON).read_bytes()
    assert json.loads(text) == content and published.sha256 == hashlib.sha256(text).hexdigest()
    assert published.bytes == sum(file.stat().st_size for file in (tmp_path / "model").iterdir())


def test_an_older_folder_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / MODEL_JSON).write_text("older")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "new.folder":
            raise OSError(errno.ENOSPC, "full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    folder, drafts = staged(tmp_path)
    with pytest.raises(OSError, match="full"):
        publish_folder(folder, drafts, {}, tmp_path / "model")
    assert (tmp_path / "model" / MODEL_JSON).read_text() == "older"


def test_only_an_export_or_nothing_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "file").write_text("x")
    check_place(tmp_path / "new", is_folder=True)
    check_place(tmp_path / "work", is_folder=True)  # empty
    check_place(tmp_path / "file", is_folder=False)
    (tmp_path / "work" / "thesis.tex").write_text("years")
    for place, is_folder, kind in (
        ("work", True, FileExistsError),
        ("work", False, IsADirectoryError),
        ("file", True, NotADirectoryError),
    ):
        with pytest.raises(kind):
            check_place(tmp_path / place, is_folder=is_folder)
    folder, drafts = staged(tmp_path)
    publish_folder(folder, drafts, {"graphs": []}, tmp_path / "model")
    assert (tmp_path / "work" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EDQUOT, "free some disk space"),
        (errno.EACCES, "choose another place with --out"),
    ],
)
def test_a_fault_of_the_disk_is_an_export_error_with_its_way_out(number: int, hint: str) -> None:
    with (
        pytest.raises(ExportError, match=r"model\.onnx: cannot be written: reason") as caught,
        storage_errors(Path("model.onnx")),
    ):
        raise OSError(number, "reason")
    assert caught.value.hint == hint


def test_a_folder_is_emptied_and_stays(tmp_path: Path) -> None:
    draft(tmp_path / "staging", "a.onnx", weights=b"w")
    empty(tmp_path / "staging")
    assert list((tmp_path / "staging").iterdir()) == []
