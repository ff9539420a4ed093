from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.models.images.views import OverViews, logits_over_views


class Recorder(nn.Module):
    """Answers with its pixels, and keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return images.float().flatten(1)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 5))


def test_an_image_and_its_mirror_image_get_the_same_answer() -> None:
    model, images = network(), torch.randn(3, 3, 8, 8)
    _, mean = logits_over_views(model, images, mirror=True)
    _, of_mirrored = logits_over_views(model, images.flip(-1), mirror=True)
    torch.testing.assert_close(mean, of_mirrored)


def test_the_first_answer_is_that_without_views() -> None:
    model, images = network(), torch.randn(3, 3, 8, 8)
    plain, mean = logits_over_views(model, images, mirror=True)
    torch.testing.assert_close(plain, model(images))
    assert not torch.allclose(plain, mean)


@pytest.mark.parametrize(("mirror", "count"), [(True, 6), (False, 3)])
def test_the_views_are_shifted_by_a_pixel_and_reflected(mirror: bool, count: int) -> None:
    images, recorder = torch.randn(2, 3, 6, 8), Recorder()
    logits_over_views(recorder, images, mirror=mirror)
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    expected = [padded[:, :, 2:, 2:], images, padded[:, :, :-2, :-2]]
    assert len(recorder.seen) == count
    for view, seen in zip(expected, recorder.seen[:: count // 3], strict=True):
        assert torch.equal(view, seen)


def test_the_weights_are_a_half_in_place_and_a_quarter_for_each_shift() -> None:
    images = torch.zeros(1, 1, 5, 5)
    images[0, 0, 2, 2] = 1.0
    _, mean = logits_over_views(Recorder(), images, mirror=True)
    picture = mean.view(5, 5)
    assert picture[2, 2] == 0.5
    assert picture[1, 1] == picture[3, 3] == 0.25
    assert picture.sum() == 1


def test_pixels_may_be_whole_numbers() -> None:
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    plain, mean = logits_over_views(Recorder(), images, mirror=True)
    assert plain.dtype == mean.dtype == torch.float32


@pytest.mark.parametrize("mirror", [False, True])
def test_the_exported_module_answers_as_the_function(mirror: bool) -> None:
    model, images = network(), torch.randn(2, 3, 8, 8)
    for answer, expected in zip(
        OverViews(model, mirror=mirror)(images), logits_over_views(model, images, mirror=mirror), strict=True
    ):
        torch.testing.assert_close(answer, expected)


def test_a_network_that_sees_no_place_gives_the_mean_its_own_answer() -> None:
    images = torch.full((2, 3, 5, 5), 0.7)
    plain, mean = logits_over_views(Recorder(), images, mirror=True)
    torch.testing.assert_close(plain, mean)
