from __future__ import annotations

import os

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device, set_determinism
from dlcli.engine.compute.precision import choose_precision

CPU = Device(torch.device("cpu"))


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    set_determinism(False)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def test_determinism_is_set_for_the_process_and_taken_back():
    set_determinism(True)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    set_determinism(False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_workspace_of_the_users_own_is_kept(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    set_determinism(True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_a_computation_without_a_deterministic_form_is_named():
    set_determinism(True)
    told = r"^--deterministic: \S*put_\S* has no deterministic implementation on cpu"
    with pytest.raises(UsageError, match=told) as caught, CPU.computing():
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]), accumulate=False)
    assert "without --deterministic" in str(caught.value.hint)


def test_no_timing_chooses_the_number_format(toy_task):
    task = toy_task(TrainConfig())
    task.training_step = None
    device, reason = choose_precision(task, CPU, {}, "auto", untimed="no timing may decide")
    assert device.precision == "fp32"
    assert "no timing may decide" in reason


def test_generators_are_put_back():
    before = torch.get_rng_state()
    with CPU.keeping_random():
        torch.manual_seed(9)
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
