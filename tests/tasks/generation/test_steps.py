"""Whole steps, compared with ones written by hand in the published order of operations."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from dlcli.engine.compute.backward import Backward
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import LONE
from dlcli.engine.loop import start_state, train
from dlcli.engine.optim.build import parameters_of
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.tasks.generation.steps import CRITIC, GENERATOR, to_pixels, to_unit_range

CPU = Device(torch.device("cpu"))


def trained(task):
    """Return the task after an epoch, and copies of its networks before it."""
    before = {name: copy.deepcopy(task.model[name]).train() for name in (GENERATOR, CRITIC)}
    config = dataclasses.replace(task._train, epochs=1)
    loader = task.loader("train", training=True)
    train(start_state(task, loader, config, CPU), loader, None, config, [])
    return task, before


def assert_same_weights(task, networks):
    for name, network in networks.items():
        for key, value in network.named_parameters():
            trained_value = task.model[name].get_parameter(key)
            torch.testing.assert_close(
                trained_value, value, rtol=0, atol=1e-6, msg=lambda text, key=key, name=name: f"{name}.{key}: {text}"
            )


def reference_wgan_gp(networks, batches, num_classes):
    """Algorithm 1 of Gulrajani et al. 2017, each pass on its own; the generator steps after the last batch."""
    generator, critic = networks[GENERATOR], networks[CRITIC]
    adams = [torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.0, 0.9)) for network in (generator, critic)]
    for batch in batches:
        labels = [batch["classes"]] if num_classes else []
        x, z = batch["images"].float() / 127.5 - 1, batch["noise"]
        fake = generator(z, *labels).detach()
        epsilon = batch["mix"][:, None, None, None]
        hat = (epsilon * x + (1 - epsilon) * fake).requires_grad_(True)
        gradient = torch.autograd.grad(critic(hat, *labels).sum(), hat, create_graph=True)[0]
        penalty = ((gradient.reshape(len(x), -1).norm(2, dim=1) - 1) ** 2).mean()
        loss = critic(fake, *labels).mean() - critic(x, *labels).mean() + 10 * penalty
        adams[1].zero_grad()
        loss.backward()
        adams[1].step()
    adams[0].zero_grad()
    (-critic(generator(z, *labels), *labels).mean()).backward()
    adams[0].step()


@pytest.mark.parametrize("conditional", [False, True])
def test_five_steps_of_the_critic_and_one_of_the_generator_equal_algorithm_1(make_images, open_task, conditional):
    task = open_task(make_images(20), model="wgan-gp", conditional=conditional, train={"ema": None})
    batches = list(task.loader("train", training=True).batches())
    assert len(batches) == 5
    task, networks = trained(task)
    reference_wgan_gp(networks, batches, len(task.labels))
    assert_same_weights(task, networks)


def reference_dcgan(networks, batches, r1):
    """The published order: real, made, both losses into one step; then the generator on the same images."""
    generator, critic = networks[GENERATOR], networks[CRITIC]
    adams = [torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in (generator, critic)]
    for batch in batches:
        x = (batch["images"].float() / 127.5 - 1).requires_grad_(True)
        ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
        adams[1].zero_grad()
        on_real = critic(x)
        F.binary_cross_entropy_with_logits(on_real, ones).backward(retain_graph=True)
        if r1:
            gradient = torch.autograd.grad(on_real.sum(), x, create_graph=True)[0]
            (r1 / 2 * gradient.square().sum((1, 2, 3)).mean()).backward()
        fake = generator(batch["noise"])
        F.binary_cross_entropy_with_logits(critic(fake.detach()), zeros).backward()
        adams[1].step()
        adams[0].zero_grad()
        F.binary_cross_entropy_with_logits(critic(fake), ones).backward()
        adams[0].step()


@pytest.mark.parametrize(("model", "r1"), [("dcgan", 0.0), ("dcgan", 3.0), ("gan", 0.0), ("gan", 3.0)])
def test_steps_with_cross_entropy_equal_the_published_ones(make_images, open_task, model, r1):
    task = open_task(make_images(8), model=model, r1=r1, size=16, train={"ema": None})
    batches = list(task.loader("train", training=True).batches())
    assert len(batches) == 2
    task, networks = trained(task)
    reference_dcgan(networks, batches, r1)
    assert_same_weights(task, networks)


@pytest.mark.parametrize("model", ["gan", "dcgan", "wgan-gp"])
def test_gradients_of_a_loss_never_reach_the_other_network(make_images, open_task, model):
    task = open_task(make_images(), model=model, n_critic=1, r1=0.0 if model == "wgan-gp" else 1.0)
    optimizers, differentiate = task.optimizers(), Backward(LONE, task.model)
    batch = next(iter(task.loader("train", training=True).batches()))
    seen = []
    for update in task.training_step(batch):
        differentiate(sum(update.losses.values()), parameters_of(optimizers[update.optimizer]), is_last=True)
        reached = {name for name in (GENERATOR, CRITIC) for p in task.model[name].parameters() if p.grad is not None}
        assert reached == {update.optimizer}
        assert all(p.grad is not None for p in task.model[update.optimizer].parameters())
        task.model.zero_grad(set_to_none=True)
        seen.append(update.optimizer)
    assert seen == [CRITIC, GENERATOR]


@pytest.mark.parametrize(("model", "n_critic", "turns"), [("dcgan", None, 6), ("wgan-gp", None, 1), ("dcgan", 2, 3)])
def test_the_generator_steps_after_every_nth_step_of_the_critic(make_images, open_task, model, n_critic, turns):
    task = open_task(make_images(24), model=model, n_critic=n_critic)
    updates = [
        update for batch in task.loader("train", training=True).batches() for update in task.training_step(batch)
    ]
    names = [update.optimizer for update in updates]
    assert (names.count(CRITIC), names.count(GENERATOR)) == (6, turns)


def test_losses_have_their_names_and_penalties_their_weights(make_images, open_task):
    data = make_images()
    batch = next(iter(open_task(data).loader("train", training=True).batches()))
    plain = next(open_task(data, model="gan").training_step(batch)).losses
    weighted = {r1: next(open_task(data, model="gan", r1=r1).training_step(batch)).losses for r1 in (1.0, 5.0)}
    assert set(plain) == {"critic_real", "critic_fake"}
    assert set(weighted[1.0]) == {*plain, "r1"}
    assert float(weighted[5.0]["r1"]) == pytest.approx(5 * float(weighted[1.0]["r1"]), rel=1e-5)
    task = open_task(data, model="wgan-gp", n_critic=1)
    critic, generator = task.training_step(batch)
    assert set(critic.losses) == {"critic_real", "critic_fake", "gradient_penalty"}
    assert set(generator.losses) == {"generator"}


def test_pixels_survive_the_way_to_the_unit_range_and_back():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert to_unit_range(pixels).min() == -1 and to_unit_range(pixels).max() == 1
    assert torch.equal(to_pixels(to_unit_range(pixels)), pixels)
    assert to_pixels(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


@pytest.mark.slow
def test_two_processes_of_four_equal_one_of_eight_with_a_penalty_that_is_differentiated_twice(make_images, tmp_path):
    make_images()
    words = [
        "train",
        "generation",
        "--data",
        "pictures",
        "--model",
        "gan",
        "--r1",
        "2",
        "--epochs",
        "2",
        "--ema",
        "0.5",
    ]
    weights = []
    for name, more in (("one", ["--batch-size", "8"]), ("two", ["--batch-size", "4", "--devices", "2"])):
        line = [
            *words,
            *more,
            "--device",
            "cpu",
            "--threads",
            "1",
            "--precision",
            "fp32",
            "--width",
            "8",
            "--name",
            name,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "dlcli", *line], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        weights.append(read_checkpoint(tmp_path / "runs" / name / "checkpoints" / "last.pt")["model"])
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=1e-4, atol=1e-6)
    steps = [json.loads((tmp_path / "runs" / name / "run.json").read_text())["command"] for name in ("one", "two")]
    assert steps[0] != steps[1]
