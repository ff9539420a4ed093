"""Every torchvision detector of boxes and masks by name, behind the contract of a detector here.

Differences from torchvision: images are normalised and resized by the caller, so its own normalisation and resizing are
left out; labels count from 0; detections are dense; masks stay 28 x 28 within their boxes. torchvision knows no ignored
regions: there, background is learned. Its post-processing is a loop over images, and its anchors are made from the
canvas's size as a Python number, so only a trace of one image on one canvas can be exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import RunError, UsageError, did_you_mean
from dlcli.models.detection.detector import Detections, Limits, Target
from dlcli.models.images.pretrained import read_state_dict
from dlcli.models.modes import quicken_statistics

NOT_BOXES = ("keypointrcnn",)
"""Families that need more than boxes and masks to train."""

MASK_FAMILY = "maskrcnn"

SSD300_MIN = 288
"""Under this side, the last maps of ssd300_vgg16, whose convolutions have no border, are empty."""

KEEPS_ALL = 1.0
"""Overlap above which nothing is suppressed."""


def detector_names() -> list[str]:
    """Return the names of torchvision's detectors of boxes and masks."""
    from torchvision import models

    names = models.list_models(module=models.detection)
    return [name for name in names if not name.startswith(NOT_BOXES)]


def build_torchvision_detector(
    *, name: str, num_classes: int, image_size: int = 320, weights: str | None = None
) -> TorchvisionDetector:
    """Return a detector of torchvision by name.

    Args:
        name: one of `detector_names`.
        num_classes: without background; torchvision's heads have one class more, the first, in every family.
        image_size: longer side of the canvas in pixels.
        weights: a file of torchvision's or dl's weights; None for fresh ones. Layers whose number of classes differs
            stay fresh.

    Raises:
        UsageError: there is no such detector, or the images are too small for it.
        RunError: the file is missing, damaged, refused or does not fit.
    """
    from torchvision.models import get_model

    names = detector_names()
    if name not in names:
        raise UsageError(f"torchvision has no detector {name!r}", hint=did_you_mean(name, names))
    fixed_size = image_size if name.startswith("ssd300") else None
    if fixed_size is not None and image_size < SSD300_MIN:
        raise UsageError(f"{name} needs images of at least {SSD300_MIN} pixels, not {image_size}")
    network = get_model(name, weights=None, weights_backbone=None, num_classes=num_classes + 1)
    quicken_statistics(network)
    if weights is not None:
        load_detector_weights(network, name, Path(weights).expanduser())
    return TorchvisionDetector(network, num_classes, has_masks=name.startswith(MASK_FAMILY), fixed_size=fixed_size)


class TorchvisionDetector(nn.Module):
    """A detector of torchvision.

    Attributes:
        has_masks: whether it learns and returns masks.
        fixed_size: side of the square canvas that ssd300_vgg16 needs; None for the others, which take any canvas.
        exports_one_image: always.

    Args:
        network: torchvision's detector, whose own transform is replaced.
        num_classes: without background.
        has_masks, fixed_size: see the attributes.
    """

    exports_one_image = True

    def __init__(
        self, network: nn.Module, num_classes: int, *, has_masks: bool = False, fixed_size: int | None = None
    ) -> None:
        super().__init__()
        self.num_classes, self.has_masks, self.fixed_size = num_classes, has_masks, fixed_size
        self.network: Any = network
        self.network.transform = Neutral()

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return torchvision's losses of this detector, by their names there without "loss_"; in training mode.

        Raises:
            UsageError: a detector of masks is to learn from boxes alone.
        """
        losses: dict[str, Tensor] = self.network(list(images), [self._library_target(each) for each in targets])
        return {name.removeprefix("loss_"): loss for name, loss in losses.items()}

    def _library_target(self, target: Target) -> dict[str, Tensor]:
        has_area = (target.boxes[:, 2:] > target.boxes[:, :2]).all(dim=1)  # torchvision stops at others
        found = {"boxes": target.boxes[has_area], "labels": target.labels[has_area] + 1}
        if self.has_masks:
            if target.masks is None:
                raise UsageError(
                    "a detector of masks cannot learn from boxes alone", hint="choose a detector of boxes: fasterrcnn_*"
                )
            found["masks"] = target.masks[has_area]
        return found

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what torchvision's own post-processing finds within the limits; in evaluation mode.

        `masks` is (N, K, 28, 28) for the detectors of masks.
        """
        head = self.network.roi_heads if hasattr(self.network, "roi_heads") else self.network
        head.score_thresh, head.detections_per_img = limits.score, limits.most
        head.nms_thresh = KEEPS_ALL if limits.iou is None else limits.iou
        return _dense(self.network(list(images)), limits.most, self.has_masks)


