"""Grad-CAM against examples worked by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.visualize.cam import STRONGEST, draw_cam, grad_cam, last_map, overlay
from dlcli.visualize.canvas import as_rgb, enlarge


class TwoMaps(nn.Module):
    """Maps that are the image and its double, and logits that weigh each position of each map."""

    def __init__(self, in_place: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False)
        self.relu = nn.ReLU(inplace=True) if in_place else nn.Identity()
        self.head = nn.Linear(8, 2, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1))
            # Class 0: derivative 1, 2, 3, 6 on the first map (mean 3), -1 everywhere on the second (mean -1).
            self.head.weight.copy_(torch.tensor([[1.0, 2, 3, 6, -1, -1, -1, -1], [0.0] * 4 + [1.0] * 4]))

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.head(self.relu(self.conv(images)).flatten(1))
        return answer


IMAGE = torch.tensor([[1.0, -2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)


def test_heat_equals_the_example_by_hand() -> None:
    # 3 A_1 - A_2 = 3 x - 2 x = x, without its negative part, over its largest value 4.
    heat, chosen = grad_cam(TwoMaps(), IMAGE, layer="conv", class_index=0)
    np.testing.assert_allclose(heat, np.array([[1, 0], [3, 4]]) / 4)
    assert chosen == 0


def test_class_of_the_largest_logit_is_the_default() -> None:
    # Logit 0: 1 - 4 + 9 + 24 - 12 = 18; logit 1: 12.
    assert grad_cam(TwoMaps(), IMAGE)[1] == 0
    assert grad_cam(TwoMaps(), -IMAGE)[1] == 1


def test_layer_that_works_in_place_does_not_change_the_maps_before_it() -> None:
    # The derivative passes only where relu does; A itself keeps its -2 (and would be 0 after the relu).
    heat, _ = grad_cam(TwoMaps(in_place=True), IMAGE, layer="conv", class_index=0)
    alpha_1, alpha_2 = (1 + 3 + 6) / 4, -3 / 4
    expected = np.maximum(0, (alpha_1 + 2 * alpha_2) * IMAGE[0, 0].numpy())
    np.testing.assert_allclose(heat, expected / expected.max())


def test_frozen_weights_and_inference_tensors_give_the_same() -> None:
    model = TwoMaps().requires_grad_(False)
    with torch.inference_mode():
        image = IMAGE.clone()
        heat, _ = grad_cam(model, image, layer="conv", class_index=0)
    np.testing.assert_allclose(heat, np.array([[1, 0], [3, 4]]) / 4)


def test_model_is_left_as_it_was() -> None:
    model = TwoMaps().train()
    grad_cam(model, IMAGE)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(not module._forward_hooks for module in model.modules())


def test_where_nothing_speaks_for_the_class_the_heat_is_zero() -> None:
    heat, _ = grad_cam(TwoMaps(), -IMAGE.abs(), layer="conv", class_index=1)
    assert heat.max() == 0


def test_default_layer_is_the_last_whose_map_is_larger_than_one_position() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)
    )
    assert last_map(model, torch.zeros(1, 1, 8, 8)) == "2"
    heat, _ = grad_cam(model, torch.rand(1, 1, 8, 8))
    assert heat.shape == (8, 8)
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_wrong_layer_class_and_network_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="no layer 'cnv'") as caught:
        grad_cam(TwoMaps(), IMAGE, layer="cnv")
    assert caught.value.hint == "did you mean 'conv'?"
    with pytest.raises(UsageError, match="class 2 of 2"):
        grad_cam(TwoMaps(), IMAGE, class_index=2)
    with pytest.raises(UsageError, match="does not apply"):
        grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), IMAGE)


def test_overlay_is_grey_where_there_is_no_heat_and_coloured_where_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    heat = np.zeros((6, 6))
    heat[2, 3] = 1
    drawn = overlay(image, heat)
    is_grey = (drawn == drawn[:, :, :1]).all(axis=2)
    assert np.array_equal(is_grey, heat == 0)


def test_original_stands_beside_the_heat_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    picture = draw_cam(image, np.zeros((320, 320)))
    assert np.array_equal(picture[:320, :320], image)
    with pytest.raises(ValueError, match="heat of"):
        draw_cam(image, np.zeros((10, 10)))


def test_heat_of_a_linear_head_over_the_mean_equals_the_class_activation_map() -> None:
    # Zhou et al. 2016 (arXiv:1512.04150): of a mean over the map and a linear layer, alpha_k is w_k / (H W).
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
    image = torch.randn(1, 3, 9, 11)
    for index in range(4):
        heat, _ = grad_cam(model, image, layer="0", class_index=index)
        with torch.no_grad():
            expected = torch.einsum("k,khw->hw", model[3].weight[index], model[0](image)[0]).relu()
            expected = F.interpolate(expected[None, None], size=(9, 11), mode="bilinear", align_corners=False)[0, 0]
        np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_heat_does_not_depend_on_the_scale_of_the_logits() -> None:
    model = TwoMaps()
    before, _ = grad_cam(model, IMAGE, layer="conv", class_index=0)
    with torch.no_grad():
        model.head.weight.mul_(1e4)
    np.testing.assert_allclose(grad_cam(model, IMAGE, layer="conv", class_index=0)[0], before)


def test_one_image_is_explained_at_a_time() -> None:
    with pytest.raises(ValueError, match="2"):
        grad_cam(TwoMaps(), torch.zeros(2, 1, 2, 2))


@pytest.mark.parametrize("index", [-1, 2])
def test_a_class_that_there_is_not_is_refused_with_the_numbers_that_there_are(index: int) -> None:
    with pytest.raises(UsageError, match=f"class {index} of 2") as caught:
        grad_cam(TwoMaps(), IMAGE, class_index=index)
    assert "0 to 1" in str(caught.value.hint)


class Unused(nn.Module):
    """A layer with a map that the logits do not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused, self.head = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        self.unused(images)
        answer: Tensor = self.head(self.used(images).flatten(1))
        return answer


