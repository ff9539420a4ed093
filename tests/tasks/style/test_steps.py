"""The steps through the loop equal the published ones, written here in plain PyTorch with every pass on its own."""

from __future__ import annotations

import copy
import functools
import itertools

import pytest
import torch
from torch import nn

from dlcli.engine.compute.backward import Backward
from dlcli.engine.compute.distributed import LONE
from dlcli.models.generative.gan_losses import GAN_LOSSES
from dlcli.models.generative.image_pool import ImagePool
from dlcli.models.generative.translators import build_cyclegan, build_pix2pix
from dlcli.tasks.style.cyclegan import cyclegan_step
from dlcli.tasks.style.pix2pix import pix2pix_step

SIDE = 32


def networks_of(build, **options):
    torch.manual_seed(0)
    networks = build(
        generator="unet" if build is build_pix2pix else "resnet_6", size=SIDE, width=4, critic_width=4, **options
    )
    # Five times the initial weights: with these the outputs hardly depend on the images.
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.mul_(5)
    return networks.to(memory_format=torch.channels_last)


def images(count, batch_size=2):
    torch.manual_seed(1)
    return [[torch.rand(batch_size, 3, SIDE, SIDE) * 2 - 1 for _ in range(2)] for _ in range(count)]


def optimizer_of(module):
    return torch.optim.Adam(module.parameters(), 2e-4, betas=(0.5, 0.999))


def take_steps(networks, step, batches):
    """Train as the loop does: an update only after the step of the one before, gradients only of its optimizer."""
    optimizers = {name: optimizer_of(networks[name]) for name in ("generators", "critics")}
    differentiate, losses = Backward(LONE, networks), []
    for batch in batches:
        for update in step(*batch):
            parameters = [
                parameter for group in optimizers[update.optimizer].param_groups for parameter in group["params"]
            ]
            differentiate(sum(update.losses.values()), parameters, is_last=True)
            optimizers[update.optimizer].step()
            optimizers[update.optimizer].zero_grad()
            losses.append(list(update.losses))
    return losses


def set_requires_grad(modules, value):
    for parameter in itertools.chain.from_iterable(module.parameters() for module in modules):
        parameter.requires_grad_(value)


class PublishedPool:
    """The authors' pool, with draws from torch's generator."""

    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, images):
        chosen = []
        for image in images.split(1):
            if len(self.images) < self.size:
                self.images.append(image)
                chosen.append(image)
            elif torch.rand(()) > 0.5:
                place = int(torch.randint(self.size, ()))
                chosen.append(self.images[place].clone())
                self.images[place] = image
            else:
                chosen.append(image)
        return torch.cat(chosen)


def published_cyclegan(networks, batches, pool_size):
    g_a, g_b = networks["generators"]["AtoB"], networks["generators"]["BtoA"]
    d_a, d_b = networks["critics"]["B"], networks["critics"]["A"]  # the authors name a critic by its generator
    mse, l1 = nn.MSELoss(), nn.L1Loss()

    def gan(judged, is_real):
        return mse(judged, torch.full_like(judged, float(is_real)))

    optimizer_g = torch.optim.Adam([*g_a.parameters(), *g_b.parameters()], lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam([*d_a.parameters(), *d_b.parameters()], lr=2e-4, betas=(0.5, 0.999))
    fake_a_pool, fake_b_pool = PublishedPool(pool_size), PublishedPool(pool_size)
    for real_a, real_b in batches:
        fake_b = g_a(real_a)
        rec_a = g_b(fake_b)
        fake_a = g_b(real_b)
        rec_b = g_a(fake_a)
        set_requires_grad([d_a, d_b], False)
        optimizer_g.zero_grad()
        loss_idt_a = l1(g_a(real_b), real_b) * 10 * 0.5
        loss_idt_b = l1(g_b(real_a), real_a) * 10 * 0.5
        loss_g_a, loss_g_b = gan(d_a(fake_b), True), gan(d_b(fake_a), True)
        loss_cycle_a, loss_cycle_b = l1(rec_a, real_a) * 10, l1(rec_b, real_b) * 10
        (loss_g_a + loss_g_b + loss_cycle_a + loss_cycle_b + loss_idt_a + loss_idt_b).backward()
        optimizer_g.step()
        set_requires_grad([d_a, d_b], True)
        optimizer_d.zero_grad()
        for critic, real, pool, fake in ((d_a, real_b, fake_b_pool, fake_b), (d_b, real_a, fake_a_pool, fake_a)):
            pooled = pool.query(fake.detach())
            ((gan(critic(real), True) + gan(critic(pooled), False)) * 0.5).backward()
        optimizer_d.step()


def published_pix2pix(networks, batches):
    generator, critic = networks["generators"]["AtoB"], networks["critics"]["B"]
    bce, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def gan(judged, is_real):
        return bce(judged, torch.full_like(judged, float(is_real)))

    optimizer_g, optimizer_d = optimizer_of(generator), optimizer_of(critic)
    for real_a, real_b in batches:
        fake_b = generator(real_a)
        set_requires_grad([critic], True)
        optimizer_d.zero_grad()
        loss_fake = gan(critic(torch.cat((real_a, fake_b), 1).detach()), False)
        loss_real = gan(critic(torch.cat((real_a, real_b), 1)), True)
        ((loss_fake + loss_real) * 0.5).backward()
        optimizer_d.step()
        set_requires_grad([critic], False)
        optimizer_g.zero_grad()
        (gan(critic(torch.cat((real_a, fake_b), 1)), True) + l1(fake_b, real_b) * 100).backward()
        optimizer_g.step()
    set_requires_grad([critic], True)


def assert_same_weights(first, second, before):
    expected = second.state_dict()
    for name, value in first.named_parameters():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6)
    for name, value in first["generators"].named_buffers(prefix="generators"):  # nothing reads those of critics
        torch.testing.assert_close(value, expected[name])
    moved = [not torch.equal(value, before.state_dict()[name]) for name, value in first.named_parameters()]
    assert all(moved)


