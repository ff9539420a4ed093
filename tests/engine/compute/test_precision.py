from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.precision import BF16_INSTRUCTIONS, MAX_ITEMS, choose_precision, computes_bf16, why_untimed

CPU = Device(torch.device("cpu"))


def has(monkeypatch, **instructions):
    """Let the processor have these instructions and no other."""
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: instructions)


@pytest.fixture
def able(monkeypatch):
    has(monkeypatch, architecture="x86_64", avx512_bf16=True)


@pytest.mark.parametrize("name", BF16_INSTRUCTIONS)
def test_one_kind_of_instructions_is_enough_for_bf16(monkeypatch, name):
    has(monkeypatch, architecture="x86_64", avx2=True, **{name: True})
    assert computes_bf16()
    has(monkeypatch, architecture="x86_64", avx2=True, avx512_f=True, **{name: False})
    assert not computes_bf16()


def test_another_architecture_is_tried(monkeypatch):
    has(monkeypatch, architecture="aarch64")
    assert computes_bf16()


def test_a_processor_without_bf16_has_no_trial(toy_task, monkeypatch):
    has(monkeypatch, architecture="x86_64", avx2=True)
    task = toy_task(TrainConfig())
    task.training_step = None
    device, reason = choose_precision(task, CPU, {}, "auto")
    assert (device.precision, reason) == ("fp32", "this processor has no instructions for bf16")
    assert choose_precision(task, CPU, {}, "bf16") == (CPU.with_precision("bf16"), "given")  # slow, but asked for


def test_what_torch_finds_is_what_the_system_lists_of_the_processor():
    listed = Path("/proc/cpuinfo")
    if torch.cpu.get_capabilities().get("architecture") != "x86_64" or not listed.is_file():
        pytest.skip("no list of an x86 processor's instructions")
    flags = set(listed.read_text(encoding="utf-8").split())
    assert computes_bf16() == bool(flags.intersection(BF16_INSTRUCTIONS))


def test_the_choice_leaves_model_and_generators_as_they_were(able, toy_task):
    task = toy_task(TrainConfig(batch_size=8))
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    random = torch.get_rng_state()
    device, reason = choose_precision(task, CPU, next(task.loader("train").batches()), "auto")
    assert device.precision in ("fp32", "bf16")
    assert "as fast as fp32" in reason
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in task.model.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in task.model.parameters())


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_what_is_asked_for_is_taken_without_a_trial(toy_task, asked):
    task = toy_task(TrainConfig())
    task.training_step = None
    device, reason = choose_precision(task, CPU, {}, asked)
    assert (device.precision, reason) == (asked, "given")


@pytest.mark.parametrize(("seconds", "chosen"), [((2.0, 1.0), "bf16"), ((1.0, 2.0), "fp32"), ((1.05, 1.0), "fp32")])
def test_the_faster_format_wins_by_a_margin(able, toy_task, monkeypatch, seconds, chosen):
    taken = dict(zip(("fp32", "bf16"), seconds, strict=True))
    monkeypatch.setattr("dlcli.engine.compute.precision.time_step", lambda task, device, batch: taken[device.precision])
    device, _ = choose_precision(toy_task(TrainConfig()), CPU, {}, "auto")
    assert device.precision == chosen


def test_a_short_or_deterministic_training_has_no_trial(toy_task):
    task = toy_task(TrainConfig())
    task.training_step = None
    assert why_untimed(is_deterministic=False, num_steps=100) is None
    short = why_untimed(is_deterministic=False, num_steps=99)
    for reason in (short, why_untimed(is_deterministic=True, num_steps=999)):
        assert choose_precision(task, CPU, {}, "auto", untimed=reason) == (CPU.with_precision("fp32"), reason)


class Pair(NamedTuple):
    inputs: torch.Tensor
    targets: list[torch.Tensor]


def test_a_trial_steps_on_the_first_items_of_tensors_lists_and_named_tuples(able, toy_task):
    task, seen = toy_task(TrainConfig()), []
    step, count = task.training_step, MAX_ITEMS + 3

    def note(batch):
        seen.append(batch["pair"])
        return step({"inputs": batch["pair"].inputs, "targets": torch.stack(batch["pair"].targets)})

    task.training_step = note
    choose_precision(task, CPU, {"pair": Pair(torch.randn(count, 4), list(torch.randn(count, 1)))}, "auto")
    assert {(type(pair), len(pair.inputs), len(pair.targets)) for pair in seen} == {(Pair, MAX_ITEMS, MAX_ITEMS)}
