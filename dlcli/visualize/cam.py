"""Grad-CAM: which parts of an image support a class.

Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.models.modes import evaluating
from dlcli.visualize.canvas import add_title, as_rgb, colour_bar, enlarge, stack
from dlcli.visualize.features import layer_module, run_order

STRONGEST = 0.65
"""Opacity of the heat map where the heat is 1; more would hide the image underneath."""
VIEW_PX = 320


def grad_cam(
    model: nn.Module, image: Tensor, *, layer: str | None = None, class_index: int | None = None
) -> tuple[np.ndarray, int]:
    """Return the Grad-CAM heat map of a class, (H, W) float32 in [0, 1] at the image's size, and the class index.

    The heat is max(0, sum of alpha_k A_k) over the layer's maps A_k, where alpha_k is the mean over the map of the
    derivative of the class's logit; it is resized bilinearly and divided by its largest value (all 0 if nothing
    supports the class). The model's mode, hooks and gradients are left unchanged; frozen weights do not matter.

    Args:
        image: (1, C, H, W) float, as the model expects it.
        layer: a layer with maps; None for the last one to run whose map is larger than 1 x 1.
        class_index: None for the class with the largest logit.

    Raises:
        UsageError: there is no such layer or class, or no layer with maps.
        ValueError: `image` is a batch of several images.
    """
    if image.shape[0] != 1:
        raise ValueError(f"one image, not {image.shape[0]}")
    module = layer_module(model, image, layer if layer is not None else last_map(model, image))
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, answer: Tensor) -> Tensor:
        # A new leaf: gradients exist even if all weights are frozen, and no graph below the layer is stored. The model
        # continues with a copy, which an in-place layer may change.
        kept.append(answer.detach().requires_grad_())
        return kept[-1].clone()

    # Inference tensors cannot be used in autograd, so work on a copy outside inference mode.
    with torch.inference_mode(False), torch.enable_grad(), evaluating(model):
        handle = module.register_forward_hook(keep)
        try:
            logits = model(image.detach().clone())[0]
        finally:
            handle.remove()
        chosen = int(logits.argmax()) if class_index is None else class_index
        if not 0 <= chosen < len(logits):
            raise UsageError(f"class {chosen} of {len(logits)}", hint=f"classes are numbered 0 to {len(logits) - 1}")
        [derivative] = torch.autograd.grad(logits[chosen], kept[-1], allow_unused=True)
    if derivative is None:
        raise UsageError(f"the class does not depend on layer {layer!r}", hint="`--layer list` shows the others")
    alpha = derivative.mean(dim=(2, 3), keepdim=True)
    heat = (alpha * kept[-1].detach()).sum(dim=1, keepdim=True).relu().float()
    heat = F.interpolate(heat, size=image.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    largest = heat.max()
    heat = heat / largest if largest > 0 else heat
    return np.asarray(heat.cpu().numpy()), chosen


def last_map(model: nn.Module, image: Tensor) -> str:
    """Return the name of the last layer to run whose map is larger than 1 x 1.

    Args:
        image: (1, C, H, W) float, as the model expects it.

    Raises:
        UsageError: the network has no such layer.
    """
    names = [layer.name for layer in run_order(model, image) if layer.shape[1] * layer.shape[2] > 1]
    if not names:
        raise UsageError(
            "no layer of this network outputs a map, so Grad-CAM does not apply", hint="use a convolutional network"
        )
    return names[-1]


def draw_cam(image: np.ndarray, heat: np.ndarray, *, title: str | None = None) -> np.ndarray:
    """Return the image beside a grey copy with the heat map over it, and a legend below both.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8.
        heat: (H, W) float in [0, 1], at the image's size.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: image and heat differ in size.
    """
    rgb = as_rgb(image)
    if rgb.shape[:2] != heat.shape:
        raise ValueError(f"an image of {rgb.shape[:2]} and heat of {heat.shape}")
    factor = max(1, round(VIEW_PX / max(heat.shape)))
    rgb = enlarge(rgb, factor)
    if factor > 1:  # the heat map is smooth; visible pixels would only distract
        heat = cv2.resize(heat, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
    pair = stack([rgb, overlay(rgb, heat)], is_row=True)
    bar = colour_bar(_palette(), "speaks less for the class", "more", width_px=120)
    picture = stack([pair, bar], gap=6)
    return add_title(picture, [title]) if title else picture


def overlay(rgb: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return a grey copy of an image with a heat map over it, (H, W, 3) uint8.

    The image is grey so that all colour is heat: on a red apple in colour, the hot end of the map would be
    indistinguishable from the apple. Where the heat is 0, the image's grey is unchanged.

    Args:
        rgb: (H, W, 3) uint8.
        heat: (H, W) float in [0, 1].
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[:, :, None]
    colours = _palette()[np.round(heat * 255).astype(np.uint8)]
    share = STRONGEST * heat[:, :, None]
    return np.asarray(np.round(grey * (1 - share) + colours * share), dtype=np.uint8)


def _palette() -> np.ndarray:
    """Return 256 colours from dark to bright, (256, 3) uint8."""
    levels = np.arange(256, dtype=np.uint8)[None]
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)[0])
