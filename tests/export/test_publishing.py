"""Verified files move to their place whole: an older export is replaced, somebody's work never."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from dlcli.core.errors import ExportError
from dlcli.export.metadata import METADATA_SCHEMA
from dlcli.export.model_file import CONFIG_JSON, MODEL_JSON
from dlcli.export.publishing import check_place, empty, publish_file, publish_folder, storage_errors
from dlcli.export.script import MARK


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


def published(tmp_path: Path) -> Path:
    """A folder that an export wrote, as it is after some work of its owner."""
    folder, drafts = staged(tmp_path)
    entries = [
        {"name": name, "file": f"{name}.onnx", "sha256": "", "data": {"file": f"{name}.onnx.data", "sha256": ""}}
        for name in ("encoder", "step")
    ]
    content = {"schema": METADATA_SCHEMA, "task": "translation", "assets": {}, "graphs": entries}
    path = tmp_path / "model"
    publish_folder(folder, drafts, content, path)
    shutil.rmtree(folder)
    (path / "README.md").write_text("my own words")
    (path / "predict.py").write_text(f"# {MARK}.")
    (path / "LICENSE").write_text("MIT")
    (path / "link").symlink_to("gone")
    (path / ".git").mkdir()
    (path / ".git" / "HEAD").write_text("ref: refs/heads/main")
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_an_export_did_not_write_stays_in_the_folder_that_it_writes_again(tmp_path: Path) -> None:
    path = published(tmp_path)
    again = publish_folder(tmp_path / "staging", [draft(tmp_path / "staging" / "a", "a.onnx")], {"new": 1}, path)
    own = {"README.md": b"my own words", "LICENSE": b"MIT", ".git/HEAD": b"ref: refs/heads/main"}
    assert content_of(path) == {"a.onnx": b"graph", MODEL_JSON: b'{\n  "new": 1\n}\n', **own}
    assert (path / "link").is_symlink()
    assert again.bytes == 5 + len((path / MODEL_JSON).read_bytes()), "the size is that of the export"


def test_what_an_export_did_not_write_is_not_replaced_by_a_file_of_the_same_name(tmp_path: Path) -> None:
    path = published(tmp_path)
    (path / CONFIG_JSON).write_text("mine")
    before = content_of(path)
    drafts = [draft(tmp_path / "staging" / "weights", "model.safetensors")]
    with pytest.raises(FileExistsError, match=r"did not write what is there: config\.json"):
        publish_folder(tmp_path / "staging", drafts, {}, path, document=CONFIG_JSON)
    assert content_of(path) == before


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt("full")])
@pytest.mark.parametrize("failing", ["new.folder", "model", "LICENSE"])
def test_an_older_folder_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    path = published(tmp_path)
    before = content_of(path)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == failing:
            raise error
        return rename(self, target)

    folder, drafts = staged(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(type(error), match="full"):
            publish_folder(folder, drafts, {}, path)
    assert content_of(path) == before and (path / "link").is_symlink()


@pytest.mark.parametrize(
    "names",
    [
        {CONFIG_JSON: '{"model_type": "bert"}', "model.safetensors": "w", "vocab.txt": "[PAD]", ".gitattributes": ""},
        {MODEL_JSON: '{"format": "layers-model"}', "group1-shard1of1.bin": "w", "vocab.txt": "[PAD]"},
    ],
)
def test_the_folders_of_other_programs_are_refused_by_what_is_in_them(tmp_path: Path, names: dict[str, str]) -> None:
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FileExistsError, match="other content") as caught:
        check_place(tmp_path, is_folder=True)
    assert ", ".join(sorted(names)) in str(caught.value)


def test_of_many_files_in_the_way_the_first_are_named(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.txt").write_text("")
    with pytest.raises(FileExistsError, match=r"content: 0\.txt, 1\.txt, 2\.txt, 3\.txt, 4\.txt and 3 more$"):
        check_place(tmp_path, is_folder=True)


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
    check_place(published(tmp_path / "again"), is_folder=True)
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
