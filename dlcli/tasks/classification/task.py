"""Image classification: the network, its loss, its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.table import Table
from dlcli.core.train_config import HEAD, TrainConfig
from dlcli.data.card import Card
from dlcli.data.images.copies import note_contradictions
from dlcli.data.images.form import open_images
from dlcli.data.images.operations.table import note_of, parse_augment
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.items import Item
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.engine.compute.device import all_threads, map_tensors
from dlcli.engine.compute.threads import using_threads
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Samples, Update, check_sizes
from dlcli.export.ecosystem import yolo_keys
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph
from dlcli.metrics.members import member_tables
from dlcli.models.ensemble import members_of
from dlcli.models.heads import head_inputs, head_of, heads_of
from dlcli.models.images.pretrained import load_pretrained
from dlcli.models.images.views import OverViews, logits_over_views
from dlcli.models.places import device_of
from dlcli.tasks.classes.ensemble import (
    build_members,
    class_updates,
    member_logits,
    member_optimizers,
    named_members,
    require_different,
)
from dlcli.tasks.classes.losses import ClassLoss
from dlcli.tasks.classes.metric import LogitsMetric
from dlcli.tasks.classes.report import class_tables, draw_class_report, worst_rows
from dlcli.tasks.classes.teacher import open_teacher
from dlcli.tasks.classes.training import class_weights_of, register_class_weights, require_classes
from dlcli.tasks.classification.augmenting import mirrors_images
from dlcli.tasks.classification.building import build_model
from dlcli.tasks.classification.codec import VIEWS
from dlcli.tasks.classification.config import SCRATCH, ClassificationConfig, ClassificationInference
from dlcli.tasks.classification.features import FEATURES, NUM_VIEWS, FeatureLoader
from dlcli.tasks.classification.fitting import MAX_IMAGES, fit_head, fit_network
from dlcli.tasks.classification.inputs import preprocess_for
from dlcli.tasks.classification.networks import default_sizes
from dlcli.tasks.classification.ready import describe_weights
from dlcli.tasks.classification.source import ImageSource

NUM_ANSWERS = 16
"""Validation images in the samples of an epoch."""


class ClassificationTask:
    """See `dlcli.engine.task.Task`; a batch holds `images` (N, C, H, W) uint8, `labels` (N,), `rows` (N,), `plan`."""

    inputs: tuple[str, ...] = ("images",)
    outputs: tuple[str, ...] = ("logits",)
    goal = Goal("accuracy", larger_is_better=True)

    def __init__(
        self,
        config: ClassificationConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        preprocess: Preprocess,
        source: ImageSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.labels = labels
        self.preprocess = preprocess
        self._source = source
        self._inference = ClassificationInference()
        self._caches_features = False
        self._notes: tuple[str, ...] = ()
        self.model = build_members(lambda: build_model(config, len(labels), preprocess), config.ensemble)
        register_class_weights(self.model)
        self._loss = ClassLoss(config.loss, config.label_smoothing)
        self.augmentation = source.augmentation if source is not None else None

    @classmethod
    def from_data(cls, config: ClassificationConfig, train: TrainConfig, data: Path) -> ClassificationTask:
        """Return the task with a new network for the prepared images.

        Raises:
            DataError: the images cannot be read, or cannot train a classifier.
            UsageError: there is no such network, or an option does not fit it.
        """
        if config.pretrained == SCRATCH:
            config = dataclasses.replace(config, pretrained=None)
        form = note_contradictions(open_images(data))
        require_classes(form.card, data, "image")
        preprocess = preprocess_for(form, config)
        source = ImageSource(form, form.card.classes, preprocess, config, train)
        task = cls(config, train, form.card.classes, preprocess, source)
        if config.fit_head:
            images, truth = source.plain_training(MAX_IMAGES)
            for network in members_of(task.model):
                fit_head(network, images, truth, name=config.model)
        require_different(task.model)
        if config.cache is not None:
            task.cache_features()
        task._loss.teacher = open_teacher(config.teacher, config.distill, task, train)
        if config.class_weights == "balanced":
            register_class_weights(task.model, source.class_weights())
        if config.pretrained is None:
            for network in members_of(task.model):
                fit_network(network, source)
        return task

    @classmethod
    def from_assets(
        cls, config: ClassificationConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> ClassificationTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or has a class that the run does not.
        """
        labels, preprocess = read_labels(assets.get("labels")), Preprocess.from_json(assets.get("preprocess"))
        source = ImageSource(open_images(data), labels, preprocess, config, train) if data is not None else None
        fresh = dataclasses.replace(config, pretrained=None)  # the weights come from the checkpoint
        return cls(fresh, train, labels, preprocess, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> ClassificationTask:
        """Return the task with a network alone, at its default sizes unless `size` overrides them.

        Raises:
            UsageError: there is no such network or size, or it has no published weights.
            DataError: the published weights are not there.
            RunError: the file of weights is missing, damaged or does not fit.
        """
        if pretrained is not None:
            check_sizes(name, size, ("image_size",))
            ready = describe_weights(name, pretrained, size.get("image_size"))
            task = cls(ClassificationConfig(model=name), TrainConfig(), ready.labels, ready.preprocess, None)
            network, side = task.model.get_submodule("network"), ready.preprocess.height
            load_pretrained(network, name, pretrained, side, is_whole=True)
            task._notes = ready.notes
            return task
        sizes = default_sizes(name)
        check_sizes(name, size, sizes)
        sizes |= size
        side, channels = sizes["image_size"], sizes["channels"]
        preprocess = Preprocess(channels, side, side, (0.5,) * channels, (0.25,) * channels)
        labels = tuple(str(index) for index in range(sizes["num_classes"]))
        return cls(ClassificationConfig(model=name), TrainConfig(), labels, preprocess, None)

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

    def head(self) -> nn.Module:
        """Return the last layer, whose input is an item's embedding, or those of an ensemble's members.

        Raises:
            ValueError: it cannot be found in this network.
        """
        return heads_of(self.model)

    def assets(self) -> dict[str, Any]:
        """Return the assets: labels and preprocessing."""
        return {"labels": list(self.labels), "preprocess": self.preprocess.to_json()}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        images = at_hand(self._source).loader(split, training=training, shard=shard)
        if not self._caches_features:
            return images
        return FeatureLoader(images, self._embedded, NUM_VIEWS if training else 1)

    def cache_features(self) -> None:
        """Let the loaders yield what the head sees of the images, computed once.

        Raises:
            UsageError: more than the head is trained, or the head is not the network's last layer.
        """
        if self._config.ensemble > 1:
            raise UsageError(
                "--cache features: each member of an ensemble has its own", hint="leave out one of the two"
            )
        if self._train.freeze not in (HEAD, "-1"):
            raise UsageError("--cache features: more than the head is trained", hint="add --freeze, or leave it out")
        try:
            head_inputs(self.model, torch.zeros(1, self.preprocess.channels, *at_hand(self._source).size))
        except ValueError as error:
            raise UsageError(f"--cache features: {self._config.model}: {error}", hint="leave it out") from None
        if self._config.teacher is not None:
            raise UsageError("--cache features: a teacher sees images", hint="leave out --cache or --teacher")
        self._caches_features = True

    def _embedded(self, batch: Batch) -> Tensor:
        """Return what the head sees of a batch of images, (N, F), on the model's device."""
        device = device_of(self.model)
        images, plan = map_tensors((batch["images"], batch["plan"]), lambda tensor: tensor.to(device))
        # The number of threads of a training is chosen for its steps, which here are those of the head alone.
        with using_threads(self._train.threads or all_threads()):
            return head_inputs(self.model, self._augmented(images, plan))

    def _augmented(self, images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
        return images if self.augmentation is None else self.augmentation.apply(images, plan)

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:
        """Return the items of a split with these row numbers.

        Raises:
            DataError: there is no data, no such split, or an item cannot be read.
        """
        return at_hand(self._source).items(split, rows)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the optimizer of each member, by default of the only network."""
        return member_optimizers(self.model, self._train)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the loss of each member on a batch."""
        networks, inputs = named_members(self.model), batch.get(FEATURES)
        if inputs is None:
            inputs = self._augmented(batch["images"], batch["plan"])
        else:
            networks = {"network": head_of(self.model)}
        return class_updates(networks, self._loss, batch["labels"], class_weights_of(self.model), inputs)

    def set_inference(self, options: ClassificationInference) -> None:
        """Set the options for prediction, evaluation and export."""
        self._inference = options

    def infer(self, batch: Batch) -> Outputs:
        """Return (N, C) logits, and with --tta their mean over views, with mirrored ones if training flips images."""
        if FEATURES in batch:
            return {"logits": head_of(self.model)(batch[FEATURES])}
        if not self._inference.tta:
            return {"logits": self.model(batch["images"])}
        plain, mean = logits_over_views(self.model, batch["images"], mirror=mirrors_images(self._config))
        return {"logits": plain, VIEWS: mean}

    def measure(self, batch: Batch) -> Outputs:
        """Return the logits of an ensemble's members; see `member_logits`."""
        return member_logits(self.model, batch, self.inputs)

    def metric(self) -> LogitsMetric:
        """Return a new metric."""
        return LogitsMetric(self.labels, has_views=self._inference.tta)

    def notes(self) -> Sequence[str]:
        """Return what the augmentation does that few pictures bear, and what was assumed about ready weights."""
        note = note_of(parse_augment(self._config.augment))
        return [*([note] if note else []), *self._notes]

    def samples(self) -> Samples | None:
        """Return a grid of augmented training images above one of validation images with answers; None without data."""
        if self._source is None:
            return None
        from dlcli.visualize.answers import draw_answers
        from dlcli.visualize.canvas import stack, tile

        training = tile(self._source.augmented(64))
        images, labels = self._source.some_validation(NUM_ANSWERS)
        if not images:
            return Samples(training)
        logits = infer_arrays(self, {"images": np.stack(images).transpose(0, 3, 1, 2)})["logits"]
        return Samples(stack([training, draw_answers(images, labels, logits, self.labels)]))

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the metrics of each class."""
        del split
        yield from member_tables(report)
        yield from class_tables(report, self.labels)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the confusion matrix, the curves and the worst mistakes."""
        from dlcli.visualize.mistakes import draw_mistakes

        images = self._source.images_at(split, worst_rows(report)) if self._source else []
        draw = (lambda worst: draw_mistakes(images, worst, self.labels)) if images else None
        return draw_class_report(report, self.labels, draw)

    def baseline(self, split: str) -> Mapping[str, Mapping[str, float]]:
        """Return the metrics of classical features with simple models, fitted on at most 5,000 training images."""
        from dlcli.tasks.classification.baselines import MAX_FITTED, image_baselines

        parts = self.source.plain_batches("train", MAX_FITTED), self.source.plain_batches(split)
        train, held_out = (((images.numpy(), labels.numpy()) for images, labels in part) for part in parts)
        return image_baselines(train, held_out, len(self.labels))

    def export_plan(self) -> ExportPlan:
        """Return the model with samples: real images if there are any, else noise; with --tta, over views too."""
        shape = (self.preprocess.channels, self.preprocess.height, self.preprocess.width)
        total = sum(PARITY_BATCHES)
        pixels = self._source.some_images(total) if self._source is not None else np.zeros((0, *shape), np.uint8)
        if not len(pixels):
            pixels = np.random.default_rng(0).integers(0, 256, (total, *shape), dtype=np.uint8)
        has_views = self._inference.tta
        return single_graph(
            OverViews(self.model, mirror=mirrors_images(self._config)) if has_views else self.model,
            inputs=self.inputs,
            outputs=(*self.outputs, VIEWS) if has_views else self.outputs,
            samples=cut_samples({"images": pixels}),
            metadata={"assets": self.assets()},
            foreign=yolo_keys(self.labels, task="classify", size=shape[1:]),
        )
