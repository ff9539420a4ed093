"""A toy detector: images of two sizes in one batch, any number of objects in each, and dense outputs.

H and W are height and width of an image in pixels, K the most objects that are found in an image of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.table import Table, table_of_entries
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, read_card
from dlcli.data.images.decoding import read_image
from dlcli.data.loading import ItemLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import at_hand, part
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Update, check_sizes, refuse_weights
from dlcli.export.align import detections_aligned
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, single_graph
from toys.boxes import CELL_PX, CLASSES, Boxes, DetectionConfig, DetectionScore, open_boxes, padded

TOP = 6
"""Objects of an image, at most."""


class GridDetector(nn.Module):
    """An object or none for each cell of the image.

    Args:
        width: features of a cell.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cells = nn.Conv2d(3, width, CELL_PX, stride=CELL_PX)
        self.head = nn.Conv2d(width, 4 + 1 + len(CLASSES), 1)

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return of (N, 3, H, W) uint8 images the boxes (N, cells, 4), and logits (N, cells), (N, cells, classes)."""
        features = self.head(F.relu(self.cells(images.float() / 255)))
        rows, columns = features.shape[2:]
        y, x = torch.meshgrid(
            torch.arange(rows, device=images.device), torch.arange(columns, device=images.device), indexing="ij"
        )
        corners = torch.stack([x, y], 2).reshape(-1, 2) * float(CELL_PX)
        features = features.flatten(2).transpose(1, 2)
        top_left = corners + features[:, :, :2].tanh()
        boxes = torch.cat([top_left, top_left + 1 + 4 * features[:, :, 2:4].sigmoid()], 2)
        return boxes, features[:, :, 4], features[:, :, 5:]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `boxes` (N, TOP, 4), `scores` and `labels` (N, TOP), and `counts` (N,), the best first."""
        boxes, objectness, logits = self.raw(images)
        scores, chosen = objectness.sigmoid().topk(TOP, 1)
        boxes = boxes.gather(1, chosen[:, :, None].expand(-1, -1, 4))
        return boxes, scores, logits.argmax(2).gather(1, chosen), (scores > 0.01).sum(1)


@dataclass(frozen=True)
class ReadBoxes:
    """See `dlcli.data.loading.Read`: an image (3, H, W) uint8 and its objects (n, 5)."""

    boxes: Boxes

    def __call__(self, index: int, *, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
        image = padded(read_image(self.boxes.files[index], 3))
        return torch.from_numpy(image), torch.from_numpy(self.boxes.objects[index])


def collate(items: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Return a batch of lists, because no two items need have one shape."""
    return {"images": [image for image, _ in items], "objects": [objects for _, objects in items]}


def refuse(reason: str) -> None:
    """Fail: the images are made by the importer."""
    raise AssertionError(reason)


class DetectionTask:
    """See `dlcli.engine.task.Task`; `images` is a list of (3, H, W) or one tensor (N, 3, H, W)."""

    inputs = ("images",)
    outputs = ("boxes", "scores", "labels", "counts")
    goal = Goal("f1", larger_is_better=True)

    def __init__(self, config: DetectionConfig, train: TrainConfig, data: Path | None) -> None:
        self._train, self._data = train, data
        self.card: Card | None = read_card(data) if data is not None else None
        self.model: nn.Module = GridDetector(config.width)

    @classmethod
    def from_data(cls, config: DetectionConfig, train: TrainConfig, data: Path) -> DetectionTask:
        """Return the task with a new network."""
        open_boxes(data)
        return cls(config, train, data)

    @classmethod
    def from_assets(
        cls, config: DetectionConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> DetectionTask:
        """Return the task as a run describes it."""
        del assets
        return cls(config, train, data)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> DetectionTask:
        """Return the task with a network of fresh weights."""
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        return cls(DetectionConfig(model=name), TrainConfig(), None)

    def assets(self) -> dict[str, Any]:
        """Return the names of the classes."""
        return {"labels": list(CLASSES)}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> ItemLoader:
        """Return batches of lists."""
        root = at_hand(self._data)
        splits = open_boxes(root)
        source, indices = part(
            split, tuple(splits), self._train, lambda name: np.zeros(len(splits[name].files), int), root=root
        )
        order = Order(indices, self._train.batch_size, seed=self._train.seed if training else None, shard=shard)
        return ItemLoader(order, ReadBoxes(splits[source]), collate, workers=0, max_bad=0, on_bad=refuse)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the one optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Minimise the losses of the cells: which hold an object, where its box is, and of which class it is."""
        losses: dict[str, list[Tensor]] = {"objectness": [], "box": [], "class": []}
        for image, objects in zip(batch["images"], batch["objects"], strict=True):
            boxes, objectness, logits = (value[0] for value in self.model.raw(image[None]))
            columns = image.shape[2] // CELL_PX
            cells = (objects[:, 1] // CELL_PX * columns + objects[:, 0] // CELL_PX).long()
            is_object = torch.zeros_like(objectness).index_fill(0, cells, 1)
            losses["objectness"].append(F.binary_cross_entropy_with_logits(objectness, is_object))
            losses["box"].append(F.smooth_l1_loss(boxes[cells], objects[:, :4]))
            losses["class"].append(F.cross_entropy(logits[cells], objects[:, 4].long()))
        yield Update("network", {name: torch.stack(each).mean() for name, each in losses.items()}, len(batch["images"]))

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Return `boxes` (N, K, 4), `scores` and `labels` (N, K), and `counts` (N,)."""
        found = [self.model(image[None]) for image in batch["images"]]
        dense = {name: torch.cat(values) for name, values in zip(self.outputs, zip(*found, strict=True), strict=True)}
        most = int(dense["counts"].max())
        return {name: value if name == "counts" else value[:, :most] for name, value in dense.items()}

    def metric(self) -> DetectionScore:
        """Return a new metric."""
        return DetectionScore()

    def samples(self) -> None:
        """Return nothing."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the figures of each class."""
        del split
        yield table_of_entries("by_class", report["by_class"])

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield no picture."""
        del report, split
        return iter(())

    def export_plan(self) -> ExportPlan:
        """Return the one graph, for images of any size."""
        random = np.random.default_rng(0)
        shapes = [(count, 3, 16 + CELL_PX * number, 16) for number, count in enumerate(PARITY_BATCHES)]
        return single_graph(
            self.model,
            inputs=self.inputs,
            outputs=self.outputs,
            samples=[{"images": random.integers(0, 255, shape, dtype=np.uint8)} for shape in shapes],
            example={"images": torch.from_numpy(random.integers(0, 255, (2, 3, 16, 24), dtype=np.uint8))},
            dynamic={"images": {0: "batch", 2: "height", 3: "width"}},
            metadata={"task": "toy-detection", "assets": self.assets()},
            align=detections_aligned,
        )
