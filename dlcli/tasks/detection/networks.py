"""The detectors by name; any other name is looked up in torchvision."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network, Zoo

NETWORKS: Mapping[str, Network] = {
    "wren": Network(
        "dlcli.models.detection.wren:build_wren",
        "one stage, no anchors, made for few images and two cores",
        "Feng et al. 2021, arXiv:2108.07755 (assignment); Liu et al. 2018, arXiv:1803.01534 (neck)",
    ),
    "ssd": Network(
        "dlcli.models.detection.ssd:Ssd", "single shot, default boxes on six maps", "Liu et al. 2016, arXiv:1512.02325"
    ),
    "ssd-lesson": Network(
        "dlcli.models.detection.ssd_lesson:SsdLesson", "189 anchors on grids of 4, 2 and 1", "fast.ai 2018, lesson 9"
    ),
    "detr": Network(
        "dlcli.models.detection.detr:Detr",
        "objects as a set, with groups, noise and dense targets for few images",
        "Carion et al. 2020, arXiv:2005.12872",
    ),
    "single": Network(
        "dlcli.models.detection.single:SingleObject", "the largest object of each image alone", "fast.ai 2018, lesson 8"
    ),
    "maskrcnn": Network(
        "dlcli.models.detection.mask_rcnn:build_mask_rcnn",
        "boxes and masks in two stages, with narrow layers for few images",
        "He et al. 2017, arXiv:1703.06870",
    ),
}

ZOO = Zoo("dlcli.models.detection.torchvision_detectors:detector_names", "torchvision detectors", "torchvision")

SCRATCH_BODY = "wren"
"""The body of our own that starts from random weights."""

BODY = "efficientnet_lite0"
"""The body of a detector where its weights are installed."""
