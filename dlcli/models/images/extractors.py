"""Features of images by which sets of images are compared: of EfficientNet-Lite0, and of the Inception of FID."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import DataError, RunError
from dlcli.models.images.efficientnet_lite import efficientnet_lite0, own_names
from dlcli.models.images.inception_of_fid import build_inception
from dlcli.models.images.pretrained import read_state_dict
from dlcli.models.images.published import published_file

BATCH = 32
"""Images at once."""

LITE0, INCEPTION = "lite0", "inception"


@dataclass(frozen=True, eq=False)
class Extractor:
    """Turns images into features.

    Attributes:
        name: of the features, for that of a figure: "lite0" or "inception".
        network: (N, 3, H, W) float32, prepared, -> (N, D) features; it may be moved to another device.
        side: of the images that it expects, in pixels.
        method: of bringing images to that size.
        middle, scale: pixels become (pixel - middle) / scale.
    """

    name: str
    network: nn.Module
    side: int
    method: str
    middle: float
    scale: float

    def __call__(self, images: np.ndarray | Tensor) -> np.ndarray:
        """Return the features of images, (N, D) float64.

        Args:
            images: (N, 3, H, W) uint8 RGB of any size, which is changed to a square.
        """
        device = next(self.network.parameters()).device
        pixels = torch.as_tensor(images)
        found = []
        with torch.inference_mode():
            for part in torch.split(pixels, BATCH):
                # With the channels last, as in the weights, a CPU takes 0.6 times as long, and answers differ by 1e-6.
                prepared = self._prepare(part.to(device, torch.float32)).contiguous(memory_format=torch.channels_last)
                found.append(self.network(prepared).double().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, 0))

    def _prepare(self, pixels: Tensor) -> Tensor:
        if pixels.shape[2:] != (self.side, self.side):
            size, antialias = (self.side, self.side), self.method == "bicubic"
            pixels = F.interpolate(pixels, size=size, mode=self.method, align_corners=False, antialias=antialias)
        return (pixels - self.middle) / self.scale


def lite0_features() -> Extractor:
    """Return the extractor of 1280 features by EfficientNet-Lite0 with its published weights on ImageNet.

    They are what its head sees: the mean over the last map. Images are brought to 224 pixels by an antialiased bicubic
    filter, whatever their size, since a filter that skips pixels shifts distances by more than models differ.

    Raises:
        DataError: the weights are not installed.

    Source: Parmar et al. 2022, arXiv:2104.11222, for the resizing.
    """
    model = efficientnet_lite0(num_classes=1000)
    model.load_state_dict(own_names(read_state_dict(published_file("efficientnet_lite0")), model))
    model.head, model.dropout = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    return Extractor(LITE0, _frozen(model), 224, "bicubic", 127.0, 128.0)


def inception_features(file: Path) -> Extractor:
    """Return the extractor of 2048 features by the Inception of FID.

    Args:
        file: its weights, in the layout of pytorch-fid's `pt_inception-2015-12-05`.

    Raises:
        DataError: the file is missing, damaged, or holds other weights.

    Source: github.com/mseitzer/pytorch-fid, whose resizing is bilinear without antialiasing.
    """
    model = build_inception()
    hint = "--features takes pytorch-fid's pt_inception-2015-12-05-6726825d.pth"
    try:
        state: dict[str, Any] = dict(read_state_dict(file))
        for name, value in model.state_dict().items():
            if name.endswith("num_batches_tracked"):  # which files of old have not
                state.setdefault(name, value)
        model.load_state_dict(state)
    except RunError as error:
        raise DataError(error.message, hint=hint) from None
    except RuntimeError:
        raise DataError(f"{file}: not the weights of FID's Inception", hint=hint) from None
    model.fc = nn.Identity()
    return Extractor(INCEPTION, _frozen(model), 299, "bilinear", 127.5, 127.5)


def _frozen(model: nn.Module) -> nn.Module:
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)
