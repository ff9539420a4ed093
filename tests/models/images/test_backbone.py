from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object
from dlcli.models.heads import head_name
from dlcli.models.images.backbone import FAMILIES, OWN, Backbone, build_backbone, layout_of
from dlcli.models.images.zoo import build_torchvision

# The maps that each classifier computes: network -> stride -> the layer whose output it is, and its channels.
MAPS = {
    "resnet": {4: ("layer1", 64), 8: ("layer2", 128), 16: ("layer3", 256), 32: ("layer4", 512)},
    "mobilenet": {2: ("layer1", 32), 4: ("layer2", 64), 8: ("layer3", 128), 16: ("layer4", 256), 32: ("layer5", 512)},
    "vgg": {1: ("layer1.0", 64), 2: ("layer2.0", 128), 8: ("layer4.1", 512), 16: ("layer4", 512)},
    "inception": {4: ("stem.3", 96), 8: ("layer1.1", 240), 16: ("layer2.4", 416), 32: ("layer3", 512)},
    "peleenet": {4: ("layer1.3", 128), 8: ("layer2.4", 256), 16: ("layer3.8", 512), 32: ("layer4", 704)},
    "efficientnet_lite0": {4: ("stage2", 24), 8: ("stage3", 40), 16: ("stage5", 112), 32: ("stage7", 320)},
    "resnet18": {2: ("relu", 64), 4: ("layer1", 64), 8: ("layer2", 128), 16: ("layer3", 256), 32: ("layer4", 512)},
    "shufflenet_v2_x0_5": {4: ("maxpool", 24), 8: ("stage2", 48), 16: ("stage3", 96), 32: ("stage4", 192)},
    "mobilenet_v3_small": {8: ("features.3", 24), 16: ("features.8", 48), 32: ("features.11", 96)},
    "mnasnet0_5": {4: ("layers.8", 16), 8: ("layers.9", 24), 16: ("layers.11", 48), 32: ("layers.13", 160)},
    "regnet_y_400mf": {4: ("trunk_output.block1", 48), 32: ("trunk_output.block4", 440)},
}
MAPS_OF_LARGE = {
    "mobilenet_v2": {4: ("features.3", 24), 8: ("features.6", 32), 16: ("features.13", 96), 32: ("features.17", 320)},
    "efficientnet_b0": {4: ("features.2", 24), 8: ("features.3", 40), 16: ("features.5", 112), 32: ("features.7", 320)},
    "efficientnet_v2_s": {8: ("features.3", 64), 16: ("features.5", 160), 32: ("features.6", 256)},
    "densenet121": {
        4: ("features.denseblock1", 256),
        16: ("features.denseblock3", 1024),
        32: ("features.denseblock4", 1024),
    },
    "resnext50_32x4d": {4: ("layer1", 256), 32: ("layer4", 2048)},
    "wide_resnet50_2": {4: ("layer1", 256), 32: ("layer4", 2048)},
    "vgg11": {4: ("features.9", 256), 8: ("features.14", 512), 16: ("features.19", 512), 32: ("features.20", 512)},
    "convnext_tiny": {4: ("features.1", 96), 8: ("features.3", 192), 16: ("features.5", 384), 32: ("features.7", 768)},
    "swin_t": {4: ("features.1", 96), 8: ("features.3", 192), 16: ("features.5", 384), 32: ("features.7", 768)},
    "swin_v2_t": {4: ("features.1", 96), 32: ("features.7", 768)},
}
CASES = [*MAPS, *(pytest.param(name, marks=pytest.mark.slow) for name in MAPS_OF_LARGE)]


def _classifier(name: str, image_size: int = 224) -> nn.Module:
    if name in OWN:
        network: nn.Module = load_object(OWN[name].build)(num_classes=2, image_size=image_size)
        return network.eval()
    return build_torchvision(name, num_classes=2, image_size=image_size).eval()


def _outputs(network: nn.Module, layers: Mapping[int, str], images: Tensor) -> dict[int, Tensor]:
    """Return what the classifier's own layers return for the images, by stride."""
    seen: dict[int, Tensor] = {}
    hooks = [
        network.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output, stride=stride: seen.update({stride: output.clone()})
        )
        for stride, layer in layers.items()
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:  # the backbone takes over the layers
        hook.remove()
    return seen


