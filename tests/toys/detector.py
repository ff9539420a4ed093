"""A toy detector and a toy segmentation, as graphs.

Outputs of the detector are dense: `boxes` (N, K, 4) xyxy in pixels, `scores` (N, K), `labels` (N, K), `counts` (N,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph

NUM_CELLS, TOP = 16, 6


class Detector(nn.Module):
    """(N, 3, 16, 16) images to the TOP detections of a 4 x 4 grid of cells; cells of equal pixels have equal scores.

    Args:
        reverses_ties: whether equal scores come in the opposite order, as another program's sort could give them.
    """

    def __init__(self, *, reverses_ties: bool = False) -> None:
        super().__init__()
        self.reverses_ties = reverses_ties
        self.head = nn.Conv2d(3, 4 + 1 + 2, 4, stride=4)
        corners = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="xy"), 2).reshape(-1, 2) * 4.0
        self.register_buffer("corners", corners)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        features = self.head(images).flatten(2).transpose(1, 2)
        top_left = self.corners + features[:, :, :2].sigmoid()
        boxes = torch.cat([top_left, top_left + 1 + 3 * features[:, :, 2:4].sigmoid()], 2)
        scores, labels = features[:, :, 4].sigmoid(), features[:, :, 5:].argmax(2)
        places = torch.arange(NUM_CELLS, device=images.device)
        # Far below the tolerance and above what floats of this size lose: it decides among equal scores alone.
        tie_break = 1e-6 * (places if self.reverses_ties else -places)
        chosen = (scores + tie_break).topk(TOP, 1).indices
        found = scores.gather(1, chosen)
        boxes = boxes.gather(1, chosen[:, :, None].expand(-1, -1, 4))
        return boxes, found, labels.gather(1, chosen), (found > 0).sum(1)


class Segmenter(nn.Module):
    """(N, 3, H, W) images to an (N, H, W) mask of the likeliest of 3 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images).argmax(1)


def images_with_ties(count: int = sum(PARITY_BATCHES)) -> np.ndarray:
    """Return (N, 3, 16, 16) images of which every cell has a twin."""
    cells = np.random.default_rng(0).uniform(0, 1, (count, 3, 2, 4, 4, 4)).astype(np.float32)
    rows = cells.transpose(0, 1, 2, 4, 3, 5).reshape(count, 3, 8, 16)
    return np.concatenate([rows, rows], 2)


def detector_plan(**changes: Any) -> ExportPlan:
    """Return the plan of a detector with seeded weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Detector().eval()
    return single_graph(
        module,
        inputs=("images",),
        outputs=("boxes", "scores", "labels", "counts"),
        samples=cut_samples({"images": images_with_ties()}),
        metadata={"task": "toy-detection", "assets": {}},
        **changes,
    )


def segmenter_plan(**changes: Any) -> ExportPlan:
    """Return the plan of a segmentation with seeded weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Segmenter().eval()
    images = np.random.default_rng(0).uniform(0, 1, (sum(PARITY_BATCHES), 3, 16, 16)).astype(np.float32)
    return single_graph(
        module,
        inputs=("images",),
        outputs=("mask",),
        samples=cut_samples({"images": images}),
        metadata={"task": "toy-segmentation", "assets": {}},
        **changes,
    )
