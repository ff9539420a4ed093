"""A small DETR for few images: an encoder-decoder whose queries answer with one box each, on any backbone.

Differences from DETR, all of which shorten its 500 epochs: a map of stride 16 that sees the encoded one of stride 32
(RT-DETR, arXiv:2304.08069); queries that start from the best boxes of a dense head and are refined by each layer
(Deformable DETR, arXiv:2010.04159, and DAB-DETR, arXiv:2201.12329); attention near the box (SMCA, arXiv:2101.07448);
the focal loss; and in training alone several groups of queries (Group DETR, arXiv:2207.13085), objects with noise
(DN-DETR, arXiv:2203.01305) and dense targets (H-DETR, arXiv:2207.13080).

Source: Carion et al. 2020, arXiv:2005.12872.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_convert

from dlcli.core.errors import UsageError
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.detection.detr_layers import Decoder, EncoderLayer, box_head, class_head, logit, sine_codes
from dlcli.models.detection.detr_losses import Goal, Noise, add_losses, add_noise, assign, goals_of, pair_losses
from dlcli.models.detection.suppression import select
from dlcli.models.images.backbone import build_backbone

FINE, COARSE = 16, 32
PRIOR = 0.01
NORM_GROUPS = 8

DENSE_REPEATS = 6
"""To how many cells of the dense head each object is assigned, as in H-DETR."""

DENSE_SIDE = 0.2
"""Sides of the boxes, in parts of the canvas, from which the dense head starts."""

NOISY_COPIES = 4


class Memory(NamedTuple):
    """What the decoder attends to.

    Attributes:
        cells: (N, S, width) of the map of stride 16.
        centres: (S, 2), x and y in [0, 1].
    """

    cells: Tensor
    centres: Tensor


class Detr(nn.Module):
    """A detector without anchors.

    Args:
        num_classes: without background.
        backbone: the name of a classifier, see `build_backbone`.
        width: of all states, a multiple of 4 times `heads` and of 8.
        heads: of attention.
        encoder_layers: over the map of stride 32.
        decoder_layers: each refines the boxes.
        queries: at most as many boxes are found in an image.
        groups: sets of queries in training, each assigned to all objects for itself; the first one answers.
        has_noise: whether the decoder also learns to restore objects with noise.
        is_dense: whether each cell of stride 16 learns, too, and the best of them are where the queries start.
        dropout: in encoder and decoder.
        pretrained: weights of the backbone, see `build_backbone`.

    Raises:
        UsageError: there is no such backbone, it lacks a map of stride 16 or 32, or the width does not fit.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        backbone: str = "efficientnet_lite0",
        width: int = 128,
        heads: int = 8,
        encoder_layers: int = 1,
        decoder_layers: int = 3,
        queries: int = 100,
        groups: int = 3,
        has_noise: bool = True,
        is_dense: bool = True,
        dropout: float = 0.0,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if width % (4 * heads) or width % NORM_GROUPS:
            raise UsageError(
                f"a DETR of {heads} heads cannot have states of {width}",
                hint=f"choose a multiple of {4 * heads} and of {NORM_GROUPS}",
            )
        self.num_classes, self.num_queries, self.num_groups = num_classes, queries, groups
        self.has_noise, self.is_dense = has_noise, is_dense
        self.backbone = build_backbone(backbone, pretrained=pretrained, strides=(FINE, COARSE))
        self.fine, self.coarse = (
            nn.Sequential(nn.Conv2d(self.backbone.out_channels[stride], width, 1), nn.GroupNorm(NORM_GROUPS, width))
            for stride in (FINE, COARSE)
        )
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(encoder_layers))
        self.mix = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(NORM_GROUPS, width),
            nn.GELU(),
            nn.Conv2d(width, width, 1),
        )
        self.norm = nn.LayerNorm(width)
        if is_dense:
            self.dense_boxes, self.dense_classes = box_head(width), class_head(width, num_classes, PRIOR)
            self.start = nn.Linear(width, width)
        else:
            self.references = nn.Embedding(queries * groups, 4)
        self.content = nn.Embedding(queries * groups, width)
        if has_noise:
            self.label_content = nn.Embedding(num_classes, width)
        self.decoder = Decoder(width, heads, decoder_layers, num_classes, PRIOR, dropout)

    def encode(self, images: Tensor) -> Memory:
        """Return what the decoder attends to, for (N, 3, H, W) images."""
        fine, coarse = self.backbone(images)
        fine, coarse = self.fine(fine), self.coarse(coarse)
        cells = coarse.flatten(2).transpose(1, 2)
        positions = sine_codes(_centres(coarse), cells.shape[2] // 2)
        for layer in self.encoder:
            cells = layer(cells, positions)
        encoded = cells.transpose(1, 2).reshape(coarse.shape)
        fine = fine + F.interpolate(encoded, size=fine.shape[2:])
        fine = fine + self.mix(fine)
        return Memory(self.norm(fine.flatten(2).transpose(1, 2)), _centres(fine))

    def dense(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return (N, S, C) logits and (N, S, 4) boxes cxcywh of the cells."""
        starts = F.pad(memory.centres, (0, 2), value=DENSE_SIDE)
        return self.dense_classes(memory.cells), (logit(starts) + self.dense_boxes(memory.cells)).sigmoid()

    def queries(self, memory: Memory, groups: int, answers: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """Return the queries of some groups, (N, Q, width), and their references, (N, Q, 4).

        Args:
            memory: of the images.
            groups: how many groups of queries.
            answers: of the dense head; None without one.
        """
        num_images = memory.cells.shape[0]  # len() would fix it in an exported graph
        content = self.content.weight[: self.num_queries * groups].reshape(groups, self.num_queries, -1)
        if answers is None:
            references = self.references.weight[: self.num_queries * groups].sigmoid()
            return content.flatten(0, 1).expand(num_images, -1, -1), references.expand(num_images, -1, -1)
        logits, boxes = (each.detach() for each in answers)
        # Padded, since a small canvas has fewer cells than queries: the others start from the middle, without a cell.
        missing = (0, self.num_queries)
        best = F.pad(logits.amax(dim=2), missing, value=-1e4).topk(self.num_queries, dim=1).indices[..., None]
        references = F.pad(boxes, (0, 0, *missing), value=0.5).gather(1, best.expand(-1, -1, 4))
        cells = F.pad(memory.cells, (0, 0, *missing)).gather(1, best.expand(-1, -1, memory.cells.shape[2]))
        started = (content[None] + self.start(cells)[:, None]).flatten(1, 2)
        return started, references.repeat(1, groups, 1)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the losses of classes, positions and overlaps, summed over layers, and what serves training alone.

        "dense" is of the dense head, "noise" of the objects with noise.
        """
        goals = goals_of(targets, (images.shape[2], images.shape[3]))
        memory = self.encode(images)
        dense = self.dense(memory) if self.is_dense else None
        queries, references = self.queries(memory, self.num_groups, dense)
        count = queries.shape[1] // self.num_groups
        noise = add_noise(goals, self.num_classes, NOISY_COPIES) if self.has_noise else None
        blocks = [count] * self.num_groups
        if noise is not None:
            queries = torch.cat([queries, self.label_content(noise.labels)], dim=1)
            references = torch.cat([references, noise.boxes], dim=1)
            blocks += [noise.boxes.shape[1] // noise.copies] * noise.copies
        mask = _blocks(blocks, images.device) if len(blocks) > 1 else None
        total: dict[str, Tensor] = {}
        for logits, boxes in self.decoder(queries, references, memory.cells, memory.centres, mask):
            logits, boxes = logits.float(), box_convert(boxes.float(), "cxcywh", "xyxy")
            for start in range(0, count * self.num_groups, count):
                own = logits[:, start : start + count], boxes[:, start : start + count]
                add_losses(total, pair_losses(*own, goals, assign(*own, goals)), 1 / self.num_groups)
            if noise is not None:
                add_losses(total, self._noise_loss(logits, boxes, goals, noise))
        if dense is not None:
            logits, boxes = dense[0].float(), box_convert(dense[1].float(), "cxcywh", "xyxy")
            found = pair_losses(logits, boxes, goals, assign(logits, boxes, goals, DENSE_REPEATS))
            total["dense"] = torch.stack(list(found.values())).sum()
        return total

    @staticmethod
    def _noise_loss(logits: Tensor, boxes: Tensor, goals: Sequence[Goal], noise: Noise) -> dict[str, Tensor]:
        start = logits.shape[1] - noise.boxes.shape[1]
        found = pair_losses(logits[:, start:], boxes[:, start:], goals, noise.pairs, has_background=False)
        return {"noise": torch.stack(list(found.values())).sum()}

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what is found in each image; boxes end at the canvas.

        Queries differ by themselves, so `limits.iou` seldom drops a box.
        """
        memory = self.encode(images)
        dense = self.dense(memory) if self.is_dense else None
        queries, references = self.queries(memory, 1, dense)
        logits, boxes = self.decoder(queries, references, memory.cells, memory.centres)[-1]
        x1, y1, x2, y2 = box_convert(boxes.float(), "cxcywh", "xyxy").clamp(0.0, 1.0).unbind(dim=2)
        height, width = images.shape[2:]  # multiplied: new_tensor() would fix them in an exported graph
        corners = torch.stack([x1 * width, y1 * height, x2 * width, y2 * height], dim=2)
        return select(corners, logits.float().sigmoid(), limits)


def _centres(features: Tensor) -> Tensor:
    """Return the (H * W, 2) centres of the cells of a map, x and y in [0, 1]."""
    height, width = features.shape[2:]
    y = (torch.arange(height, device=features.device) + 0.5) / height
    x = (torch.arange(width, device=features.device) + 0.5) / width
    return torch.stack([x[None, :].expand(height, -1), y[:, None].expand(-1, width)], dim=-1).flatten(0, 1)


def _blocks(sizes: Sequence[int], device: torch.device) -> Tensor:
    """Return a (T, T) bool mask: each query attends to those of its own block."""
    block = torch.repeat_interleave(torch.arange(len(sizes), device=device), torch.tensor(sizes, device=device))
    return block[:, None] == block[None, :]
