"""The options of object detection."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.data.images.operations.table import DEFAULT, NONE, parse_augment

SCRATCH = "none"
"""The value of `--pretrained` that starts from random weights."""

NMS, MAX_DETECTIONS = "0.6", 100
"""Overlap from which on a box is a duplicate (0.45, 0.7 and 0.8 had an AP lower by 0.1, 0 and 1.3 points on
blood cells), and detections of an image, as COCO counts them."""

DEFAULT_OF_NETWORK = "default"
"""The value of an option that leaves the choice to the network."""

BOX_LOSSES = (DEFAULT_OF_NETWORK, "l1", "smooth_l1", "balanced_l1", "giou", "diou", "ciou")
CLASS_LOSSES = (DEFAULT_OF_NETWORK, "hard-negatives", "focal", "bce")
HEADS = (DEFAULT_OF_NETWORK, "plain", "pelee")

CACHES = ("ram", "disk", "none")

KMEANS = "kmeans"
"""The value of `--anchors` that fits them to the training boxes."""


RLE, POLYGONS = "rle", "polygons"
MASK_FORMATS = (RLE, POLYGONS)


def parse_nms(text: str) -> str:
    """Return the text if it is `off` or an overlap in (0, 1].

    Raises:
        ValueError: it is neither.
    """
    if text != "off" and not 0 < float(text) <= 1:
        raise ValueError(f"{text!r} is neither `off` nor a number above 0 and up to 1")
    return text


def parse_cache(text: str) -> str:
    """Return the text if it says where images are kept.

    Raises:
        ValueError: it does not.
    """
    if text == "features":
        # Of EfficientNet-Lite0, stem and blocks 0 to 2: 24 maps of 64 x 80 float32 for a canvas of 256 x 320 pixels, in
        # 10 % (bf16) to 29 % (fp32) of a step.
        raise ValueError(
            "what a detector's frozen layers see of a view takes twice the memory of its pixels and saves less than a "
            "third of a step; cache the images (ram, disk)"
        )
    if text not in CACHES:
        raise ValueError(f"{text!r} is none of {', '.join(CACHES)}")
    return text


@dataclass(frozen=True)
class DetectionConfig:
    """Options of `dl train` for a detector."""

    model: str = option(
        "wren", "a detector from `dl models`, or any of torchvision's", short="m", section="Network and data"
    )
    backbone: str | None = option(
        None, "backbone: `wren`, or a classifier from `dl models` (default: what is installed)", metavar="NAME"
    )
    pretrained: str | None = option(
        None, "weights of the backbone (`default`), a file, a run, or none", metavar="default|FILE|RUN|none"
    )
    image_size: int = option(320, "longer side of the images in pixels", minimum=32, maximum=2048)
    width: int | None = option(
        None, "channels of neck and head (default: the network's)", minimum=8, maximum=1024, is_advanced=True
    )
    freeze_early: bool = option(
        False,
        "freeze the backbone's early layers, norms and slowest kernels: three times as fast on a CPU",
        is_advanced=True,
        is_on_in_recipes=True,
    )
    augment: str = option(
        DEFAULT,
        "augmentation of training images: default, none, or operations with or without a strength, such as "
        "`flip rotate=3`",
        metavar="OPERATIONS",
        bare=DEFAULT,
        off=NONE,
        read=parse_augment,
    )
    mosaic: float = option(
        0.0, "share of training images that are mosaics of four", minimum=0.0, maximum=1.0, is_advanced=True
    )
    multi_scale: bool = option(False, "vary the size of training images by a quarter", is_advanced=True)
    box_loss: str = option(
        DEFAULT_OF_NETWORK, "loss of the boxes (default: the network's)", choices=BOX_LOSSES, is_advanced=True
    )
    class_loss: str = option(
        DEFAULT_OF_NETWORK,
        "loss of the classes: of ssd hard-negatives or focal, of ssd-lesson bce or focal",
        choices=CLASS_LOSSES,
        is_advanced=True,
    )
    anchors: str = option(
        DEFAULT_OF_NETWORK,
        "shapes of the anchors of ssd: the paper's, or clusters of the training boxes",
        choices=(DEFAULT_OF_NETWORK, KMEANS),
        is_advanced=True,
    )
    head: str = option(
        DEFAULT_OF_NETWORK,
        "head of ssd: the paper's on six maps, or Pelee's residual blocks on five",
        choices=HEADS,
        is_advanced=True,
    )
    query_groups: int | None = option(
        None,
        "groups of queries in the training of detr; 1 as in the paper (default: 3)",
        minimum=1,
        maximum=16,
        is_advanced=True,
    )
    denoising: bool = option(True, "detr: also train it to denoise shifted boxes", is_advanced=True)
    dense_targets: bool = option(
        True, "detr: also train every cell of the feature map, and start queries from the best cells", is_advanced=True
    )
    cache: str = option(
        "ram",
        "where decoded images are kept between epochs",
        metavar="|".join(CACHES),
        read=parse_cache,
        is_advanced=True,
    )
    max_bad: int = option(
        100, "stop when more than N images cannot be read", minimum=0, maximum=10**9, is_advanced=True
    )


@dataclass(frozen=True)
class DetectionInference:
    """Inference options of a detector."""

    threshold: float | None = option(
        None,
        "minimum score of a detection (default: the one with the best F1 on the validation part)",
        minimum=0.0,
        maximum=1.0,
        commands=("predict",),
    )
    nms: str | None = option(
        None,
        f"drop a box that overlaps a better one of its class by more; off keeps all (default: {NMS})",
        metavar="IOU|off",
        read=parse_nms,
        commands=("predict", "eval", "export"),
    )
    max_detections: int | None = option(
        None,
        f"at most N detections in an image (default: {MAX_DETECTIONS})",
        minimum=1,
        maximum=1000,
        commands=("predict", "eval", "export"),
    )

    masks: str | None = option(
        None,
        f"masks in records as COCO's run lengths, or as polygons without their holes (default: {RLE})",
        choices=MASK_FORMATS,
        commands=("predict",),
    )
    tile: int | None = option(
        None,
        "also search tiles of N x N pixels for the small objects of a large image",
        minimum=32,
        maximum=8192,
        commands=("predict",),
    )
    tile_overlap: float = option(
        0.2,
        "overlap of neighbouring tiles as a fraction of their side; should exceed the objects",
        minimum=0.0,
        maximum=0.9,
        is_advanced=True,
        commands=("predict",),
    )
    frame_step: int = option(1, "process every N-th frame of a film", minimum=1, maximum=10**6, commands=("predict",))

    @property
    def suppression(self) -> str:
        """The value of `nms`, or its default."""
        return self.nms or NMS

    @property
    def most(self) -> int:
        """The value of `max_detections`, or its default."""
        return self.max_detections or MAX_DETECTIONS
