"""What a picture needs of a detector: where it predicts from, and what each of those places learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.models.detection.detector import Target
from dlcli.models.detection.matching import IGNORED, match_anchors
from dlcli.models.modes import evaluating


class Explanation(NamedTuple):
    """The A places of a canvas from which a detector predicts, and what each learns in N images.

    Attributes:
        boxes: (A, 4) float32 xyxy in pixels: anchors; of a point, the cell around it.
        cells: (A, 2) float32 width and height of the cell of each; places of one map have equal cells.
        objects: (N, A) int64 index of the object that each learns, `matching.BACKGROUND` or `matching.IGNORED`.
        are_points: whether the places are points, without a shape.
    """

    boxes: Tensor
    cells: Tensor
    objects: Tensor
    are_points: bool


@runtime_checkable
class Explains(Protocol):
    """A detector that predicts from fixed places."""

    def explain(self, images: Tensor, targets: Sequence[Target]) -> Explanation:
        """Return what each place learns from (N, 3, H, W) normalised images; in evaluation mode."""
        ...


@torch.no_grad()
def explain_anchors(anchors: Tensor, cells: Tensor, targets: Sequence[Target], min_iou: float) -> Explanation:
    """Return the explanation of a network with anchors; see `match_anchors`."""
    matches = [match_anchors(anchors, each.boxes, each.ignored, min_iou) for each in targets]
    return Explanation(anchors, cells, torch.stack(matches), are_points=False)


@torch.no_grad()
def explain_points(
    centres: Tensor, strides: Tensor, objects: Sequence[Tensor], weights: Sequence[Tensor]
) -> Explanation:
    """Return the explanation of a network with points.

    Args:
        centres: (A, 2) in pixels.
        strides: (A,) in pixels.
        objects: for each image (A,) int64 index of the object of each point, -1 for background.
        weights: for each image (A,) float32, 0 where nothing is learned.
    """
    cells = strides[:, None].expand(-1, 2)
    boxes = torch.cat([centres - cells / 2, centres + cells / 2], dim=1)
    learned = [torch.where(weight > 0, each, IGNORED) for each, weight in zip(objects, weights, strict=True)]
    return Explanation(boxes, cells, torch.stack(learned), are_points=True)


def pyramids(model: nn.Module, images: Tensor) -> dict[str, list[Tensor]]:
    """Return the maps of each module that answers with several, as backbones, necks and towers do, by name.

    A module that passes on the maps of one within it is left out. The model runs once and is left unchanged.

    Args:
        model: the network.
        images: (1, 3, H, W), as the model expects it.

    Returns:
        name -> maps (1, C, H, W), in the order in which the modules finish.
    """
    found: dict[str, list[Tensor]] = {}
    seen: set[tuple[int, ...]] = set()
    handles = []

    def note(name: str, answer: Any) -> None:
        values = list(answer.values()) if isinstance(answer, Mapping) else answer
        if not isinstance(values, (tuple, list)) or not values:
            return
        if all(isinstance(each, Tensor) and each.ndim == 4 for each in values):
            key = tuple(id(each) for each in values)
            if key not in seen:
                found[name] = list(values)
            seen.add(key)

    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(lambda _module, _inputs, answer, name=name: note(name, answer)))
    try:
        with evaluating(model), torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return found
