from __future__ import annotations

import dataclasses

import pytest
from tasks.style.conftest import PAIRS, SMALL, loop_options

from dlcli.core.errors import UsageError
from dlcli.tasks.style.building import check_training, settle
from dlcli.tasks.style.config import StyleConfig


def test_each_model_has_its_published_defaults():
    cyclegan, pix2pix = settle(StyleConfig()), settle(StyleConfig(model="pix2pix"))
    assert (cyclegan.gan_loss, cyclegan.cycle_weight, cyclegan.identity_weight, cyclegan.pool) == ("lsgan", 10, 0.5, 50)
    assert (cyclegan.learn, cyclegan.l1_weight) == (None, None)
    assert (pix2pix.generator, pix2pix.gan_loss, pix2pix.l1_weight, pix2pix.learn) == ("unet", "bce", 100, "AtoB")
    assert settle(cyclegan) == cyclegan


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dataclasses.replace(SMALL, learn="BtoA"), "--learn: cyclegan has no such option"),
        (dataclasses.replace(SMALL, l1_weight=1.0), "--l1-weight: cyclegan"),
        (dataclasses.replace(PAIRS, pool=3), "--pool: pix2pix"),
        (dataclasses.replace(PAIRS, identity_weight=0.0), "--identity-weight: pix2pix"),
        (dataclasses.replace(PAIRS, upsampling="resize"), "--upsampling: unet"),
        (dataclasses.replace(SMALL, image_size=130), "--image-size 130: resnet_6 needs a multiple of 4"),
        (dataclasses.replace(PAIRS, image_size=100), "--image-size 100: unet needs a multiple of 32"),
        (dataclasses.replace(SMALL, image_size=64, load_size=60), "--load-size 60: smaller than the crops"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(config, message):
    with pytest.raises(UsageError, match=message):
        settle(config)


@pytest.mark.parametrize("options", [{"freeze": "head"}, {"learning_rate": (1e-4, 1e-3)}])
def test_there_are_no_layers_to_freeze_or_to_train_slowly(options):
    check_training(loop_options())
    with pytest.raises(UsageError):
        check_training(loop_options(**options))
