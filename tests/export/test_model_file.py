from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from dlcli.core.errors import RunError
from dlcli.export.model_file import check_external_data, is_graph_folder, is_weights_folder, is_whole_onnx, kind_of


def test_kind_is_told_by_content(model_files: dict[str, Path], tmp_path: Path) -> None:
    for kind, path in model_files.items():
        renamed = tmp_path / f"{kind}.png"
        renamed.write_bytes(path.read_bytes())
        assert kind_of(renamed) == kind


@pytest.mark.parametrize(
    "content",
    [b"", b"\x08", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04 cut off", b"\x08\x0a" + b"text, not fields" * 9, b"\x80\x02."],
)
def test_other_content_has_no_kind(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert kind_of(tmp_path / "file") is None


def test_what_is_no_file_has_no_kind(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat.png", b"")
    assert kind_of(tmp_path / "photos.zip") is None
    assert kind_of(tmp_path / "missing") is None
    assert kind_of(tmp_path) is None


def test_a_folder_is_of_graphs_or_of_weights_or_a_run(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        assert not is_weights_folder(tmp_path)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert is_weights_folder(tmp_path)
    assert not is_graph_folder(tmp_path)
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    assert not is_weights_folder(tmp_path)
    assert not is_weights_folder(tmp_path / "gone")


def test_only_the_whole_file_is_whole(model_files: dict[str, Path], tmp_path: Path) -> None:
    content = model_files["onnx"].read_bytes()
    cut = tmp_path / "cut.onnx"
    assert is_whole_onnx(model_files["onnx"])
    for length in range(1, len(content), len(content) // 50):
        cut.write_bytes(content[:length])
        # A cut between two fields of the outermost message, after the graph, leaves a smaller whole file.
        assert not is_whole_onnx(cut) or onnx.load(str(cut)).graph.node


def model_with_weights_at(location: str, *, place: str = "initializer", length: str = "16") -> onnx.ModelProto:
    """Return y = x + w whose w lies in another file."""
    weights = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", length)):
        weights.external_data.add(key=key, value=value)
    make = onnx.helper
    x, y = (make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [4]) for name in "xy")
    nodes, initializers = [make.make_node("Add", ["x", "w"], ["y"])], [weights]
    if place == "attribute":
        nodes, initializers = [make.make_node("Constant", [], ["w"], value=weights), *nodes], []
    if place == "subgraph":
        inner = make.make_graph(nodes, "inner", [], [y], initializers)
        condition = make.make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(np.array(True)))
        nodes = [condition, make.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
        initializers = []
    return make.make_model(make.make_graph(nodes, "graph", [x], [y], initializers))


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
@pytest.mark.parametrize("location", ["../secret.bin", "{folder}/secret.bin", "link.bin", "", ".", "a\0b"])
def test_weights_outside_the_folder_are_refused(location: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    model = model_with_weights_at(location.format(folder=tmp_path), place=place)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(RunError, match="outside its folder"):
        check_external_data(folder / "net.onnx")


def test_weights_beside_the_file_are_found_and_measured(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model_with_weights_at("net.onnx.data").SerializeToString())
    with pytest.raises(RunError, match="missing or truncated"):
        check_external_data(path)
    (tmp_path / "net.onnx.data").write_bytes(bytes(15))
    with pytest.raises(RunError, match="missing or truncated"):
        check_external_data(path)
    (tmp_path / "net.onnx.data").write_bytes(bytes(16))
    assert check_external_data(path) == (tmp_path.resolve() / "net.onnx.data",)


@pytest.mark.parametrize("length", ["-1", "many"])
def test_length_that_is_none_is_refused(length: str, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(bytes(16))
    (tmp_path / "net.onnx").write_bytes(model_with_weights_at("w", length=length).SerializeToString())
    with pytest.raises(RunError):
        check_external_data(tmp_path / "net.onnx")