def test_steps_of_cyclegan_equal_the_published_ones():
    networks, batches = networks_of(build_cyclegan), images(3)  # the pool of three images is full in the second
    before, other = copy.deepcopy(networks), copy.deepcopy(networks)
    pools = {name: ImagePool(3) for name in "AB"}
    torch.manual_seed(2)
    options = {"gan": GAN_LOSSES["lsgan"], "cycle": 10.0, "identity": 0.5}
    step = functools.partial(cyclegan_step, *networks.values(), pools, **options)
    losses = take_steps(networks, step, batches)
    torch.manual_seed(2)
    published_cyclegan(other, batches, 3)
    assert_same_weights(networks, other, before)
    assert losses[0] == ["gan_ab", "gan_ba", "cycle_a", "cycle_b", "identity_a", "identity_b"]
    assert losses[1] == ["critic_b", "critic_a"]


def test_steps_of_pix2pix_equal_the_published_ones():
    networks, batches = networks_of(build_pix2pix, norm="batch"), images(3)
    before, other = copy.deepcopy(networks), copy.deepcopy(networks)
    pair = networks["generators"]["AtoB"], networks["critics"]["B"]
    torch.manual_seed(2)
    losses = take_steps(networks, lambda *batch: pix2pix_step(*pair, *batch, gan=GAN_LOSSES["bce"], l1=100.0), batches)
    torch.manual_seed(2)
    published_pix2pix(other, batches)
    assert_same_weights(networks, other, before)
    assert losses[:2] == [["critic"], ["gan", "l1"]]


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_step_of_cyclegan_with_batch_norm_keeps_the_passes_apart(norm):
    """Running statistics tell how often, and on what, each generator has run."""
    networks = networks_of(build_cyclegan, norm=norm)
    passes = []
    networks["generators"]["AtoB"].register_forward_hook(lambda _module, given, _made: passes.append(len(given[0])))
    pools = {name: ImagePool(0) for name in "AB"}
    [pair] = images(1)
    list(cyclegan_step(*networks.values(), pools, *pair, gan=GAN_LOSSES["bce"], cycle=10.0, identity=0.5))
    assert passes == ([4, 2] if norm == "instance" else [2, 2, 2])


def test_without_the_identity_loss_no_pass_is_spent_on_it():
    networks = networks_of(build_cyclegan)
    passes = []
    networks["generators"]["BtoA"].register_forward_hook(lambda _module, given, _made: passes.append(len(given[0])))
    pools = {name: ImagePool(0) for name in "AB"}
    [pair] = images(1)
    update = next(cyclegan_step(*networks.values(), pools, *pair, gan=GAN_LOSSES["lsgan"], cycle=10.0, identity=0.0))
    assert list(update.losses) == ["gan_ab", "gan_ba", "cycle_a", "cycle_b"]
    assert passes == [4]


def test_gradients_of_one_loss_never_reach_the_others_parameters():
    networks = networks_of(build_cyclegan)
    differentiate = Backward(LONE, networks)
    parts = {name: list(networks[name].parameters()) for name in ("generators", "critics")}
    pools = {name: ImagePool(0) for name in "AB"}
    [pair] = images(1)
    for update in cyclegan_step(*networks.values(), pools, *pair, gan=GAN_LOSSES["lsgan"], cycle=10.0, identity=0.5):
        differentiate(sum(update.losses.values()), parts[update.optimizer], is_last=True)
        for name, parameters in parts.items():
            has_gradient = [parameter.grad is not None for parameter in parameters]
            assert all(has_gradient) if name == update.optimizer else not any(has_gradient)
            for parameter in parameters:
                parameter.grad = None
