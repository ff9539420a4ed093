"""The networks of semantic segmentation by name; any other name is looked up in torchvision."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network, Zoo

NETWORKS: Mapping[str, Network] = {
    "unet": Network(
        "dlcli.models.segmentation.unet:build_unet",
        "a decoder with skips on any backbone",
        "Ronneberger et al. 2015, arXiv:1505.04597",
    ),
}

ZOO = Zoo(
    "dlcli.models.segmentation.torchvision_nets:segmenter_names", "torchvision segmentation networks", "torchvision"
)

BACKBONE = "efficientnet_lite0"
"""The encoder of unet where its weights are installed."""
