from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import nn

from dlcli.core.errors import DeviceError, UsageError
from dlcli.engine.compute.device import Device, open_device

CPU = Device(torch.device("cpu"))


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "mps:1", ""])
def test_what_is_no_device_is_a_usage_error(name):
    with pytest.raises(UsageError):
        open_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_accelerator_is_a_device_error():
    for name in ("cuda", "cuda:7", "mps"):
        with pytest.raises(DeviceError):
            open_device(name)


def test_threads_are_set():
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            open_device("cpu", threads=threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_batches_are_moved_with_all_they_hold():
    batch = {"a": torch.zeros(2), "b": [torch.zeros(1), "name"], "plan": {"crop": torch.zeros(3)}}
    moved = CPU.move(batch)
    assert moved["b"][1] == "name"
    assert moved["plan"]["crop"].shape == (3,)


class Targets(NamedTuple):
    boxes: list[torch.Tensor]
    name: str


def test_ragged_lists_and_named_tuples_are_moved_as_what_they_are():
    device = Device(torch.device("meta"))
    targets = Targets([torch.zeros(count, 4) for count in (2, 0, 3)], "cats")
    moved = device.move({"targets": targets, "pair": (torch.zeros(1), 7)})
    assert isinstance(moved["targets"], Targets)
    assert moved["targets"].name == "cats"
    assert [(boxes.device.type, len(boxes)) for boxes in moved["targets"].boxes] == [("meta", n) for n in (2, 0, 3)]
    assert moved["pair"][0].device.type == "meta" and moved["pair"][1:] == (7,)


def test_networks_are_laid_out_channels_last():
    module = CPU.place(nn.Conv2d(3, 4, 3))
    assert module.weight.is_contiguous(memory_format=torch.channels_last)


def test_bf16_keeps_the_weights_and_rounds_the_work():
    module = nn.Linear(64, 64)
    x = torch.randn(8, 64)
    with CPU.with_precision("bf16").computing():
        assert module(x).dtype == torch.bfloat16
    assert module.weight.dtype == torch.float32
    with CPU.computing():
        assert module(x).dtype == torch.float32


def test_out_of_memory_is_a_device_error():
    with pytest.raises(DeviceError, match="out of memory"), CPU.computing():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(DeviceError, match="out of memory"), CPU.computing():
        torch.empty(2**50)
