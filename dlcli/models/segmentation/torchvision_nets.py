"""torchvision's segmentation networks by name: DeepLabv3, FCN and LR-ASPP."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from torch import Tensor, nn

from dlcli.core.errors import RunError, UsageError, did_you_mean
from dlcli.models.images.pretrained import read_state_dict
from dlcli.models.modes import quicken_statistics

WITHOUT_AUXILIARY = ("lraspp",)

HEADS = ("classifier.", "aux_classifier.")
"""Beginnings of the names of the heads, which keep fresh weights if a file's are for other classes."""


def segmenter_names() -> list[str]:
    """Return the names of torchvision's networks for semantic segmentation."""
    from torchvision import models

    return list(models.list_models(module=models.segmentation))


class TorchvisionSegmenter(nn.Module):
    """A network of torchvision; see `Segmenter`.

    Args:
        network: returns a mapping with the logits as "out", and perhaps those of an auxiliary head as "aux".
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) logits of (N, 3, H, W) normalised images."""
        logits: Tensor = self.network(images)["out"]
        return logits

    def logits_by_head(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of the answer, and those of the auxiliary head if there is one."""
        found = self.network(images)
        return tuple(found[name] for name in ("out", "aux") if name in found)

    def class_biases(self) -> tuple[Tensor, ...]:
        """See `Segmenter`; LR-ASPP adds the answers of two layers, of which one has the bias."""
        heads = [child for name, child in self.network.named_children() if f"{name}." in HEADS]
        last = [[layer for layer in head.modules() if isinstance(layer, nn.Conv2d)][-1] for head in heads]
        return tuple(layer.bias for layer in last if layer.bias is not None)


def build_torchvision_segmenter(name: str, num_classes: int, *, pretrained: str | None = None) -> TorchvisionSegmenter:
    """Return a network of torchvision, with an auxiliary head where it has one.

    Args:
        name: one of `segmenter_names`.
        num_classes: C, the background included.
        pretrained: None for fresh weights, or a file of weights, as `torch.save(model.state_dict(), FILE)` writes it; a
            head for another number of classes keeps its fresh weights.

    Raises:
        UsageError: there is no such network, or the published weights are requested.
        RunError: the file is missing, damaged, refused or does not fit.
    """
    from torchvision.models import get_model  # torchvision takes two seconds

    names = segmenter_names()
    if name not in names:
        raise UsageError(f"torchvision has no segmentation network {name!r}", hint=did_you_mean(name, names))
    if pretrained == "default":
        raise UsageError(
            f"--pretrained default: no weights of {name} are published as a package",
            hint="give a file of weights, or choose unet",
        )
    auxiliary = {} if name.startswith(WITHOUT_AUXILIARY) else {"aux_loss": True}
    network: nn.Module = get_model(name, weights=None, weights_backbone=None, num_classes=num_classes, **auxiliary)
    quicken_statistics(network)
    if pretrained is not None:
        _load(network, name, Path(pretrained).expanduser())
    return TorchvisionSegmenter(network)


def _load(network: nn.Module, name: str, path: Path) -> None:
    state, own = read_state_dict(path), network.state_dict()
    fitting = OrderedDict(
        (key, value)
        for key, value in state.items()
        if not (key.startswith(HEADS) and key in own and own[key].shape != value.shape)
    )
    try:
        missing, unexpected = network.load_state_dict(fitting, strict=False)
    except RuntimeError as error:
        raise _does_not_fit(path, name, " ".join(str(error).split())) from None
    missing = [key for key in missing if not key.startswith(HEADS)]
    if missing or unexpected:
        wrong = [f"no {key}" for key in missing[:2]] + [f"unknown {key}" for key in unexpected[:2]]
        raise _does_not_fit(path, name, f"{', '.join(wrong)} ({len(missing) + len(unexpected)} names differ)")


def _does_not_fit(path: Path, name: str, reason: str) -> RunError:
    return RunError(f"{path}: does not fit {name}: {reason[:160]}", hint="pass weights of the same network")
