"""Shared fixtures: real data where there is any, and small tasks that the loop can train."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from torch import nn

from dlcli.data.order import WHOLE
from dlcli.engine.optim.build import with_ends
from dlcli.engine.optim.lazy_adam import LazyAdam
from dlcli.engine.task import Goal, Update

# The networks of the tests are too small for more threads, and processes that each take all cores slow each other down.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that share the tests, and of those that tests start

MOST_PROCESSES = 4
"""More would each import torch for a share of a few seconds."""

LONGEST = (
    "contract/test_contract.py",
    "tasks/detection/test_overfitting.py",
    "data/text/tokenizing/test_jieba_tokens.py",
    "cli/test_script.py",
    "engine/compute/test_distributed.py",
    "models/text/test_networks.py",
    "engine/test_sigkill.py",
    "cli/test_long_runs.py",
    "engine/runs/test_training.py",
    "cli/test_models.py",
    "tasks/detection/test_runs.py",
    "test_plugin.py",
    "models/detection/test_exporting.py",
    "models/detection/test_exported.py",
    "tasks/detection/test_saving.py",
    "cli/test_pictures_of_every_task.py",
    "export/test_exporting.py",
    "export/test_folder.py",
)
"""Files of 25 s and more of CPU, the longest first."""

# How long an example takes says nothing on a machine that does other work as well.
hypothesis.settings.register_profile("dlcli", deadline=None)
hypothesis.settings.load_profile("dlcli")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes share the tests: one a core; none beside this one where only files are named."""
    if all(Path(word.partition("::")[0]).is_file() for word in config.args):
        return 0  # starting more would take longer than the tests
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(num_cores, MOST_PROCESSES)


def pytest_configure(config: pytest.Config) -> None:
    """Keep each of the processes that share the quick tests, and what it starts, on a core of its own.

    What a test runs takes as many threads as it may use cores, and two processes of two threads on two cores wait for
    each other most of the time. Slow tests start several processes themselves, which may use all cores.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    is_quick = config.getoption("markexpr") == "not slow"
    if is_quick and worker.isdecimal() and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker) % len(cores)]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first, so that no process is left with one of them while the others have nothing to do.

    xdist alone would start the files of most tests first: those of many small ones.
    """
    folder, places = Path(__file__).parent, {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(folder).as_posix(), len(LONGEST)))


def pytest_collection(session: pytest.Session) -> None:
    """Collect no garbage while tests are collected: each of the hundreds of thousands of objects stays."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Hide what collecting has made from the garbage collector."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets that DLCLI_DATA names."""
    if "DLCLI_DATA" not in os.environ:
        pytest.skip("DLCLI_DATA is not set: no real data")
    return Path(os.environ["DLCLI_DATA"])


class ToyLoader:
    """Batches of fixed tensors in an order that is a function of (seed, epoch)."""

    def __init__(self, inputs, targets, batch_size, *, shuffled, shard=WHOLE):
        self.inputs, self.targets, self.shuffled, self.shard = inputs, targets, shuffled, shard
        self.batch_size = batch_size * shard.size
        self.num_items = len(inputs)

    def __len__(self):
        return -(-len(self.inputs) // self.batch_size)

    def batches(self, epoch=0, start=0):
        count = len(self.inputs)
        order = np.random.default_rng([7, epoch]).permutation(count) if self.shuffled else np.arange(count)
        for number in range(start, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            chosen = chosen[self.shard.rank :: self.shard.size]
            yield {"inputs": self.inputs[chosen], "targets": self.targets[chosen]}


class ToyMetric:
    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, batch, outputs):
        self.total += float(((outputs["answers"] - batch["targets"]) ** 2).sum())
        self.count += len(batch["targets"])

    def merge(self, other):
        self.total, self.count = self.total + other.total, self.count + other.count

    def compute(self):
        return {"loss": self.total / self.count, "score": -self.total / self.count}

    def report(self):
        return {"metrics": self.compute(), "lower_is_better": ["loss"]}


class ToyTask:
    """Linear regression with dropout, so that the random generators matter."""

    inputs, outputs = ("inputs",), ("answers",)
    goal = Goal("score", larger_is_better=True)
    card = None

    def __init__(self, config, *, num_items=40, dropout=0.2, model=None):
        torch.manual_seed(config.seed)
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(num_items, 4, generator=generator)
        self.y = self.x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]]) + 0.1
        self.config = config
        self.model = model or nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1))

    def assets(self):
        return {}

    def loader(self, split, *, training=None, shard=WHOLE):
        training = split == "train" if training is None else training
        size = self.config.batch_size if training else 16
        return ToyLoader(self.x, self.y, size, shuffled=training, shard=shard)

    def optimizers(self):
        return {"network": torch.optim.SGD(self.model.parameters(), lr=self.config.learning_rate, momentum=0.9)}

    def training_step(self, batch) -> Iterator[Update]:
        loss = ((self.model(batch["inputs"]) - batch["targets"]) ** 2).mean()
        yield Update("network", {"squared": loss}, len(batch["targets"]))

    def infer(self, batch):
        return {"answers": self.model(batch["inputs"])}

    def metric(self):
        return ToyMetric()

    def samples(self):
        return None


