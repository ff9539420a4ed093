"""The defaults of a training suit the model, and can be taken back to the published ones."""

from __future__ import annotations

import pytest

from dlcli.core.config import fields_of
from dlcli.core.train_config import TrainConfig
from dlcli.models.generative.residual import ResidualGenerator
from dlcli.tasks.style.building import build_networks, settle
from dlcli.tasks.style.config import StyleConfig
from dlcli.tasks.style.recipes import recipe


def config_of(**given):
    own = {info.name for info in fields_of(StyleConfig)}
    chosen = {name: value for name, value in recipe("domains", given).items() if name in own}
    return settle(StyleConfig(**{**chosen, **given}))


def test_every_default_is_an_option():
    known = {info.name for info in (*fields_of(StyleConfig), *fields_of(TrainConfig))}
    assert recipe("domains", {}).keys() <= known


def test_generators_of_unpaired_images_start_from_their_input_and_those_of_pairs_do_not():
    by_model = {model: build_networks(config_of(model=model, width=4)) for model in ("cyclegan", "pix2pix")}
    kinds = {
        model: {isinstance(each, ResidualGenerator) for each in networks["generators"].values()}
        for model, networks in by_model.items()
    }
    assert kinds == {"cyclegan": {True}, "pix2pix": {False}}
    assert not any(
        isinstance(each, ResidualGenerator) for each in build_networks(settle(StyleConfig(width=4))).modules()
    )


@pytest.mark.parametrize("generator", ["resnet_6", "resnet_9", "unet"])
def test_the_defaults_suit_every_generator(generator):
    settled = config_of(generator=generator)
    assert settled.identity_weight == 0
    assert settled.upsampling == (None if generator == "unet" else "resize")