class Neutral(nn.Module):
    """In place of torchvision's transform: images and targets pass as they are, and so do detections."""

    def forward(self, images: list[Tensor], targets: Any = None) -> tuple[Any, Any]:
        """Return an `ImageList` of the images, which are of one size, and the targets."""
        from torchvision.models.detection.image_list import ImageList

        return ImageList(torch.stack(images), [(each.shape[1], each.shape[2]) for each in images]), targets

    def postprocess(self, result: list[dict[str, Tensor]], _sizes: Any, _original: Any) -> list[dict[str, Tensor]]:
        """Return the detections of each image."""
        return result


def load_detector_weights(network: nn.Module, name: str, path: Path) -> None:
    """Load a file of weights into a torchvision detector, in place; heads of other classes stay fresh.

    Raises:
        RunError: the file is missing, damaged, refused or does not fit.
    """
    own = network.state_dict()
    state = read_state_dict(path)
    # Published files have frozen norms, which do not count batches.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unknown = [key for key in state if key not in own]
    if missing or unknown:
        wrong = [f"no {key}" for key in missing[:2]] + [f"unknown {key}" for key in unknown[:2]]
        raise RunError(
            f"{path}: not weights of {name}: {', '.join(wrong)} ({len(missing) + len(unknown)} names differ)",
            hint=f"a file of {name}, as torchvision publishes it",
        )
    fitting = {key: value for key, value in state.items() if value.shape == own[key].shape}
    _check_heads(own, fitting, state, name, path)
    network.load_state_dict(fitting, strict=False)


HEADS = ("head.", "roi_heads.")
"""Where the layers stand whose size depends on the number of classes."""


def _check_heads(
    own: Mapping[str, Tensor], fitting: Mapping[str, Tensor], state: Mapping[str, Tensor], name: str, path: Path
) -> None:
    for key in state:
        if key not in fitting and not key.startswith(HEADS):
            shapes = [tuple(each[key].shape) for each in (state, own)]
            raise RunError(f"{path}: not weights of {name}: {key} is {shapes[0]}, not {shapes[1]}")


def _dense(found: Sequence[Mapping[str, Tensor]], most: int, has_masks: bool) -> Detections:
    """Return torchvision's detections of each image, which are sorted by falling score, padded to `most`.

    Without numbers of detections as Python numbers, which a trace would take for constants.
    """
    names = ("boxes", "scores", "labels", *(["masks"] if has_masks else []))
    columns: dict[str, list[Tensor]] = {name: [] for name in names}
    counts = []
    for each in found:
        # RetinaNet and FCOS have an output for the class 0, too, which no object has; fresh ones may answer it.
        is_object = each["labels"] > 0
        counts.append(is_object.sum().clamp(max=most))
        for name in names:
            values = each[name][is_object]
            values = values - 1 if name == "labels" else values[:, 0] if name == "masks" else values
            padding = values.new_zeros((most, *values.shape[1:]))
            columns[name].append(torch.cat([values, padding])[:most])
    dense = {name: torch.stack(values) for name, values in columns.items()}
    return Detections(dense["boxes"], dense["scores"], dense["labels"], torch.stack(counts), dense.get("masks"))
