"""The keys of other programs: as their readers expect them, and only where they are true."""

from __future__ import annotations

import ast
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from dlcli.export.ecosystem import image_keys, yolo_keys
from dlcli.export.exporting import export_model
from dlcli.export.plan import single_graph
from dlcli.export.runtime import open_model


class Pixels(nn.Module):
    """(N, C, 8, 8) uint8 images to (N, 2) logits."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.head = nn.Linear(channels * 64, 2)

    def forward(self, images):
        return self.head(images.float().flatten(1) / 255)


def pixel_plan(channels: int = 3, dtype=np.uint8, **more):
    random = np.random.default_rng(0)
    samples = [{"images": random.integers(0, 256, (n, channels, 8, 8)).astype(dtype)} for n in (1, 3)]
    metadata = {"task": "classification", "assets": {"labels": ["猫", 'a "dog"']}}
    return single_graph(
        Pixels(channels), inputs=("images",), outputs=("logits",), samples=samples, metadata=metadata, **more
    )


def keys_of(path):
    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}


@pytest.mark.parametrize(("channels", "pixels"), [(1, "Gray8"), (3, "Rgb8")])
def test_pixels_are_described_as_onnx_defines_it(channels, pixels):
    assert image_keys(pixel_plan(channels).graphs[0]) == {
        "Image.BitmapPixelFormat": pixels,
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "NominalRange_0_255",
    }


def test_what_is_no_image_of_bytes_is_not_described(plans):
    assert image_keys(plans["image"]().graphs[0]) == {}  # floats
    assert image_keys(plans["two"]().graphs[0]) == {}
    assert image_keys(plans["sentence"]().graphs[0]) == {}
    assert image_keys(pixel_plan(2).graphs[0]) == {}


def test_the_values_are_those_that_a_reader_evaluates():
    keys = yolo_keys(["猫", "it's"], task="detect", size=(480, 640), stride=32)
    assert ast.literal_eval(keys["names"]) == {0: "猫", 1: "it's"}
    assert ast.literal_eval(keys["imgsz"]) == [480, 640]
    assert (int(keys["stride"]), keys["task"]) == (32, "detect")
    assert yolo_keys(["a"]) == {"names": "{0: 'a'}"}


def test_an_onnx_file_has_them_beside_our_own_and_torchscript_has_not(tmp_path):
    torch.manual_seed(0)
    plan = pixel_plan(foreign=yolo_keys(["猫", 'a "dog"'], task="classify", size=(8, 8)))
    path = export_model(plan, "onnx", tmp_path / "a.onnx", report=lambda line: None).path
    found = keys_of(path)
    assert found["Image.BitmapPixelFormat"] == "Rgb8"
    assert ast.literal_eval(found["names"]) == dict(enumerate(plan.metadata["assets"]["labels"]))
    assert open_model(path).metadata["assets"] == plan.metadata["assets"]
    traced = export_model(plan, "torchscript", tmp_path / "a.ts", report=lambda line: None).path
    assert "names" not in open_model(traced).metadata


def test_they_cannot_replace_ours(tmp_path):
    torch.manual_seed(0)
    plan = replace(pixel_plan(), foreign={"dlcli.task": '"style"', "names": "{}"})
    path = export_model(plan, "onnx", tmp_path / "a.onnx", report=lambda line: None).path
    assert open_model(path).metadata["task"] == "classification"
