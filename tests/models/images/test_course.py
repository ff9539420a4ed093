"""The networks of the beginners' course: each layer, the counts worked by hand, and state dicts of its scripts."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.heads import head_of
from dlcli.models.images.course import CourseCNN, CourseInception, CourseMLP, CourseMobileNet, CourseVGG
from dlcli.models.images.pretrained import expected_pixels, load_pretrained
from dlcli.models.images.stem import ImageSizeError

PHOTO = (CourseVGG, CourseMobileNet, CourseInception)
DIGIT = (CourseCNN, CourseMLP)


def convolutions(network: nn.Module) -> list[tuple[Any, ...]]:
    """Return channels, kernel, stride, padding, groups and whether there is a bias, of each convolution."""
    return [
        (
            *(module.in_channels, module.out_channels, module.kernel_size[0], module.stride[0], module.padding[0]),
            *(module.groups, module.bias is not None),
        )
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]


def plain(before: int, after: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> tuple[Any, ...]:
    return before, after, kernel, stride, padding, 1, True


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (CourseVGG, 4_672_650),
        (CourseMobileNet, 280_650),
        (CourseInception, 577_194),
        (CourseCNN, 63_626),
        (CourseMLP, 669_706),
    ],
)
def test_counts_are_the_courses(build: Any, count: int) -> None:
    assert sum(parameter.numel() for parameter in build(num_classes=10).parameters()) == count


def test_vgg_has_seven_convolutions_and_the_third_pool_is_padded() -> None:
    network = CourseVGG(num_classes=10)
    widths = [(3, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    assert convolutions(network) == [plain(*pair) for pair in widths]
    assert [pool.padding for pool in network.modules() if isinstance(pool, nn.MaxPool2d)] == [0, 0, 1, 0]
    assert (network.fc.in_features, network.fc.out_features) == (2048, 10)


def test_mobilenet_has_eight_separable_blocks_of_which_four_halve_the_map() -> None:
    expected = [plain(3, 32)]
    widths = [(32, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512)]
    for index, (before, after) in enumerate(widths):
        expected += [(before, before, 3, 1 + index % 2, 1, before, False), (before, after, 1, 1, 0, 1, False)]
    assert convolutions(CourseMobileNet(num_classes=10)) == expected


def test_inception_has_two_stems_and_two_modules_of_four_branches() -> None:
    expected = [plain(3, 64, 7, 2, 1), plain(64, 128, 3, 2, 1)]
    for before, width, reduced in ((128, 64, 16), (256, 96, 32)):
        expected += [plain(before, width, 1, 1, 0)]
        for kernel in (3, 5):
            expected += [plain(before, reduced, 1, 1, 0), plain(reduced, width, kernel, 1, kernel // 2)]
        expected += [plain(before, width, 3)]
    assert convolutions(CourseInception(num_classes=10)) == expected


def test_an_inception_module_is_its_branches_side_by_side() -> None:
    module = CourseInception(num_classes=10).eval().block3[0]
    features = torch.randn(2, 128, 7, 7)
    answer = module(features)
    assert answer.shape == (2, 256, 7, 7)
    assert torch.equal(answer[:, :64], module.branch1_conv(features))
    assert torch.equal(answer[:, 64:128], module.branch2_conv2(module.branch2_conv1(features)))
    assert torch.equal(answer[:, 128:192], module.branch3_conv2(module.branch3_conv1(features)))
    assert torch.equal(answer[:, 192:], module.branch4_conv(F.max_pool2d(features, 3, 1, 1)))


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize("build", PHOTO)
def test_averaging_changes_nothing_at_the_sizes_of_the_course(build: Any, side: int) -> None:
    # There the last map is flattened (VGG), or averaged over windows of 2x2 and then flattened.
    network, maps = build(num_classes=10).eval(), list[Tensor]()
    last = {CourseVGG: "max_pooling4", CourseMobileNet: "conv_dw9", CourseInception: "block4"}[build]
    network.get_submodule(last).register_forward_hook(lambda _, inputs, output: maps.append(output))
    with torch.no_grad():
        logits = network(torch.randn(2, 3, side, side))
        assert maps[0].shape[2:] == (2, 2)
        flat = maps[0] if build is CourseVGG else F.avg_pool2d(maps[0], 2)
        torch.testing.assert_close(logits, network.fc(flat.flatten(1)))


@pytest.mark.parametrize("side", [40, 65, 96])
@pytest.mark.parametrize("build", PHOTO)
def test_other_sizes_and_oblong_images_will_do(build: Any, side: int) -> None:
    network = build(num_classes=7, in_channels=1, image_size=side).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 1, side, side + 8)).shape == (2, 7)


@pytest.mark.parametrize("build", DIGIT)
def test_a_network_with_a_layer_over_the_whole_image_is_made_for_one_size(build: Any) -> None:
    network = build(num_classes=7, in_channels=3, image_size=9)
    assert network(torch.randn(2, 3, 9, 9)).shape == (2, 7)
    with pytest.raises(ImageSizeError, match="9 x 9 pixels, not 9 x 12"):
        network(torch.randn(2, 3, 9, 12))
    with pytest.raises(ImageSizeError, match="at least 8 x 8"):
        build(num_classes=7, image_size=7)


@pytest.mark.parametrize("build", PHOTO)
def test_too_small_images_are_refused(build: Any) -> None:
    with pytest.raises(ImageSizeError, match="at least 28 x 28 pixels, not 27"):
        build(num_classes=5, image_size=27)
    with pytest.raises(ValueError, match=r"takes images \(N, 3, H, W\)"):
        build(num_classes=5)(torch.zeros(2, 1, 32, 32))


@pytest.mark.parametrize("build", [*PHOTO, *DIGIT])
def test_the_head_is_found_and_every_parameter_learns(build: Any) -> None:
    network = build(num_classes=5, in_channels=3, image_size=28)
    assert head_of(network) is network.fc
    # Batch norm takes the biases before it out again, so they alone may get no gradient.
    images = torch.randn(4, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    F.cross_entropy(network(images), torch.arange(4)).backward()
    without = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert all(name.endswith("bias") for name in without)
    assert all(value.grad is not None for value in network.parameters())


def test_the_state_dict_of_the_courses_script_answers_as_there(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(1)
    norm = {"weight": torch.rand(32, generator=random), "bias": torch.randn(32, generator=random)}
    norm |= {"running_mean": torch.randn(32, generator=random), "running_var": torch.rand(32, generator=random) + 0.5}
    weights = {"conv.0.weight": torch.randn(32, 1, 5, 5, generator=random), "conv.0.bias": torch.zeros(32)}
    head = {"fc.weight": torch.randn(10, 6272, generator=random), "fc.bias": torch.randn(10, generator=random)}
    named = {f"conv.1.{name}": value for name, value in norm.items()}
    count = {"conv.1.num_batches_tracked": torch.tensor(9)}
    torch.save(OrderedDict(weights | named | count | head), tmp_path / "mnist_params.pkl")
    network = CourseCNN(num_classes=10).eval()
    load_pretrained(network, "course-cnn", str(tmp_path / "mnist_params.pkl"), 28, is_whole=True)
    images = torch.rand(3, 1, 28, 28, generator=random)
    maps = F.conv2d(images, weights["conv.0.weight"], padding=2)
    maps = F.batch_norm(maps, norm["running_mean"], norm["running_var"], norm["weight"], norm["bias"]).relu()
    expected = F.linear(F.max_pool2d(maps, 2).flatten(1), head["fc.weight"], head["fc.bias"])
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected)
    assert expected_pixels("course-cnn", str(tmp_path / "mnist_params.pkl")) == ((0.0,), (1.0,)), "only divided by 255"


def test_an_mlp_without_a_convolution_takes_weights_of_other_classes(tmp_path: Path) -> None:
    torch.save(CourseMLP(num_classes=10).state_dict(), tmp_path / "mlp.pth")
    network, fresh = CourseMLP(num_classes=3), CourseMLP(num_classes=10)
    load_pretrained(network, "course-mlp", str(tmp_path / "mlp.pth"), 28)
    load_pretrained(fresh, "course-mlp", str(tmp_path / "mlp.pth"), 28)
    assert torch.equal(network.hidden1[0].weight, fresh.hidden1[0].weight)
    assert network.fc.weight.shape == (3, 512)


def test_names_are_those_of_the_courses_scripts() -> None:
    children = {build: [name for name, _ in build(num_classes=10).named_children()] for build in PHOTO}
    assert [name for name in children[CourseVGG] if name.startswith("conv")] == [
        *("conv1", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2")
    ]
    assert children[CourseMobileNet] == ["conv1", *(f"conv_dw{index}" for index in range(2, 10)), "fc"]
    assert children[CourseInception] == [*(f"block{index}" for index in range(1, 5)), "fc"]
    module = CourseInception(num_classes=10).block4[0]
    assert [name for name, _ in module.named_children()] == [
        *("branch1_conv", "branch2_conv1", "branch2_conv2"),
        *("branch3_conv1", "branch3_conv2", "branch4_pool", "branch4_conv"),
    ]