class Routed(nn.Module):
    """A layer that few items go through, sparse gradients, and a bias that is learned early."""

    def __init__(self):
        super().__init__()
        self.words, self.often, self.seldom = nn.Embedding(6, 4, sparse=True), nn.Linear(4, 1), nn.Linear(4, 1)

    def learned_early(self):
        return [(self.often.bias, 0.5)]

    def forward(self, x):
        hidden = x + self.words((2 * x[:, 0].abs()).long().clamp(max=5))
        is_rare = x[:, 0] > 1
        if not is_rare.any():
            return self.often(hidden)
        return self.often(hidden).index_add(0, is_rare.nonzero()[:, 0], self.seldom(hidden[is_rare]))


class ToyRouted(ToyTask):
    """Parameters that some batches have no gradient for."""

    def __init__(self, config):
        torch.manual_seed(config.seed)
        super().__init__(config, model=Routed())

    def optimizers(self):
        groups = with_ends([{"params": list(self.model.parameters())}], self.model)
        return {"network": LazyAdam(groups, lr=self.config.learning_rate)}


class ToyGan(ToyTask):
    """Two networks with two optimizers: a generator of numbers and its critic."""

    def __init__(self, config, *, num_items=40, critic=None):
        torch.manual_seed(config.seed)
        model = nn.ModuleDict({"generator": nn.Linear(4, 1), "critic": critic or nn.Linear(1, 1)})
        super().__init__(config, num_items=num_items, model=model)
        self.seen = []

    def optimizers(self):
        rate = self.config.learning_rate
        return {name: torch.optim.SGD(self.model[name].parameters(), lr=rate) for name in ("generator", "critic")}

    def training_step(self, batch) -> Iterator[Update]:
        generator, critic = self.model["generator"], self.model["critic"]
        fake = generator(batch["inputs"])
        before = generator.weight.detach().clone()
        yield Update("generator", {"fool": -critic(fake).mean()}, len(fake))
        self.seen.append(not torch.equal(before, generator.weight))
        judged = critic(fake.detach()).mean() - critic(batch["targets"]).mean()
        yield Update("critic", {"judge": judged, "decay": 0.01 * critic.weight.square().sum()}, len(fake))

    def infer(self, batch):
        return {"answers": self.model["generator"](batch["inputs"])}


class ToyWgan(ToyGan):
    """A critic that steps twice in a batch, a generator that steps once; the last batch has unequal shares."""

    def __init__(self, config):
        torch.manual_seed(config.seed)
        super().__init__(config, num_items=37, critic=self.make_critic())

    def make_critic(self):
        return nn.Linear(1, 1)

    def penalty(self, real, fake):
        return 0.01 * self.model["critic"].weight.square().sum()

    def training_step(self, batch) -> Iterator[Update]:
        generator, critic = self.model["generator"], self.model["critic"]
        real, count = batch["targets"], len(batch["targets"])
        for _ in range(2):
            fake = generator(batch["inputs"]).detach()
            distance = torch.tanh(critic(fake)).mean() - torch.tanh(critic(real)).mean()
            yield Update("critic", {"distance": distance, "penalty": self.penalty(real, fake)}, count)
        yield Update("generator", {"fool": -torch.tanh(critic(generator(batch["inputs"]))).mean()}, count)


class ToyPenalty(ToyWgan):
    """A critic whose loss holds the gradient of its own answer (arXiv:1704.00028): a double backward pass."""

    def make_critic(self):
        return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def penalty(self, real, fake):
        between = (0.5 * real + 0.5 * fake).requires_grad_()
        [slope] = torch.autograd.grad(self.model["critic"](between).sum(), between, create_graph=True)
        return 10 * (slope.norm(dim=1) - 1).square().mean()


class ToyTokens(ToyTask):
    """Sentences of 1 to 5 tokens: the loss is the mean over tokens, so items and counts differ."""

    def training_step(self, batch) -> Iterator[Update]:
        lengths = 1 + (batch["inputs"][:, :1].abs() * 2).long().clamp(max=4)
        errors = (self.model(batch["inputs"]) - batch["targets"]) ** 2
        yield Update("network", {"squared": (errors * lengths).sum() / lengths.sum()}, int(lengths.sum()))


@pytest.fixture
def toy_task():
    """The class of the toy regression."""
    return ToyTask


@pytest.fixture
def toy_gan():
    """The class of the toy with two optimizers."""
    return ToyGan


@pytest.fixture
def toy_wgan():
    """The class of the toy whose critic steps twice in a batch."""
    return ToyWgan


@pytest.fixture
def toy_tokens():
    """The class of the toy whose losses are means over tokens."""
    return ToyTokens
