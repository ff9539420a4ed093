from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.core.errors import DeviceError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.compiling import compile_network
from dlcli.engine.compute.device import Device
from dlcli.engine.observers.averaging import averaged_copy
from dlcli.models.ensemble import Ensemble

CPU = Device(torch.device("cpu"))


@pytest.fixture
def compiled(monkeypatch):
    """A list of the modules that were compiled; compiling itself is torch's, and takes a minute."""
    seen = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: seen.append(self))
    return seen


def test_a_network_is_compiled_as_one_and_keeps_its_names(compiled):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    names = list(model.state_dict())
    compile_network(model)
    assert compiled == [model]
    assert list(model.state_dict()) == names


def test_a_containers_parts_are_compiled_one_by_one(compiled):
    model = nn.ModuleDict({"generator": nn.Linear(4, 1), "critics": nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])})
    compile_network(model)
    assert compiled == [model["generator"], *model["critics"]]


def test_an_ensembles_members_are_compiled_one_by_one_since_a_step_calls_each(compiled):
    model = Ensemble([nn.Linear(4, 2), nn.Linear(4, 2)])
    compile_network(model)
    assert compiled == list(model.networks)


def test_a_compiled_network_is_averaged_and_saved_under_plain_names():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    names = list(model.state_dict())
    model.compile(backend="eager")
    batch = torch.ones(3, 4)
    averaged = averaged_copy(model, TrainConfig(epochs=1, batch_size=4, learning_rate=0.1, ema=0.9))
    assert torch.equal(model(batch), averaged.module(batch))
    assert list(model.state_dict()) == list(averaged.module.state_dict()) == names


def test_a_missing_compiler_is_told_in_place_of_a_traceback():
    def broken(module, inputs):
        raise RuntimeError("no working C++ compiler found")

    torch.compiler.reset()
    model = nn.Linear(4, 8)
    model.compile(backend=broken)
    with pytest.raises(DeviceError, match=r"--compile: .*broken") as caught, CPU.computing():
        model(torch.ones(3, 4))
    assert "without --compile" in str(caught.value.hint)
    assert len(caught.value.lines()) <= 6
