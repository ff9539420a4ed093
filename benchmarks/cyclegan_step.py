"""A step of CycleGAN through dl's loop beside the published loop, written again in plain PyTorch.

    python benchmarks/cyclegan_step.py [--size PX] [--width N] [--blocks 6|9] [--batch N ...] [--steps N] [--rounds N]

A: the published step: two generators and two critics, each pass on its own, fp32, contiguous, torch's instance norm,
   biases before norms, Adam without fused kernels; nothing is logged.
B: `dlcli.engine.loop.train` with the task's own step, fp32 and channels-last.
C: the same in bf16.

A, B and C are interleaved. Each measurement is a separate process, which first runs a few steps that are not counted;
memory is its peak.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.allocator import keep_freed_memory
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.optim.build import build_optimizer
from dlcli.models.generative.gan_losses import GAN_LOSSES
from dlcli.models.generative.image_pool import ImagePool
from dlcli.models.generative.translators import build_cyclegan
from dlcli.tasks.style.cyclegan import cyclegan_step

RATE, BETAS, POOL, CYCLE, IDENTITY = 2e-4, (0.5, 0.999), 50, 10.0, 0.5
WARM_UP = 2


def published_generator(width: int, blocks: int) -> nn.Module:
    """Return the authors' ResNet generator."""

    def block() -> nn.Module:
        half = [nn.ReflectionPad2d(1), nn.Conv2d(4 * width, 4 * width, 3), nn.InstanceNorm2d(4 * width)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(4 * width, 4 * width, 3), nn.InstanceNorm2d(4 * width)]
        return Residual(nn.Sequential(*half, nn.ReLU(True), *other))

    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
    for before in (width, 2 * width):
        layers += [nn.Conv2d(before, 2 * before, 3, 2, 1), nn.InstanceNorm2d(2 * before), nn.ReLU(True)]
    layers += [block() for _ in range(blocks)]
    for before in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(before, before // 2, 3, 2, 1, 1), nn.InstanceNorm2d(before // 2), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


class Residual(nn.Module):
    """Adds what layers make of an input to it."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum."""
        return features + self.layers(features)


def published_critic(width: int) -> nn.Module:
    """Return the authors' 70x70 PatchGAN."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
        layers += [nn.Conv2d(width * before, width * after, 4, stride, 1), nn.InstanceNorm2d(width * after)]
        layers.append(nn.LeakyReLU(0.2, True))
    return nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 1))


class Published:
    """The two-network loop of the authors' code.

    Args:
        width, blocks: of the generators; critics have 64 channels.
    """

    def __init__(self, width: int, blocks: int) -> None:
        self.generators = [published_generator(width, blocks) for _ in range(2)]
        self.critics = [published_critic(64) for _ in range(2)]
        groups = [
            [p for network in networks for p in network.parameters()] for networks in (self.generators, self.critics)
        ]
        self.optimizers = [torch.optim.Adam(group, RATE, betas=BETAS) for group in groups]
        self.pools = [ImagePool(POOL) for _ in range(2)]

    def step(self, real_a: Tensor, real_b: Tensor) -> None:
        """Train the generators, then the critics."""
        (g_a, g_b), (d_a, d_b), (optimizer_g, optimizer_d) = self.generators, self.critics, self.optimizers
        l1, mse = nn.L1Loss(), nn.MSELoss()
        fake_b = g_a(real_a)
        rec_a = g_b(fake_b)
        fake_a = g_b(real_b)
        rec_b = g_a(fake_a)
        self._set_critics(requires_grad=False)
        optimizer_g.zero_grad()
        loss = CYCLE * IDENTITY * (l1(g_a(real_b), real_b) + l1(g_b(real_a), real_a))
        for judged in (d_a(fake_b), d_b(fake_a)):
            loss = loss + mse(judged, torch.ones_like(judged))
        loss = loss + CYCLE * (l1(rec_a, real_a) + l1(rec_b, real_b))
        loss.backward()
        optimizer_g.step()
        self._set_critics(requires_grad=True)
        optimizer_d.zero_grad()
        for critic, real, pool, fake in ((d_a, real_b, self.pools[0], fake_b), (d_b, real_a, self.pools[1], fake_a)):
            of_real, of_fake = critic(real), critic(pool.exchange(fake))
            (0.5 * (mse(of_real, torch.ones_like(of_real)) + mse(of_fake, torch.zeros_like(of_fake)))).backward()
        optimizer_d.step()

    def _set_critics(self, *, requires_grad: bool) -> None:
        for parameter in itertools.chain.from_iterable(critic.parameters() for critic in self.critics):
            parameter.requires_grad_(requires_grad)


class BenchTask:
    """The task's step on random images, for the loop."""

    goal, card = None, None

    def __init__(self, images: Images, width: int, blocks: int) -> None:
        self._images = images
        self.model = build_cyclegan(generator=f"resnet_{blocks}", size=images.size, width=width)
        pools = {domain: ImagePool(POOL) for domain in "AB"}
        options = {"gan": GAN_LOSSES["lsgan"], "cycle": CYCLE, "identity": IDENTITY}
        self._step = functools.partial(cyclegan_step, *self.model.values(), pools, **options)

    def optimizers(self):
        config = TrainConfig(optimizer="adam:0.5,0.999", learning_rate=RATE, weight_decay=0.0)
        return {part: build_optimizer(self.model[part], config) for part in ("generators", "critics")}

    def training_step(self, batch):
        return self._step(batch["images_a"], batch["images_b"])


class Images:
    """Batches of random images in [-1, 1]; see `dlcli.engine.task.Loader`."""

    def __init__(self, size: int, batch_size: int, steps: int) -> None:
        self.size, self._batch_size, self._steps = size, batch_size, steps
        self.num_items = batch_size * steps
        self.memory_format = torch.contiguous_format

    def __len__(self) -> int:
        return self._steps

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """Yield the batches."""
        torch.manual_seed(epoch)
        for _ in range(start, self._steps):
            pair = (torch.rand(self._batch_size, 3, self.size, self.size) * 2 - 1 for _ in range(2))
            images_a, images_b = (images.contiguous(memory_format=self.memory_format) for images in pair)
            yield {"images_a": images_a, "images_b": images_b}


WAYS = {"A": "published step, fp32", "B": "dl's loop, fp32", "C": "dl's loop, bf16"}


def measure(way: str, options: argparse.Namespace, batch_size: int) -> dict[str, float]:
    """Return the seconds of a step, and the peak memory in MB, of this process."""
    steps = [options.steps, WARM_UP]
    torch.manual_seed(0)
    if way == "A":
        published = Published(options.width, options.blocks)

        def run(images: Images) -> None:
            for batch in images.batches():
                published.step(batch["images_a"], batch["images_b"])
    else:
        keep_freed_memory()
        device = Device(torch.device("cpu"), precision="fp32" if way == "B" else "bf16")
        config = TrainConfig(epochs=1, batch_size=batch_size, schedule="constant", learning_rate=RATE)
        task = BenchTask(Images(options.size, batch_size, 1), options.width, options.blocks)
        device.place(task.model)

        def run(images: Images) -> None:
            images.memory_format = torch.channels_last
            train(start_state(task, images, config, device), images, None, config, [])

    while steps:
        count = steps.pop()
        images = Images(options.size, batch_size, count)
        started = time.perf_counter()
        run(images)
        seconds = (time.perf_counter() - started) / count
    return {"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Run the interleaved rounds and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=6, choices=(6, 9))
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default="ABC")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one[0], options, int(options.one[1]))))
        return
    threads = torch.get_num_threads()
    print(
        f"{platform.processor() or platform.machine()}, {threads} threads, torch {torch.__version__}; {options.size} px"
    )
    for batch_size in options.batch:
        found: dict[str, list[dict[str, float]]] = {way: [] for way in options.ways}
        for _ in range(options.rounds):
            for way, results in found.items():
                line = [sys.executable, __file__, *sys.argv[1:], "--one", way, str(batch_size)]
                results.append(json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout))
        base = statistics.median(each["seconds"] for each in next(iter(found.values())))
        for way, results in found.items():
            seconds = statistics.median(each["seconds"] for each in results)
            memory = max(each["mb"] for each in results)
            ratio = f"{base / seconds:.2f} x"
            print(f"batch {batch_size}  {way}: {WAYS[way]:22} {seconds:.3f} s a step  {ratio}  peak {memory:,.0f} MB")


if __name__ == "__main__":
    main()
