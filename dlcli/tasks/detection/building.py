"""The detector that the options name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object, network_advice
from dlcli.models.detection.detector import Detector, ExportsOneImage, FindsLargest, HasFixedSize, HasMasks
from dlcli.models.images.pretrained import DEFAULT as DEFAULT_WEIGHTS
from dlcli.models.images.pretrained import expected_pixels
from dlcli.models.images.published import IMAGENET_PIXELS, Pixels
from dlcli.tasks.detection.config import DEFAULT_OF_NETWORK, SCRATCH, DetectionConfig
from dlcli.tasks.detection.networks import NETWORKS


def build_detector(config: DetectionConfig, num_classes: int, *, box_sizes: np.ndarray | None = None) -> Detector:
    """Return the detector that the configuration names.

    Args:
        config: the options.
        num_classes: without a background class.
        box_sizes: (N, 2) widths and heights of the training boxes in pixels of the canvas, to which anchors are fitted;
            None for default ones, and where weights are loaded, which hold the fitted ones.

    Raises:
        UsageError: there is no such network or body, or an option does not fit it.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged or does not fit.
    """
    name = config.model
    pretrained = None if config.pretrained == SCRATCH else config.pretrained
    if name in NETWORKS:
        build = load_object(NETWORKS[name].build)
        shared = {"image_size": config.image_size, **({"backbone": config.backbone} if config.backbone else {})}
        known = inspect.signature(build).parameters
        options = {key: value for key, value in shared.items() if key in known}
        for flag, parameter, value in _own_options(config, box_sizes):
            if parameter not in known:
                raise UsageError(f"--{flag}: {name} has no such option", hint="leave it out")
            options[parameter] = value
        detector: Detector = build(num_classes=num_classes, pretrained=pretrained, **options)
        return detector
    from dlcli.models.detection.torchvision_detectors import build_torchvision_detector, detector_names  # two seconds

    names = detector_names()
    if name not in names:
        raise UsageError(f"--model: no detector {name!r}", hint=network_advice(name, [*NETWORKS, *names]))
    backbone = [("backbone", "backbone", config.backbone)] if config.backbone is not None else []
    for flag, _, _ in [*backbone, *_own_options(config, box_sizes)]:
        raise UsageError(f"--{flag}: torchvision's detectors have their own", hint="leave it out")
    if pretrained == DEFAULT_WEIGHTS:
        raise UsageError(f"--pretrained: no weights of {name} are installed", hint="pass a file, or leave it out")
    return build_torchvision_detector(
        name=name, num_classes=num_classes, image_size=config.image_size, weights=pretrained
    )


def _own_options(config: DetectionConfig, box_sizes: np.ndarray | None) -> list[tuple[str, str, Any]]:
    """Return the options that only some networks have and that were given: flag, parameter of the network, value."""
    choices = {"box_loss": config.box_loss, "class_loss": config.class_loss, "head": config.head}
    options = [
        ("width", "width", config.width),
        ("freeze-early", "is_frozen", config.freeze_early or None),
        ("anchors", "box_sizes", box_sizes),
        ("query-groups", "groups", config.query_groups),
        ("no-denoising", "has_noise", None if config.denoising else False),
        ("no-dense-targets", "is_dense", None if config.dense_targets else False),
        *(
            (name.replace("_", "-"), name, None if value == DEFAULT_OF_NETWORK else value)
            for name, value in choices.items()
        ),
    ]
    return [each for each in options if each[2] is not None]


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


def finds_largest(detector: Detector) -> bool:
    """Return whether a detector finds no more than the largest object of an image."""
    return isinstance(detector, FindsLargest) and detector.finds_largest


def has_masks(detector: Detector) -> bool:
    """Return whether a detector learns and returns masks as well as boxes."""
    return isinstance(detector, HasMasks) and detector.has_masks
