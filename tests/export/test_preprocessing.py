"""Graphs that fit images themselves give the pixels of the run's own way, and answers in the image's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from dlcli.core.errors import ExportError
from dlcli.data.annotated.label_maps import label_map_in_image
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.images.preprocess import Preprocess
from dlcli.export.preprocessing import embed_preprocessing

SIZES = [
    *((1, 1), (1, 9), (8, 8), (28, 28), (31, 57), (32, 32), (33, 31), (64, 64), (97, 131), (131, 97), (224, 224)),
    *((300, 211), (448, 448), (480, 640), (641, 479), (720, 1283), (1000, 33), (5, 700)),
]
RGB = ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
WAYS = [
    Preprocess(3, 32, 32, *RGB),
    Preprocess(1, 28, 28, (0.5,), (0.2,)),
    Preprocess(3, 224, 224, *RGB),
    CanvasPreprocess(320, None, *RGB),
    CanvasPreprocess(64, None, *RGB),
    CanvasPreprocess(128, (96, 128), *RGB),
    Preprocess(3, 24, 40, *RGB),
    Preprocess(1, 33, 20, (0.5,), (0.2,)),
]

CANVASES = [way for way in WAYS if isinstance(way, CanvasPreprocess)]


def photo(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (max(2, height // 3), max(2, width // 3), channels), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)


def graph(
    path: Path, nodes: list[Any], outputs: dict[str, tuple[int, list[Any]]], *, channels: int = 3, opset: int = 20
) -> Path:
    """Write an ONNX file from `images`, (batch, channels, height, width) uint8."""
    given = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", channels, "height", "width"])
    made = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [given], made), opset_imports=[helper.make_opsetid("", opset)]
    )
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def run(path: Path, image: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": image if image.ndim == 4 else image[np.newaxis]})


def itself(path: Path, channels: int) -> Path:
    node = helper.make_node("Identity", ["images"], ["same"])
    return graph(path, [node], {"same": (TensorProto.UINT8, ["batch", channels, "h", "w"])}, channels=channels)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{type(way).__name__}-{way.to_json().get('side', '')}")
def test_pixels_are_those_of_the_run_to_a_level(tmp_path: Path, way: Any) -> None:
    channels = way.to_json()["channels"]
    target = tmp_path / "whole.onnx"
    embed_preprocessing(itself(tmp_path / "plain.onnx", channels), target, way.to_json())
    for height, width in SIZES:
        image = photo(height, width, channels)
        fitted = way.fit(image)
        expected = fitted[0] if isinstance(fitted, tuple) else fitted
        [given] = run(target, image)
        assert given.shape == (1, channels, *expected.shape[:2]), (height, width)
        difference = np.abs(given[0].transpose(1, 2, 0).astype(int) - expected.astype(int))
        assert difference.max() <= 1 and difference.mean() < 0.3, (height, width)


def test_images_of_one_size_share_a_call(tmp_path: Path) -> None:
    target = tmp_path / "whole.onnx"
    embed_preprocessing(itself(tmp_path / "plain.onnx", 3), target, WAYS[3].to_json())
    images = np.stack([photo(97, 131, 3, seed) for seed in range(3)])
    [together] = run(target, images)
    for image, given in zip(images, together, strict=True):
        np.testing.assert_array_equal(run(target, image)[0][0], given)


@pytest.mark.parametrize(
    "way", [way for way in WAYS if isinstance(way, CanvasPreprocess)], ids=lambda way: str(way.side)
)
def test_boxes_and_label_maps_are_in_the_images_pixels(tmp_path: Path, way: CanvasPreprocess) -> None:
    boxes = np.array([[[1.5, 2, 30, 40.25], [-3, -1, 1e4, 1e4]]], np.float32)
    nodes = [
        helper.make_node("Constant", [], ["boxes"], value=onnx.numpy_helper.from_array(boxes)),
        helper.make_node("ReduceMax", ["images"], ["map"], axes=[1], keepdims=0),
        helper.make_node("Identity", ["map"], ["label_map"]),
    ]
    outputs = {
        "boxes": (TensorProto.FLOAT, [1, 2, 4]),
        "label_map": (TensorProto.UINT8, ["batch", "height", "width"]),
    }
    plain = graph(tmp_path / "plain.onnx", nodes, outputs, opset=17)
    target = tmp_path / "whole.onnx"
    embed_preprocessing(plain, target, way.to_json())
    for height, width in SIZES:
        image = photo(height, width, 3)
        canvas, fit = way.fit(image)
        found, label_map = run(target, image)
        np.testing.assert_allclose(found[0], fit.to_image(boxes[0]), rtol=1e-5)
        expected = label_map_in_image(canvas.max(axis=2), fit)
        assert label_map.shape == (1, height, width)
        rows, columns = (has_one_nearest(*sides) for sides in zip(fit.inner, fit.size, strict=True))
        difference = np.abs(label_map[0].astype(int) - expected.astype(int))[rows][:, columns]
        assert difference.max(initial=0) <= 1, (height, width)


def has_one_nearest(given: int, wanted: int) -> np.ndarray:
    """Return which of the wanted pixels have a centre within one of the given, not between two."""
    return (2 * np.arange(wanted) + 1) * given % (2 * wanted) != 0


def test_boxes_with_masks_stay_whole(tmp_path: Path) -> None:
    boxes = np.array([[[-3, -1, 1e4, 1e4]]], np.float32)
    constants = {"boxes": boxes, "masks": np.zeros((1, 1, 2, 2), np.float32)}
    nodes = [
        helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in constants.items()
    ]
    outputs = {name: (TensorProto.FLOAT, list(value.shape)) for name, value in constants.items()}
    target = tmp_path / "whole.onnx"
    embed_preprocessing(graph(tmp_path / "plain.onnx", nodes, outputs), target, WAYS[3].to_json())
    fit = WAYS[3].fit_of((97, 131))
    np.testing.assert_allclose(run(target, photo(97, 131, 3))[0][0], boxes[0] / fit.scale, rtol=1e-5)


def test_operators_that_are_too_old_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["images"], ["same"])]
    plain = graph(tmp_path / "plain.onnx", nodes, {"same": (TensorProto.UINT8, ["batch", 3, "h", "w"])}, opset=12)
    with pytest.raises(ExportError, match="version 13"):
        embed_preprocessing(plain, tmp_path / "whole.onnx", WAYS[0].to_json())
