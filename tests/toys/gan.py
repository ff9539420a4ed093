"""A generator of pictures against a critic: what a generative task asks of the loop.

It has no goal and validates nothing. Its critic steps twice before the generator steps once, and judges pictures that
come out of a pool of earlier ones (Shrivastava et al. 2017, arXiv:1612.07828, section 2.3), which is a state beside
the model. Only the generator answers. It has batch normalisation and dropout, so that a picture drawn in training mode
would change the training, and the pool draws from torch's generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, read_card
from dlcli.data.loading import ArrayLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.engine.task import Batch, Samples, Update, refuse_weights
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, single_graph
from toys.dots import NOISE, SIDE_PX, GanConfig, as_picture, open_dots

__all__ = ["GanConfig", "PoolGan", "ValidatedGan", "make_critic", "make_generator"]

NUM_SHOWN = 8


class ImagePool:
    """Earlier pictures for the critic: as often one of these as the newest.

    Args:
        size: pictures that are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures: list[Tensor] = []

    def exchange(self, newest: Tensor) -> Tensor:
        """Return as many pictures as came in, (N, pixels); half of those that the full pool gives are earlier ones."""
        given = []
        for picture in newest.detach():
            if len(self.pictures) < self.size:
                self.pictures.append(picture.clone())
                given.append(picture)
            elif torch.rand(()) < 0.5:
                index = int(torch.randint(self.size, ()))
                given.append(self.pictures[index])
                self.pictures[index] = picture.clone()
            else:
                given.append(picture)
        return torch.stack(given)


class Likeness:
    """See `dlcli.engine.task.Metric`: how far the mean of what is made lies from the mean of what is real."""

    def __init__(self) -> None:
        self._made, self._real, self._count = 0.0, 0.0, 0

    def update(self, batch: Batch, outputs: Mapping[str, Any]) -> None:
        """Take in (N, pixels) pictures, made and real."""
        self._made += float(outputs["made"].sum())
        self._real += float(batch["pictures"].sum())
        self._count += outputs["made"].size

    def merge(self, other: Likeness) -> None:
        """Take in what another process has seen."""
        self._made, self._real = self._made + other._made, self._real + other._real
        self._count += other._count

    def compute(self) -> dict[str, float]:
        """Return the distance of the two means; there is no loss that would tell anything."""
        return {"distance": abs(self._made - self._real) / self._count}

    def report(self) -> dict[str, Any]:
        """Return the figures, and which are better when lower."""
        return {"metrics": self.compute(), "lower_is_better": ["distance"]}


