"""TorchScript files: what the archive holds, and what a file that is changed says."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.core.errors import RunError
from dlcli.export.metadata import PREFIX
from dlcli.export.torch_archive import METADATA_NAME, one_document
from dlcli.export.torchscript import open_torchscript
from dlcli.models.detection.suppression import unsuppressed


def changed(source: Path, target: Path, change) -> Path:
    """Copy an archive; `change` gives each member's new content, or None to leave it out."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for info in before.infolist():
            content = change(info.filename, before.read(info))
            if content is not None:
                after.writestr(info.filename, content, info.compress_type)
    return target


def test_the_metadata_is_one_json_document_with_the_names_without_their_prefix():
    texts = {f"{PREFIX}labels": '["猫", "a\\"b"]', f"{PREFIX}schema": "1"}
    assert json.loads(one_document(texts)) == {"labels": ["猫", 'a"b'], "schema": 1}
    assert json.loads(one_document({})) == {}


def test_the_archive_holds_the_metadata_once_and_no_debug_records(model_files):
    with zipfile.ZipFile(model_files["torchscript"]) as archive:
        names = archive.namelist()
    assert sum(name.endswith(f"extra/{METADATA_NAME}") for name in names) == 1
    assert not [name for name in names if name.endswith(".debug_pkl")]
    assert len(set(names)) == len(names)


def test_a_file_without_metadata_is_refused(model_files, tmp_path):
    bare = changed(
        model_files["torchscript"],
        tmp_path / "bare.torchscript",
        lambda name, content: None if name.endswith(METADATA_NAME) else content,
    )
    with pytest.raises(RunError, match="contains no labels and preprocessing written by dl"):
        open_torchscript(bare)


def test_damaged_metadata_is_refused_before_the_program_is_loaded(model_files, tmp_path, monkeypatch):
    damaged = changed(
        model_files["torchscript"],
        tmp_path / "damaged.torchscript",
        lambda name, content: b"{" if name.endswith(METADATA_NAME) else content,
    )
    monkeypatch.setattr("torch.jit.load", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(RunError, match="metadata"):
        open_torchscript(damaged)


def test_other_outputs_than_the_metadata_names_are_refused(model_files, tmp_path):
    def rename(name: str, content: bytes) -> bytes:
        if not name.endswith(METADATA_NAME):
            return content
        return json.dumps(json.loads(content) | {"outputs": ["logits", "more"]}).encode()

    model = open_torchscript(changed(model_files["torchscript"], tmp_path / "two.torchscript", rename))
    with pytest.raises(RunError, match="outputs differ"):
        model.run({"image": np.zeros((1, 3, 8, 8), np.float32)})


class Remaining(torch.nn.Module):
    """Which of some boxes remain, by an operator that only the package's own module registers."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        boxes = torch.stack([images[..., 0], images[..., 1], images[..., 0] + 4, images[..., 1] + 4], dim=-1)
        return unsuppressed(boxes, images[..., 2], 0.5)


def test_a_process_that_has_no_detector_loads_the_operators_of_one(model_files, tmp_path):
    """A file of a detector could be opened only where something had imported its operators before."""
    images = torch.tensor([[[0.0, 0.0, 0.9], [0.5, 0.0, 0.8], [20.0, 0.0, 0.7]]])
    metadata = json.loads(zipfile.ZipFile(model_files["torchscript"]).read(_member(model_files["torchscript"])))
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(Remaining(), (images,)), buffer, _extra_files={METADATA_NAME: json.dumps(metadata)})
    (tmp_path / "boxes.torchscript").write_bytes(buffer.getvalue())
    code = """if True:
        import sys
        from pathlib import Path
        from dlcli.export.torchscript import open_torchscript
        assert "dlcli.models.detection.suppression" not in sys.modules
        model = open_torchscript(Path("boxes.torchscript"))
        assert "dlcli.models.detection.suppression" in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _member(path: Path) -> str:
    [name] = [name for name in zipfile.ZipFile(path).namelist() if name.endswith(f"extra/{METADATA_NAME}")]
    return name
