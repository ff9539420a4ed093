"""Translation between two domains of images: the networks, their steps, their data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from dlcli.core.errors import DataError, UsageError
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.domains.form import open_domains
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Loader, Outputs, Samples, Update, check_sizes, refuse_weights
from dlcli.export.plan import ExportPlan, single_graph
from dlcli.models.generative.directions import DIRECTIONS, DOMAIN_OF
from dlcli.models.generative.gan_losses import GAN_LOSSES
from dlcli.models.generative.image_pool import ImagePool
from dlcli.models.generative.translators import stride_of
from dlcli.models.places import device_of
from dlcli.tasks.comparing import extractors_of
from dlcli.tasks.style.building import build_networks, check_training, settle
from dlcli.tasks.style.codec import TRANSLATED
from dlcli.tasks.style.config import StyleConfig, StyleInference
from dlcli.tasks.style.cyclegan import cyclegan_step
from dlcli.tasks.style.grids import draw_translations
from dlcli.tasks.style.metric import TranslationMetric
from dlcli.tasks.style.networks import CYCLEGAN, PIX2PIX
from dlcli.tasks.style.pix2pix import pix2pix_step
from dlcli.tasks.style.preprocess import EXPORTED, StyleAssets
from dlcli.tasks.style.report import baselines, distance_table
from dlcli.tasks.style.source import EXPORT_BATCHES, StyleSource, export_sizes
from dlcli.tasks.style.translator import Generators, Translator, has_dropout, scaled, translate_with_dropout

PARTS = ("generators", "critics")
"""The parts of the model, each with an optimizer of its name."""

MOST_UNEQUAL = 0.01
"""Share of the values in which an export may differ, by 1 of 255: where rounding decides."""

NUM_SHOWN, NUM_MEASURED = 3, 6
"""Images of a domain in the samples of an epoch, and in the picture of an evaluation."""


class StyleTask:
    """See `dlcli.engine.task.Task`; the networks are those of `dlcli.models.generative.translators`.

    A training batch has `images_a` and `images_b` (N, 3, S, S) uint8; one for evaluation `images` of one domain, with
    their `domains` and `rows`, and of paired data `targets`. All of them are translated in the chosen direction: those
    of the wanted domain show whether it leaves them as they are.
    """

    inputs = ("images",)
    outputs = (TRANSLATED,)
    goal = None

    def __init__(
        self, config: StyleConfig, train: TrainConfig, domains: tuple[str, str], source: StyleSource | None
    ) -> None:
        self._config = config
        self._train = train
        self._source = source
        self._inference = StyleInference()
        directions = DIRECTIONS if config.learn is None else (config.learn,)
        stride = stride_of(str(config.generator), config.image_size)
        self.style = StyleAssets(domains, directions, config.image_size, stride)
        self.model = build_networks(config)
        self._generators, self._critics = (cast(nn.ModuleDict, self.model[part]) for part in PARTS)
        self.model["generators"] = Generators(self._generators)
        self.pools = {DOMAIN_OF[direction]: ImagePool(config.pool or 0) for direction in directions}

    @classmethod
    def from_data(cls, config: StyleConfig, train: TrainConfig, data: Path) -> StyleTask:
        """Return the task with new networks for images of two domains.

        Raises:
            DataError: the images cannot be read, or pix2pix is trained on unpaired ones.
            UsageError: an option does not fit the model.
        """
        config = settle(config)
        check_training(train)
        form = open_domains(data)
        if config.model == PIX2PIX and not form.is_paired:
            raise DataError(
                f"{data}: pix2pix learns from pairs, and these images are not in pairs",
                hint="use --model cyclegan, or prepare pairs with `dl prepare pairs`",
            )
        first, second = form.card.classes
        return cls(config, train, (first, second), StyleSource(form, config, train))

    @classmethod
    def from_assets(
        cls, config: StyleConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> StyleTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read.
        """
        stored, config = StyleAssets.from_json(assets), settle(config)
        source = StyleSource(open_domains(data), config, train) if data is not None else None
        task = cls(config, train, stored.domains, source)
        task.style = dataclasses.replace(task.style, exported=stored.exported)
        return task

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> StyleTask:
        """Return the task with networks alone, at their default sizes unless `size` overrides them.

        Raises:
            UsageError: there is no such network or size, or weights are requested, whose domains nothing names.
        """
        refuse_weights(name, pretrained)
        check_sizes(name, size, ("image_size",))
        config = settle(StyleConfig(model=name, image_size=size.get("image_size", StyleConfig.image_size)))
        return cls(config, TrainConfig(), ("A", "B"), None)

    @property
    def network(self) -> nn.Module:
        """The generators."""
        return self.model["generators"]

    @property
    def card(self) -> Card | None:
        """The card of the images, with the unreadable files found so far; None without data."""
        return self._source.card if self._source is not None else None

    @property
    def source(self) -> StyleSource:
        """The images.

        Raises:
            DataError: there are none.
        """
        return at_hand(self._source)

    @property
    def direction(self) -> str:
        """The direction in which images are translated."""
        return self.style.choose(self._inference.direction)

    def assets(self) -> dict[str, Any]:
        """Return the assets: domains, directions and preprocessing."""
        return self.style.to_json()

    def state(self) -> dict[str, Any]:
        """Return the images in the pools, by domain."""
        return {domain: pool.state() for domain, pool in self.pools.items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the pools."""
        for domain, pool in self.pools.items():
            pool.load_state(state[domain])

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled and cropped at random if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        if training:
            return self.source.training(paired=self._config.model == PIX2PIX, shard=shard)
        return self.source.evaluation(split, self._measured_size(), shard)

    def _measured_size(self) -> int:
        size, stride = self._inference.size or self._config.image_size, self.style.stride
        if size % stride:
            raise UsageError(f"--size {size}: the network needs a multiple of {stride}")
        return size

    def optimizers(self) -> dict[str, Optimizer]:
        """Return those of generators and critics."""
        return {part: build_optimizer(self.model[part], self._train) for part in PARTS}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the updates of generators and critics."""
        config = self._config
        real = {"A": scaled(batch["images_a"]), "B": scaled(batch["images_b"])}
        generators, critics, gan = self._generators, self._critics, GAN_LOSSES[str(config.gan_loss)]
        if config.model == CYCLEGAN:
            cycle, identity = float(config.cycle_weight or 0), float(config.identity_weight or 0)
            yield from cyclegan_step(
                generators, critics, self.pools, real["A"], real["B"], gan=gan, cycle=cycle, identity=identity
            )
            return
        [direction] = self.style.directions
        target = DOMAIN_OF[direction]
        [other] = {*real} - {target}
        yield from pix2pix_step(
            generators[direction], critics[target], real[other], real[target], gan=gan, l1=float(config.l1_weight or 0)
        )

    def set_inference(self, options: StyleInference) -> None:
        """Set the options for prediction, evaluation and export.

        Raises:
            UsageError: the run does not translate in that direction, or its network has no dropout.
        """
        self.style.choose(options.direction)
        if options.dropout is not None and not has_dropout(self.network):
            raise UsageError(f"--dropout: {self._config.model} has none", hint="leave it out")
        self._inference = options

    def infer(self, batch: Batch) -> Outputs:
        """Return the translated images, (N, 3, H, W) uint8."""
        translator = self.translator(self.direction)
        if self._inference.dropout is not None:
            return {TRANSLATED: translate_with_dropout(translator, batch["images"], self._inference.dropout)}
        return {TRANSLATED: translator(batch["images"])}

    def translator(self, direction: str) -> Translator:
        """Return the generator of a direction between pixels."""
        return Translator(self._generators[direction])

    def translate(self, images: np.ndarray, direction: str) -> np.ndarray:
        """Return translated images, (N, 3, H, W) uint8; mode, gradients and precision are the caller's."""
        pixels = torch.from_numpy(images).to(device_of(self.model))
        translated: np.ndarray = self.translator(direction)(pixels).cpu().numpy()
        return translated

    def metric(self) -> TranslationMetric:
        """Return a new metric of the chosen direction."""
        back = self.style.opposite(self.direction)
        return self._metric(None if back is None else lambda images: self.translate(images, back))

    def metric_of_file(self, outputs: Mapping[str, np.ndarray]) -> tuple[TranslationMetric, bool]:
        """Return a metric of an exported file, which does not translate back. See `MeasuresFiles`."""
        del outputs
        return self._metric(None), self.style.opposite(self.direction) is None

    def _metric(self, back: Callable[[np.ndarray], np.ndarray] | None) -> TranslationMetric:
        source = self.style.domain(self.direction, is_source=True)
        is_paired = self._source is not None and self._source.form.is_paired
        return TranslationMetric(source, extractors_of(self._inference.features), back, is_paired=is_paired)

    def baseline(self, split: str) -> Mapping[str, Mapping[str, float]]:
        """Return the figures of untranslated images, and of training images of the wanted domain."""
        size, source = self._measured_size(), self.style.domain(self.direction, is_source=True)
        return baselines(
            lambda: self._metric(None), lambda part, domain: self.source.one_domain(part, domain, size), split, source
        )

    def samples(self) -> Samples | None:
        """Return images with their translations and what comes back, in all directions; None without data."""
        if self._source is None:
            return None
        from dlcli.visualize.canvas import stack

        split = self._source.shown_split
        grids = [self.grid(split, direction, NUM_SHOWN, has_identity=True) for direction in self.style.directions]
        return Samples(stack(grids, is_row=True))

    def grid(self, split: str, direction: str, count: int, *, has_identity: bool = False) -> np.ndarray:
        """Return some images of a split with their translations; see `draw_translations`.

        Raises:
            DataError: none can be read.
        """
        domains = [self.style.domain(direction, is_source=is_source) for is_source in (True, False)]
        images, targets = (dict(self.source.squares(split, domain, count)) for domain in domains)
        if self.source.form.is_paired:
            images = {row: image for row, image in images.items() if row in targets}
        if not images:
            raise DataError(f"{self.source.form.root}: no image of {split} can be read")
        true = [targets[row] for row in images] if self.source.form.is_paired else []
        return draw_translations(
            list(images.values()), direction, self.translate, self.style, targets=true, has_identity=has_identity
        )

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the distances with their standard errors and the numbers of images."""
        del split
        yield distance_table(report)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield a grid of images with their translations."""
        del report
        yield "translated.png", self.grid(split, self.direction, NUM_MEASURED)

    def export_plan(self) -> ExportPlan:
        """Return the generator of the chosen direction with samples of three sizes: real images, noise without data."""
        direction, stride = self.direction, self.style.stride
        if self._source is not None:
            samples = self._source.export_samples(self.style.domain(direction, is_source=True), stride)
        else:
            random, sizes = np.random.default_rng(0), export_sizes(self._config.image_size, stride)
            shapes = [(count, 3, *size) for count, size in zip(EXPORT_BATCHES, sizes, strict=True)]
            samples = [random.integers(0, 256, shape, np.uint8) for shape in shapes]
        return single_graph(
            self.translator(direction),
            inputs=self.inputs,
            outputs=self.outputs,
            samples=[{"images": images} for images in samples],
            dynamic={"images": {0: "batch", 2: "height", 3: "width"}},
            example={"images": torch.from_numpy(samples[1][:2])},
            metadata={"assets": {**self.assets(), EXPORTED: {"direction": direction}}},
            tolerance={TRANSLATED: MOST_UNEQUAL},
            largest_step={TRANSLATED: 1},
            multiples={"height": stride, "width": stride},
        )