class PoolGan:
    """See `dlcli.engine.task.Task`, `HasNetwork` and `KeepsState`.

    Args:
        train: the loop's options.
        data: the prepared pictures; without a folder of that name some are made up.
        num_items: of made-up pictures, all of them for training and for the test.
        pool_size: earlier pictures that are kept for the critic.
    """

    inputs, outputs = ("noise",), ("made",)
    goal = None

    def __init__(
        self, train: TrainConfig, data: Path | None = None, *, num_items: int = 40, pool_size: int = 24
    ) -> None:
        torch.manual_seed(train.seed)
        self._train = train
        self.card: Card | None = read_card(data) if data is not None else None
        generator = torch.Generator().manual_seed(1)
        made_up = torch.rand(num_items, SIDE_PX**2, generator=generator) * 0.5 + 0.3
        self._pictures = {"train": made_up, "test": made_up}
        if data is not None and data.is_dir():
            splits = open_dots(data).items()
            self._pictures = {
                split: torch.from_numpy(array.reshape(len(array), -1)) / 127.5 - 1 for split, array in splits
            }
        most = max(map(len, self._pictures.values()))
        self._noise = torch.randn(most, NOISE, generator=generator)
        self.pool = ImagePool(pool_size)
        self.model = nn.ModuleDict({"generator": make_generator(), "critic": make_critic()})

    @classmethod
    def from_data(cls, config: Any, train: TrainConfig, data: Path) -> PoolGan:
        """Return the task with new networks."""
        del config
        return cls(train, data)

    @classmethod
    def from_assets(cls, config: Any, train: TrainConfig, assets: Mapping[str, Any], data: Path | None) -> PoolGan:
        """Return the task as a run describes it."""
        del config, assets
        return cls(train, data)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> PoolGan:
        """Return the task with networks of fresh weights."""
        del size
        refuse_weights(name, pretrained)
        return cls(TrainConfig())

    @property
    def network(self) -> nn.Module:
        """The generator: the critic has nothing to say once it is trained."""
        return self.model["generator"]

    def assets(self) -> dict[str, Any]:
        """Return nothing: noise needs no labels."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return the pool."""
        return {"pool": list(self.pool.pictures)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up a pool."""
        self.pool.pictures = list(state["pool"])

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> ArrayLoader:
        """Return batches of `pictures` (N, pixels) in [-1, 1] and `noise` (N, NOISE); of a validation part none."""
        pictures = self._pictures["test" if split == "test" else "train"]
        chosen = np.arange(0 if split == "valid" else len(pictures))
        seed = self._train.seed if training else None
        order = Order(chosen, self._train.batch_size, seed=seed, shard=shard)
        return ArrayLoader(order, lambda rows, drawn: {"pictures": pictures[rows], "noise": self._noise[rows]})

    def optimizers(self) -> dict[str, Optimizer]:
        """Return an optimizer for each of the two networks."""
        rate = self._train.learning_rate
        return {name: torch.optim.Adam(self.model[name].parameters(), lr=rate) for name in ("generator", "critic")}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Let the critic step twice, on pictures out of the pool, then the generator once."""
        generator, critic = self.model["generator"], self.model["critic"]
        real, noise, count = batch["pictures"], batch["noise"], len(batch["pictures"])
        for _ in range(2):
            made = self.pool.exchange(generator(noise))
            yield Update("critic", {"judge": critic(made).mean() - critic(real).mean()}, count)
        yield Update("generator", {"fool": -critic(generator(noise)).mean()}, count)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Return pictures out of noise, (N, pixels) in [-1, 1]."""
        return {"made": self.network(batch["noise"])}

    def metric(self) -> Likeness:
        """Return a new metric."""
        return Likeness()

    def samples(self) -> Samples:
        """Return pictures from the same noise each time, side by side, and a line about them."""
        made = self.network(self._noise[:NUM_SHOWN]).detach().float()
        return Samples(as_picture(made.cpu().numpy()), (f"mean {float(made.mean()):.6f}",))

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield no table."""
        del report, split
        return iter(())

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture."""
        del report, split
        return iter(())

    def export_plan(self) -> ExportPlan:
        """Return the generator with noise to prove it by."""
        random = np.random.default_rng(0)
        samples = [{"noise": random.standard_normal((count, NOISE), dtype=np.float32)} for count in PARITY_BATCHES]
        return single_graph(
            self.network,
            inputs=self.inputs,
            outputs=self.outputs,
            samples=samples,
            metadata={"assets": self.assets()},
        )


class ValidatedGan(PoolGan):
    """The same with a validation part, whose pictures are judged as they are and not as `infer` makes them."""

    def __init__(self, train: TrainConfig, **sizes: int) -> None:
        super().__init__(train, **sizes)
        self.asked: list[str] = []

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> ArrayLoader:
        """Return the pictures, of a validation part too."""
        return super().loader("train" if split == "valid" else split, training=training, shard=shard)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return the real pictures, whose distance is 0."""
        self.asked.append("validate")
        return {"made": batch["pictures"]}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Return pictures out of noise."""
        self.asked.append("infer")
        return super().infer(batch)


def make_generator() -> nn.Module:
    """Return noise (N, NOISE) to pictures (N, pixels)."""
    layers = (nn.Linear(NOISE, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, SIDE_PX**2))
    return nn.Sequential(*layers, nn.Tanh())


def make_critic() -> nn.Module:
    """Return pictures (N, pixels) to a bounded judgement (N, 1)."""
    layers = (nn.Linear(SIDE_PX**2, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    return nn.Sequential(*layers, nn.Tanh())
