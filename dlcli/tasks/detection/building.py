"""The detector that the options name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import load_object
from dlcli.models.detection.detector import Detector, ExportsOneImage, HasFixedSize, HasMasks
from dlcli.models.images.pretrained import DEFAULT as DEFAULT_WEIGHTS
from dlcli.models.images.pretrained import expected_pixels
from dlcli.models.images.published import IMAGENET_PIXELS, Pixels
from dlcli.tasks.detection.config import SCRATCH, DetectionConfig
from dlcli.tasks.detection.networks import NETWORKS


def build_detector(config: DetectionConfig, num_classes: int, **more: Any) -> Detector:
    """Return the detector that the configuration names.

    Args:
        config: the options.
        num_classes: without a background class.
        more: what the data says, for the networks that take it: `box_sizes`, (N, 2) widths and heights of the training
            boxes in pixels of the canvas, to which anchors are fitted.

    Raises:
        UsageError: there is no such network or body, or an option does not fit it.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged or does not fit.
    """
    name = config.model
    pretrained = None if config.pretrained == SCRATCH else config.pretrained
    if name in NETWORKS:
        build = load_object(NETWORKS[name].build)
        more |= {"image_size": config.image_size, **({"backbone": config.backbone} if config.backbone else {})}
        options = {
            "pretrained": pretrained,
            **{key: value for key, value in more.items() if _takes(build, key)},
            **_own_option(name, build, "width", config.width),
            **_own_option(name, build, "is_frozen", config.freeze_early or None, flag="freeze-early"),
            **_own_option(name, build, "box_loss", None if config.box_loss == "default" else config.box_loss),
        }
        detector: Detector = build(num_classes=num_classes, **options)
        return detector
    from dlcli.models.detection.torchvision_detectors import build_torchvision_detector, detector_names  # two seconds

    known = detector_names()
    if name not in known:
        raise UsageError(f"--model: no detector {name!r}", hint=did_you_mean(name, [*NETWORKS, *known]))
    for flag, value in (("backbone", config.backbone), ("width", config.width)):
        if value is not None:
            raise UsageError(f"--{flag}: torchvision's detectors have their own", hint="leave it out")
    if pretrained == DEFAULT_WEIGHTS:
        raise UsageError(f"--pretrained: no weights of {name} are installed", hint="pass a file, or leave it out")
    return build_torchvision_detector(
        name=name, num_classes=num_classes, image_size=config.image_size, weights=pretrained
    )


def pixels_of(config: DetectionConfig) -> Pixels:
    """Return the mean and std of the pixels that the body's weights expect; ImageNet's for fresh ones.

    Raises:
        RunError: a file of weights is missing or refused.
    """
    if config.pretrained in (None, SCRATCH):
        return IMAGENET_PIXELS
    return expected_pixels(config.backbone or config.model, str(config.pretrained))


def canvas_of(detector: Detector) -> tuple[int, int] | None:
    """Return the only size of canvas, height and width, that a detector takes; None for one that takes any."""
    size = detector.fixed_size if isinstance(detector, HasFixedSize) else None
    return (size, size) if size is not None else None


def exports_one_image(detector: Detector) -> bool:
    """Return whether a detector can be exported only for one image a call, on a canvas of one size."""
    return isinstance(detector, ExportsOneImage) and detector.exports_one_image


def has_masks(detector: Detector) -> bool:
    """Return whether a detector learns and returns masks as well as boxes."""
    return isinstance(detector, HasMasks) and detector.has_masks


def _own_option(
    name: str, build: Callable[..., nn.Module], option: str, value: Any, flag: str | None = None
) -> dict[str, Any]:
    """Return an option of the network's own, if it was given.

    Args:
        name, build: the network, and what builds it.
        option: the parameter of `build`.
        value: None if the option was not given.
        flag: its name on the command line, where that is another.

    Raises:
        UsageError: the network does not have it.
    """
    if value is None:
        return {}
    if not _takes(build, option):
        raise UsageError(f"--{flag or option.replace('_', '-')}: {name} does not have it", hint="leave it out")
    return {option: value}


def _takes(build: Callable[..., nn.Module], option: str) -> bool:
    return option in inspect.signature(build).parameters
