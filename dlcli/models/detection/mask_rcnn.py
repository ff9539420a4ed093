"""Mask R-CNN of torchvision on any backbone with maps by stride, with layers as narrow as a laptop needs.

Differences from He et al. 2017 (arXiv:1703.06870), as torchvision has it: the pyramid begins at stride 8, not 4 (a
quarter of the anchors), and is 64 channels wide, not 256; the box head has 256 units, not 1,024, and the mask head two
convolutions, not four; anchors are 32 to 256 pixels, not 32 to 512, as images are smaller here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.detection.body import WrenBody
from dlcli.models.detection.torchvision_detectors import TorchvisionDetector
from dlcli.models.images.backbone import build_backbone

OWN_BODY = "wren"
STRIDES = (8, 16, 32)
HIDDEN = 256
ANCHOR_SIZES = ((32,), (64,), (128,), (256,))
"""Of each level, the last of which is the coarsest map halved: four times its stride."""

ASPECTS = (0.5, 1.0, 2.0)
PROPOSALS = 500
"""Regions an image that the second stage sees; torchvision's 2,000 are for photos of 800 pixels."""

SAMPLED = 128
"""Regions an image from which the second stage learns."""

BOX_CELLS, MASK_CELLS = 7, 14
POOLED = ["0", "1", "2"]
"""Levels from which regions are cut; the coarsest is for proposals alone."""

SMALL_IMAGE = 96


def build_mask_rcnn(
    num_classes: int,
    backbone: str = "efficientnet_lite0",
    pretrained: str | None = None,
    width: int = 64,
    image_size: int = 320,
) -> TorchvisionDetector:
    """Return Mask R-CNN on a backbone by name.

    Args:
        num_classes: without background.
        backbone: "wren" for the body that is fast to train from scratch, or a network with maps by stride.
        pretrained: weights of the backbone, see `dlcli.models.images.pretrained.load_pretrained`; None for fresh ones.
        width: channels of the pyramid and of the mask head.
        image_size: longer side of the images in pixels.

    Raises:
        UsageError: there is no such backbone, it has no maps of strides 8, 16 and 32, or no weights.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged, refused or does not fit.
    """
    if backbone == OWN_BODY and pretrained is not None:
        raise UsageError("no weights of the backbone wren are published", hint="leave out --pretrained")
    body: Any = (
        WrenBody()
        if backbone == OWN_BODY
        else build_backbone(
            backbone, image_size=max(image_size, SMALL_IMAGE + 1), pretrained=pretrained, strides=STRIDES
        )
    )
    return TorchvisionDetector(_mask_rcnn(Pyramid(body, width), num_classes + 1), num_classes, has_masks=True)


class Pyramid(nn.Module):
    """A backbone's maps and the pyramid over them, by the names of their levels as torchvision wants them.

    Source: Lin et al. 2017, arXiv:1612.03144.

    Attributes:
        out_channels: of every level.

    Args:
        body: returns maps of strides 8, 16 and 32; its `out_channels` says of how many channels.
        width: channels of every level.
    """

    def __init__(self, body: Any, width: int) -> None:
        super().__init__()
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

        self.body = body
        channels = [body.out_channels[stride] for stride in STRIDES]
        self.levels = FeaturePyramidNetwork(channels, width, extra_blocks=LastLevelMaxPool())
        self.out_channels = width

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the levels, "0" to "2" and "pool", (N, width, H / stride, W / stride)."""
        levels: dict[str, Tensor] = self.levels(
            OrderedDict((str(level), features) for level, features in enumerate(self.body(images)))
        )
        return levels


def _mask_rcnn(pyramid: Pyramid, num_outputs: int) -> nn.Module:
    """Return torchvision's network on a pyramid; `num_outputs` classes with the background."""
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNN, MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.ops import MultiScaleRoIAlign

    width = pyramid.out_channels
    network: nn.Module = MaskRCNN(
        pyramid,
        rpn_anchor_generator=AnchorGenerator(ANCHOR_SIZES, (ASPECTS,) * len(ANCHOR_SIZES)),
        rpn_pre_nms_top_n_train=PROPOSALS,
        rpn_pre_nms_top_n_test=PROPOSALS,
        rpn_post_nms_top_n_train=PROPOSALS,
        rpn_post_nms_top_n_test=PROPOSALS // 2,
        box_roi_pool=MultiScaleRoIAlign(POOLED, BOX_CELLS, sampling_ratio=2),
        box_head=TwoMLPHead(width * BOX_CELLS**2, HIDDEN),
        box_predictor=FastRCNNPredictor(HIDDEN, num_outputs),
        box_batch_size_per_image=SAMPLED,
        mask_roi_pool=MultiScaleRoIAlign(POOLED, MASK_CELLS, sampling_ratio=2),
        mask_head=MaskRCNNHeads(width, (width, width), 1),
        mask_predictor=MaskRCNNPredictor(width, width, num_outputs),
    )
    return network
