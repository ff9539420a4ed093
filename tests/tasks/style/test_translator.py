"""Generators between pixels: rounding, directions, and dropout that depends on seed and image alone."""

from __future__ import annotations

import torch
from torch import nn

from dlcli.tasks.style.translator import Generators, Translator, has_dropout, scaled, translate_with_dropout

PIXELS = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(2, 3, 16, 16)


class Times(nn.Module):
    """A generator that multiplies."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.factor


def test_every_pixel_value_comes_back_from_an_identity() -> None:
    assert torch.equal(Translator(nn.Identity())(PIXELS), PIXELS)
    assert (scaled(PIXELS).min(), scaled(PIXELS).max()) == (-1, 1)


def test_what_leaves_the_range_is_cut_there() -> None:
    found = Translator(Times(3.0))(PIXELS).flatten()
    assert (found.min(), found.max()) == (0, 255)
    assert found[:256][85 - 1] == 0 and found[:256][255 - 84] == 255


def test_a_generator_in_half_precision_answers_in_bytes() -> None:
    found = Translator(nn.Sequential(Times(1.0), nn.Identity()).to(torch.bfloat16))(PIXELS)
    assert found.dtype == torch.uint8


def test_both_directions_answer_in_their_order() -> None:
    both = Generators(nn.ModuleDict({"AtoB": Times(1.0), "BtoA": Times(-1.0)}))
    same, negative = both(PIXELS)
    assert torch.equal(same, PIXELS)
    assert torch.equal(negative, 255 - PIXELS)


def dropping() -> Translator:
    return Translator(nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3))).eval()


def test_only_a_network_that_drops_has_dropout() -> None:
    assert has_dropout(dropping()) and not has_dropout(Translator(Times(1.0)))


def test_dropout_depends_on_the_seed_and_the_image_and_leaves_everything_as_it_was() -> None:
    translator = dropping()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    together = translate_with_dropout(translator, PIXELS, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in translator.modules())
    assert torch.equal(together[0], together[1])  # equal images have equal noise, wherever they stand
    assert torch.equal(translate_with_dropout(translator, PIXELS[1:], seed=1)[0], together[1])
    assert not torch.equal(translate_with_dropout(translator, PIXELS, seed=2), together)
    assert not torch.equal(translator(PIXELS), together)
