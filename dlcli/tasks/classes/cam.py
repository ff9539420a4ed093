"""The picture of what supports a class in an image, for every task whose network returns a logit for each class.

Torch and numpy are not imported until it is drawn, so that the help page is fast.
"""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.visualize.map_layers import full_name, list_map_layers
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject


@dataclass(frozen=True)
class CamOptions:
    """Options of `cam`."""

    layer: str | None = option(None, "the layer; `list` shows them (default: the last with a map)")
    label: str | None = option(None, "the class to explain (default: the most probable)", flag="class")


def draw_cam(subject: Subject, options: CamOptions) -> Drawn:
    """Yield a heat map of each input: which of its regions support the class."""
    from dlcli.data.labels import read_labels
    from dlcli.visualize.cam import draw_cam, grad_cam

    model, labels = subject.network(), read_labels(subject.assets().get("labels"))
    if options.label is not None and options.label not in labels:
        raise UsageError(f"--class: no class {options.label!r}", hint=did_you_mean(options.label, labels))
    wanted = labels.index(options.label) if options.label is not None else None
    layer = full_name(model, subject, options.layer)
    for item in subject.inputs():
        heat, index = grad_cam(model, item.tensor, layer=layer, class_index=wanted)
        yield f"cam-{item.name}", draw_cam(item.picture, heat, title=f"{item.name}: {labels[index]}")


CAM = Picture("image regions that support the class (Grad-CAM)", "RUN", CamOptions, draw_cam, list_map_layers)
