"""Several batches through one network as one, where that changes nothing, and the critics' loss by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.generative.gan_losses import GAN_LOSSES
from dlcli.tasks.style.passes import critic_loss, mean_distance, mixes_images, passes


class Counted(nn.Sequential):
    """A network that counts its passes."""

    calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(images)


def network(norm: type[nn.Module]) -> Counted:
    torch.manual_seed(0)
    return Counted(nn.Conv2d(3, 4, 3, padding=1), norm(4), nn.Conv2d(4, 1, 1))


BATCHES = [torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(count)) for count in (2, 1, 3)]


@pytest.mark.parametrize(("norm", "calls"), [(nn.InstanceNorm2d, 1), (nn.Identity, 1), (nn.BatchNorm2d, 3)])
def test_passes_equal_single_ones_and_are_joined_unless_images_mix(norm: type[nn.Module], calls: int) -> None:
    joined = network(norm if norm is not nn.Identity else lambda _: nn.Identity())  # type: ignore[arg-type]
    single = network(norm if norm is not nn.Identity else lambda _: nn.Identity())  # type: ignore[arg-type]
    assert mixes_images(joined) == (calls == 3)
    for found, batch in zip(passes(joined, *BATCHES), BATCHES, strict=True):
        torch.testing.assert_close(found, single(batch))
    assert joined.calls == calls


def test_a_single_batch_is_passed_as_it_is() -> None:
    [found] = passes(network(nn.BatchNorm2d), BATCHES[0])
    torch.testing.assert_close(found, network(nn.BatchNorm2d)(BATCHES[0]))


def test_the_critics_loss_is_half_of_both_sides() -> None:
    critic = nn.Flatten()  # judges by the pixels themselves
    real, made = torch.tensor([[[[3.0]]]]), torch.tensor([[[[0.5]]]])
    assert float(critic_loss(critic, real, made, GAN_LOSSES["lsgan"])) == 0.5 * ((3 - 1) ** 2 + 0.5**2)
    right = critic_loss(critic, torch.tensor([[[[1.0]]]]), torch.tensor([[[[0.0]]]]), GAN_LOSSES["lsgan"])
    assert float(right) == 0


def test_a_distance_is_the_mean_of_absolute_differences_in_float32() -> None:
    made, wanted = torch.tensor([1.0, -1.0], dtype=torch.bfloat16), torch.tensor([0.0, 2.0])
    found = mean_distance(made, wanted)
    assert (float(found), found.dtype) == (2.0, torch.float32)