def test_a_layer_that_the_class_does_not_depend_on_is_refused() -> None:
    with pytest.raises(UsageError, match="'unused'") as caught:
        grad_cam(Unused(), IMAGE, layer="unused")
    assert "--layer list" in str(caught.value.hint)


def test_overlay_is_the_stated_mixture_of_grey_and_heat() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 3), dtype=np.uint8)
    heat = np.linspace(0, 1, 256)[None]
    grey = image @ np.array([0.299, 0.587, 0.114])
    levels = np.arange(256, dtype=np.uint8)[None]
    inferno = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[0, :, ::-1]
    share = STRONGEST * heat[0, :, None]
    expected = grey[0, :, None] * (1 - share) + inferno * share
    np.testing.assert_allclose(overlay(image, heat)[0], expected, atol=1.01)


@pytest.mark.parametrize(
    ("shape", "factor"), [((32, 32, 3), 10), ((28, 28), 11), ((200, 100, 1), 2), ((700, 500, 3), 1)]
)
def test_a_small_image_is_enlarged_by_a_whole_factor(shape: tuple[int, ...], factor: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = draw_cam(image, np.zeros(shape[:2]))
    height, width = (side * factor for side in shape[:2])
    left = (picture.shape[1] - 2 * width - 8) // 2
    assert np.array_equal(picture[:height, left : left + width], enlarge(as_rgb(image), factor))


def test_a_title_stands_above_the_pictures() -> None:
    image, heat = np.zeros((8, 8), np.uint8), np.zeros((8, 8))
    plain, titled = draw_cam(image, heat), draw_cam(image, heat, title="猫 1: cat")
    assert len(titled) > len(plain)
    assert np.array_equal(titled[-len(plain) :], plain)
