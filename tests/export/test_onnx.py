from __future__ import annotations

import onnx
import pytest

import dlcli
from dlcli.export.model_file import walk_messages
from dlcli.export.onnx import OPSET
from dlcli.export.plan import ExportPlan, ExportResult


@pytest.fixture(scope="module")
def model(exported_image_net: tuple[ExportPlan, ExportResult]) -> onnx.ModelProto:
    return onnx.load(str(exported_image_net[1].path))


def test_file_states_opset_and_producer(model: onnx.ModelProto) -> None:
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": OPSET}
    assert (model.producer_name, model.producer_version) == ("dlcli", dlcli.__version__)


def test_dynamic_axes_carry_their_symbols(model: onnx.ModelProto) -> None:
    [image] = model.graph.input
    axes = image.type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ["batch", 3, "height", "width"]


def test_metadata_is_ours_alone(model: onnx.ModelProto) -> None:
    assert all(entry.key.startswith("dlcli.") for entry in model.metadata_props)
    for message in walk_messages(model.graph):
        fields = message.DESCRIPTOR.fields_by_name
        assert "doc_string" not in fields or not message.doc_string
        assert "metadata_props" not in fields or not message.metadata_props


def test_weights_lie_in_the_file(model: onnx.ModelProto) -> None:
    assert model.graph.initializer
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)
