"""Image classifiers by name, for every task that builds on one; any other name is looked up in torchvision."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network, Zoo

IMAGENET = "ImageNet"

COURSE = "a beginners' course, see its file"

DIGITS = ("lenet", "cnn", "course-cnn", "course-mlp")
"""Networks for handwritten digits."""

NETWORKS: Mapping[str, Network] = {
    "airnet": Network(
        "dlcli.models.images.airnet:AirNet", "whitened patches, six 3x3 convolutions", "Jordan 2024, arXiv:2404.00498"
    ),
    "vgg": Network(
        "dlcli.models.images.vgg:VGG",
        "six 3x3 convolutions, 64-128-256-512",
        "Simonyan & Zisserman 2014, arXiv:1409.1556",
    ),
    "resnet": Network(
        "dlcli.models.images.resnet:ResNet", "18 layers, stride 2 in the stages", "He et al. 2015, arXiv:1512.03385"
    ),
    "mobilenet": Network(
        "dlcli.models.images.mobilenet:MobileNet", "v1, depthwise separable", "Howard et al. 2017, arXiv:1704.04861"
    ),
    "inception": Network(
        "dlcli.models.images.inception:Inception",
        "small GoogLeNet with batch norm",
        "Szegedy et al. 2014, arXiv:1409.4842",
    ),
    "peleenet": Network(
        "dlcli.models.images.peleenet:PeleeNet",
        "two-way dense layers for mobile devices",
        "Wang et al. 2018, arXiv:1804.06882",
    ),
    "efficientnet_lite0": Network(
        "dlcli.models.images.efficientnet_lite:efficientnet_lite0",
        "inverted residuals for phones, with ImageNet's weights",
        "Liu 2020; Tan & Le, arXiv:1905.11946",
        IMAGENET,
    ),
    "efficientnet_lite1": Network(
        "dlcli.models.images.efficientnet_lite:efficientnet_lite1",
        "the same, deeper, for 240 pixels",
        "Liu 2020; Tan & Le, arXiv:1905.11946",
        IMAGENET,
    ),
    "efficientnet_lite2": Network(
        "dlcli.models.images.efficientnet_lite:efficientnet_lite2",
        "the same, wider, for 260 pixels",
        "Liu 2020; Tan & Le, arXiv:1905.11946",
        IMAGENET,
    ),
    "lenet": Network("dlcli.models.images.lenet:LeNet", "LeNet-5 with ReLU", "LeCun et al. 1998"),
    "cnn": Network("dlcli.models.images.lenet:SmallCNN", "a small modern CNN for digits", "see its file"),
    "course-vgg": Network(
        "dlcli.models.images.course:CourseVGG", "seven 3x3 convolutions, as taught; `vgg` is better", COURSE
    ),
    "course-mobilenet": Network(
        "dlcli.models.images.course:CourseMobileNet", "eight separable blocks, as taught; `mobilenet` is better", COURSE
    ),
    "course-inception": Network(
        "dlcli.models.images.course:CourseInception", "two inception modules, as taught; `inception` is better", COURSE
    ),
    "course-cnn": Network(
        "dlcli.models.images.course:CourseCNN", "one 5x5 convolution for digits, as taught; `cnn` is better", COURSE
    ),
    "course-mlp": Network(
        "dlcli.models.images.course:CourseMLP", "two layers of 512 units on pixels, as taught; `cnn` is better", COURSE
    ),
}

ZOO = Zoo("dlcli.models.images.zoo:classifier_names", "torchvision classifiers", "torchvision", IMAGENET)


OWN_IMAGE_SIZES = {"peleenet": 224, "efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
"""Networks of our own for ImageNet, and the sides of its images that they are made for, in pixels."""


def default_sizes(name: str) -> dict[str, int]:
    """Return the default sizes, in pixels, channels and classes, of a network without a run.

    They are those of the data that its source was written for: ImageNet, handwritten digits, or else CIFAR-10.
    """
    if name in OWN_IMAGE_SIZES or name not in NETWORKS:
        return {"image_size": OWN_IMAGE_SIZES.get(name, 224), "channels": 3, "num_classes": 1000}
    if name in DIGITS:
        return {"image_size": 28, "channels": 1, "num_classes": 10}
    return {"image_size": 32, "channels": 3, "num_classes": 10}
