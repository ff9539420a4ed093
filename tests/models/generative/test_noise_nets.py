from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.models.generative.dcgan import build_dcgan_critic, build_dcgan_generator, build_wasserstein_critic
from dlcli.models.generative.noise_nets import SIDES, doublings
from dlcli.models.generative.plain_gan import build_plain_critic, build_plain_generator

GENERATORS = (build_plain_generator, build_dcgan_generator)
CRITICS = (build_plain_critic, build_dcgan_critic, build_wasserstein_critic)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_dcgan_has_the_parameters_of_the_published_code_at_64_pixels():
    """PyTorch's example of DCGAN, 100 numbers of noise and 64 channels: 3,576,704 and 2,765,568.

    It has no biases on its outermost convolutions; here those whose outputs are not normed have one: 3 values in the
    generator, and 64 and 1 in the critic.
    """
    assert parameters(build_dcgan_generator(64, 3)) == 3_576_704 + 3
    assert parameters(build_dcgan_critic(64, 3)) == 2_765_568 + 64 + 1


def test_dcgan_has_the_layers_of_the_paper():
    generator, critic = build_dcgan_generator(32), build_dcgan_critic(32)
    kinds = [type(layer).__name__ for layer in generator.body]
    assert kinds == ["Unflatten", *["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 3, "ConvTranspose2d", "Tanh"]
    slopes = {layer.negative_slope for layer in critic.modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.2}
    assert not isinstance(critic.body[1], nn.BatchNorm2d)  # no norm on the pixels
    weights = torch.cat([m.weight.flatten() for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("size", [8, 20, 28])
@pytest.mark.parametrize("num_classes", [0, 3])
@pytest.mark.parametrize("build", GENERATORS)
def test_a_generator_makes_images_in_the_unit_range_from_every_draw_its_own(build, size, num_classes):
    torch.manual_seed(0)
    generator = build(size, 3, latent=5, width=8, num_classes=num_classes).eval()
    classes = (torch.arange(4) % num_classes,) if num_classes else ()
    with torch.no_grad():
        images = generator(torch.randn(4, 5), *classes)
    assert images.shape == (4, 3, size, size)
    assert images.abs().max() <= 1
    assert len({image.numpy().tobytes() for image in images}) == 4


@pytest.mark.parametrize("num_classes", [0, 3])
@pytest.mark.parametrize("build", CRITICS)
def test_a_critic_says_truly_whether_its_judgement_is_of_the_image_alone(build, num_classes):
    torch.manual_seed(0)
    critic = build(16, 1, width=8, num_classes=num_classes)  # in training mode
    images = torch.randn(6, 1, 16, 16)
    classes = (torch.arange(6) % num_classes,) if num_classes else ()
    together = critic(images, *classes)
    assert together.shape == (6,)
    alone = critic(images[:3], *(each[:3] for each in classes))
    assert torch.allclose(alone, together[:3], atol=1e-5) == critic.is_itemwise
    assert critic.is_itemwise == (build is not build_dcgan_critic)


@pytest.mark.parametrize("build", [*GENERATORS, *CRITICS])
def test_the_class_matters_to_a_conditional_network_alone(build):
    torch.manual_seed(0)
    is_generator = build in GENERATORS
    network = build(8, 1, width=8, num_classes=2).eval()
    inputs = torch.randn(2, 100) if is_generator else torch.randn(2, 1, 8, 8)
    first, second = (network(inputs, torch.full((2,), label)) for label in (0, 1))
    assert not torch.allclose(first, second)
    assert build(8, 1, width=8).classes is None


def test_a_conditional_critic_adds_the_product_of_features_and_class():
    torch.manual_seed(0)
    critic = build_wasserstein_critic(8, 1, width=4, num_classes=3)
    images, classes = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    features = critic.body(images)
    expected = critic.head(features)[:, 0] + torch.stack(
        [row @ critic.classes.weight[label] for row, label in zip(features, classes, strict=True)]
    )
    torch.testing.assert_close(critic(images, classes), expected)


def test_sides_double_from_a_map_of_4_to_7_pixels():
    assert {8, 28, 32, 64, 96, 128} <= set(SIDES)
    for side in SIDES:
        start, steps = doublings(side)
        assert start in (4, 5, 6, 7) and start * 2**steps == side
    for side in (0, 4, 7, 30, 100, 144, 256):
        with pytest.raises(UsageError, match=f"--size {side}"):
            doublings(side)
    with pytest.raises(UsageError) as caught:
        doublings(30)
    assert caught.value.hint == "use --size 28 or 32; images are scaled to it"