@pytest.mark.parametrize("name", CASES)
def test_maps_are_the_classifiers_own_at_any_size(name: str) -> None:
    wanted, network = (MAPS | MAPS_OF_LARGE)[name], _classifier(name)
    images = torch.randn(1, 3, 97, 66)
    seen = _outputs(network, {stride: layer for stride, (layer, _) in wanted.items()}, images)
    backbone = Backbone(network, layout_of(name), strides=tuple(wanted)).eval()
    assert backbone.out_channels == {stride: channels for stride, (_, channels) in wanted.items()}
    with torch.no_grad():
        maps = backbone(images)
    assert len(maps) == len(wanted)
    for (stride, channels), given in zip(backbone.out_channels.items(), maps, strict=True):
        assert (given.shape[1], given.shape[2] in (97 // stride, -(-97 // stride))) == (channels, True)
        theirs = seen[stride].permute(0, 3, 1, 2) if layout_of(name).has_channels_last else seen[stride]
        torch.testing.assert_close(given, theirs, rtol=0, atol=0)


def test_every_family_is_compared() -> None:
    compared = MAPS | MAPS_OF_LARGE
    assert [prefix for prefix in FAMILIES if not any(name.startswith(prefix) for name in compared)] == []
    assert [
        name for name in OWN if name.rstrip("0123456789") not in {each.rstrip("0123456789") for each in compared}
    ] == []


@pytest.mark.parametrize(
    ("name", "strides"), [("resnet18", (8, 16)), ("efficientnet_lite0", (8, 16)), ("peleenet", None)]
)
def test_no_parameter_is_unused(name: str, strides: tuple[int, ...] | None) -> None:
    backbone = build_backbone(name, in_channels=1, strides=strides).eval()
    sum(each.square().sum() for each in backbone(torch.randn(1, 1, 64, 64))).backward()
    assert [key for key, parameter in backbone.named_parameters() if parameter.grad is None] == []


def test_only_the_stages_that_are_needed_are_built_and_later_ones_do_not_matter() -> None:
    torch.manual_seed(0)
    whole = build_backbone("efficientnet_lite0").eval()
    torch.manual_seed(0)
    part = build_backbone("efficientnet_lite0", strides=(16, 4)).eval()
    assert (whole.stage_strides, part.stage_strides, part.strides) == ((2, 4, 8, 16, 32), (2, 4, 8, 16), (4, 16))
    images = torch.randn(1, 3, 70, 64)
    with torch.no_grad():
        maps = dict(zip(whole.strides, whole(images), strict=True))
        for stride, given in zip(part.strides, part(images), strict=True):
            torch.testing.assert_close(given, maps[stride])


def test_stages_before_one_can_be_frozen() -> None:
    backbone = build_backbone("resnet18")
    backbone.stages[:3].requires_grad_(False)
    maps = dict(zip(backbone.strides, backbone(torch.randn(1, 3, 64, 64)), strict=True))
    assert {stride: each.requires_grad for stride, each in maps.items()} == {
        stride: stride > 8 for stride in backbone.strides
    }


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mobilenet", "efficientnet_lite0"])
def test_small_images_have_smaller_strides(name: str) -> None:
    assert build_backbone(name, image_size=32).stage_strides[0] == 1


def test_weights_are_loaded_and_the_head_does_not_matter(tmp_path: Path) -> None:
    trained = _classifier("resnet18")
    torch.save(trained.state_dict(), tmp_path / "w.pth")
    backbone = build_backbone("resnet18", pretrained=str(tmp_path / "w.pth"))
    assert all(torch.equal(a, b) for a, b in zip(backbone.parameters(), trained.parameters(), strict=False))
    in_head = sum(parameter.numel() for parameter in trained.get_submodule(head_name(trained)).parameters())
    count = sum(parameter.numel() for parameter in backbone.parameters())
    assert count == sum(parameter.numel() for parameter in trained.parameters()) - in_head


def test_measuring_leaves_statistics_and_mode_alone() -> None:
    backbone = build_backbone("shufflenet_v2_x0_5")
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(norm.training and norm.num_batches_tracked == 0 for norm in norms)


@pytest.mark.parametrize(
    "name", ["vit_b_16", "maxvit_t", "inception_v3", "squeezenet1_0", "alexnet", "lenet", "airnet"]
)
def test_network_without_maps_by_stride_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is not a network with maps by stride"):
        build_backbone(name)


def test_misspelt_network_and_missing_stride_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        build_backbone("resnet19")
    assert "resnet18" in str(caught.value.hint)
    with pytest.raises(UsageError, match="vgg built for 224 pixels: no map of stride 32, only of 1, 2, 4, 8, 16"):
        build_backbone("vgg", strides=(16, 32))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
def test_traced_backbone_gives_the_same_maps(name: str) -> None:
    backbone, images = build_backbone(name, strides=(8, 16)).eval(), torch.randn(1, 3, 70, 64)
    traced = torch.jit.trace(backbone, images, check_trace=False)
    with torch.no_grad():
        for ours, theirs in zip(backbone(images), traced(images), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
def test_exported_backbone_takes_images_of_any_size() -> None:
    backbone = build_backbone("resnet18", strides=(8, 16)).eval()
    sizes = ({0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},)
    exported = torch.export.export(backbone, (torch.randn(2, 3, 96, 128),), dynamic_shapes=sizes).module()
    images = torch.randn(3, 3, 97, 130)
    with torch.no_grad():
        for ours, theirs in zip(backbone(images), exported(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_onnx_file_gives_the_same_maps(tmp_path: Path) -> None:
    import onnxruntime

    backbone, images = build_backbone("efficientnet_lite0", strides=(8, 16)).eval(), torch.randn(1, 3, 70, 64)
    torch.onnx.export(backbone, (images,), tmp_path / "b.onnx", dynamo=True, verbose=False)
    maps = onnxruntime.InferenceSession(tmp_path / "b.onnx").run(None, {"images": images.numpy()})
    with torch.no_grad():
        for ours, theirs in zip(backbone(images), maps, strict=True):
            torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-3, atol=1e-4)
