"""A body of one convolution a stride, for tests of what stands on a body: of a deep one, exporters take a minute."""

from __future__ import annotations

from itertools import pairwise

import pytest
from torch import Tensor, nn

from dlcli.models.images import backbone
from dlcli.models.images.backbone import Layout

NAME = "shallow"
CHANNELS = (8, 8, 16, 16, 32)
"""Of the strides 2 to 32."""


class Shallow(nn.Module):
    """A classifier whose maps have the strides 2, 4, 8, 16 and 32, at any size of the images."""

    def __init__(self, num_classes: int, in_channels: int = 3, image_size: int = 224) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
                )
                for before, after in pairwise((in_channels, *CHANNELS))
            )
        )
        self.head = nn.Linear(CHANNELS[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C) logits of (N, 3, H, W) images."""
        logits: Tensor = self.head(self.layers(images).mean(dim=(2, 3)))
        return logits


def add_shallow(patch: pytest.MonkeyPatch) -> None:
    """Let `build_backbone` know the body as `NAME`."""
    patch.setitem(backbone.OWN, NAME, Layout(("layers",), build="toys.shallow:Shallow"))  # type: ignore[arg-type]
