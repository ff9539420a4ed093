"""How torchvision's networks are fitted to small images and to one channel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.images.small_stem import FAMILIES, Family, family_of, keep_resolution, set_in_channels, stem_name
from dlcli.models.images.stem import SMALL_IMAGE, ImageSizeError
from dlcli.models.images.zoo import classifier_names


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("resnet18", "resnet"),
        ("wide_resnet50_2", "wide_resnet"),
        ("mobilenet_v3_small", "mobilenet_v3_small"),
        ("mobilenet_v2", "mobilenet_v2"),
        ("efficientnet_v2_s", "efficientnet_v2"),
        ("efficientnet_b7", "efficientnet_b"),
    ],
)
def test_the_beginning_of_a_name_tells_its_family(name: str, prefix: str) -> None:
    assert family_of(name, 32) is FAMILIES[prefix]


def test_every_classifier_but_the_transformers_has_a_family() -> None:
    without = {name.split("_")[0] for name in classifier_names() if not name.startswith(tuple(FAMILIES))}
    assert without <= {"vit", "maxvit"}


@pytest.mark.parametrize("name", ["vit_b_16", "unheard_of"])
def test_an_unknown_family_runs_on_large_images_alone(name: str) -> None:
    assert family_of(name, SMALL_IMAGE + 1) == Family()
    with pytest.raises(UsageError, match=f"{name} .* {SMALL_IMAGE} pixels") as caught:
        family_of(name, SMALL_IMAGE)
    assert "--image-size 224" in str(caught.value.hint)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_least_sizes_are_inclusive_and_one_pixel_less_is_refused(name: str) -> None:
    family = FAMILIES[name]
    for least, largest in ((family.min_small, SMALL_IMAGE), (family.min_large, 10_000)):
        assert family_of(name, least) is family_of(name, largest) is family
    if family.min_small > 1:
        with pytest.raises(ImageSizeError, match=f"at least {family.min_small} x {family.min_small}") as caught:
            family_of(name, family.min_small - 1)
        assert str(family.min_small) in str(caught.value.hint)


def test_strides_are_undone_layer_by_layer() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 6, 3, stride=2, padding=1)
    )
    weight = model[2].weight
    keep_resolution(model, ("0", "1", "2"))
    assert model(torch.randn(2, 3, 10, 14)).shape == (2, 6, 10, 14)
    assert (model[0].kernel_size, model[0].bias is None) == ((3, 3), False)
    assert model[2].weight is weight  # a small kernel keeps its weights


def test_a_large_kernel_without_a_bias_gets_none() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 11, stride=4, bias=False))
    keep_resolution(model, ("0",))
    assert model[0].bias is None


def test_a_layer_without_a_stride_is_a_fault_of_the_table() -> None:
    with pytest.raises(TypeError, match="0 is a Linear"):
        keep_resolution(nn.Sequential(nn.Linear(2, 2)), ("0",))


def test_the_stem_is_the_first_convolution_however_deep() -> None:
    inner = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1))
    assert stem_name(nn.Sequential(nn.Identity(), inner, nn.Conv2d(2, 2, 1))) == "1.1"


@pytest.mark.parametrize("bias", [True, False])
def test_other_channels_change_nothing_but_the_first_weights(bias: bool) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, (5, 3), (2, 1), (2, 0), bias=bias), nn.Conv2d(8, 2, 1))
    before, last = model(torch.zeros(1, 3, 12, 9)).shape, model[1]
    set_in_channels(model, 1)
    assert model(torch.zeros(1, 1, 12, 9)).shape == before
    assert (model[0].kernel_size, model[0].stride, model[0].padding) == ((5, 3), (2, 1), (2, 0))
    assert (model[0].bias is None) is not bias
    assert model[1] is last


def test_as_many_channels_as_there_are_leave_the_layer_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    stem = model[0]
    set_in_channels(model, 3)
    assert model[0] is stem


def test_new_stems_keep_the_scale_of_a_normalised_image() -> None:
    model = nn.Sequential(nn.Conv2d(3, 512, 7))
    set_in_channels(model, 1)
    answers = model(torch.randn(4, 1, 20, 20)).detach()
    assert float(answers.std()) == pytest.approx(1, rel=0.15)
