"""Networks by their options: what does not fit is refused with the name of the flag."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys.painted import small_config

from dlcli.core.errors import UsageError
from dlcli.models.detection.detector import Target
from dlcli.models.images.published import IMAGENET_PIXELS
from dlcli.tasks.detection.building import build_detector, canvas_of, pixels_of
from dlcli.tasks.detection.config import DetectionConfig
from dlcli.tasks.detection.networks import BODY

SSD = {"model": "ssd", "width": None, "backbone": "shufflenet_v2_x0_5"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": "yolo"}, "no detector 'yolo'"),
        ({"model": "wrenn"}, "no detector 'wrenn'"),
        ({"model": "detr", "freeze_early": True}, "^--freeze-early: detr"),
        ({"backbone": "wren", "freeze_early": True}, "^--freeze-early"),
        ({"model": "single", "box_loss": "ciou"}, "^--box-loss: single"),
        ({"backbone": "wren", "box_loss": "l1"}, "^--box-loss l1: wren"),
        ({"model": "ssd-lesson", "width": 32}, "^--width: ssd-lesson"),
        ({"model": "fcos_resnet50_fpn", "backbone": "resnet18", "width": None}, "^--backbone: torchvision"),
        ({"model": "fcos_resnet50_fpn", "width": 32, "backbone": None}, "^--width: torchvision"),
        ({"model": "fcos_resnet50_fpn", "width": None, "backbone": None, "pretrained": "default"}, "no weights"),
        ({"backbone": "wren", "pretrained": "default"}, "no weights"),
        ({"backbone": "vit_b_16"}, "vit_b_16 is not a network with maps"),
        ({"backbone": "resnet81"}, "resnet81"),
        ({"head": "pelee"}, "^--head: wren"),
        ({"class_loss": "focal"}, "^--class-loss: wren"),
        ({**SSD, "class_loss": "bce"}, "^--class-loss bce: ssd has no such value"),
        ({**SSD, "model": "ssd-lesson", "class_loss": "hard-negatives"}, "^--class-loss hard-negatives: ssd-lesson"),
        ({"query_groups": 1}, "^--query-groups: wren"),
        ({**SSD, "denoising": False}, "^--no-denoising: ssd"),
        ({"model": "fcos_resnet50_fpn", "backbone": None, "dense_targets": False}, "^--no-dense-targets: torchvision"),
        ({"model": "fcos_resnet50_fpn", "backbone": None, "box_loss": "giou"}, "^--box-loss: torchvision"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_a_way_out(options, reason):
    config = small_config(**{"width": None, **options})
    with pytest.raises(UsageError, match=reason) as caught:
        build_detector(config, 2)
    assert caught.value.hint


def test_a_name_close_to_a_networks_is_suggested():
    with pytest.raises(UsageError) as caught:
        build_detector(small_config(model="wrenn"), 2)
    assert "'wren'" in (caught.value.hint or "")


def test_no_weights_are_looked_for_without_pretraining():
    for value in (None, "none"):
        config = DetectionConfig(backbone="efficientnet_lite0", pretrained=value)
        assert pixels_of(config) == IMAGENET_PIXELS
        build_detector(config, 2)


def test_networks_of_one_size_say_so():
    assert canvas_of(build_detector(small_config(), 2)) is None
    fixed = small_config(model="single", width=None, backbone="resnet18", image_size=224)
    assert canvas_of(build_detector(fixed, 2)) == (224, 224)


def test_a_network_gets_the_loss_of_boxes_that_was_chosen():
    images = torch.zeros(1, 3, 64, 64)
    target = Target(torch.tensor([[8.0, 8.0, 40.0, 30.0]]), torch.tensor([1]), None, torch.zeros(0, 4))
    losses = {}
    for name in ("default", "giou", "ciou"):
        torch.manual_seed(0)
        losses[name] = float(build_detector(small_config(box_loss=name), 2).losses(images, [target])["box"].detach())
    assert losses["default"] == losses["giou"] != losses["ciou"]


def test_ssd_gets_its_head_its_loss_of_classes_and_fitted_anchors():
    built = build_detector(small_config(**SSD, head="pelee", class_loss="focal"), 2)
    assert [type(block).__name__ for block in built.blocks] == ["ResidualBlock"] * 5
    assert built.class_loss == "focal"
    plain = build_detector(small_config(**SSD), 2)
    assert (len(plain.blocks), plain.class_loss) == (6, "hard-negatives")
    sizes = np.random.default_rng(0).uniform(5, 9, (50, 2))
    fitted = build_detector(small_config(**SSD), 2, box_sizes=sizes)
    own = plain.per_map[0]
    assert not torch.equal(fitted.shapes[:own], plain.shapes[:own])
    assert torch.equal(fitted.shapes[own:], plain.shapes[own:]), "no box is so large"


def test_each_help_of_detrs_training_can_be_switched_off():
    base = {"model": "detr", "backbone": "shufflenet_v2_x0_5", "width": 32}
    usual = build_detector(small_config(**base), 2)
    assert (usual.num_groups, usual.has_noise, usual.is_dense) == (3, True, True)
    less = {"query_groups": 1, "denoising": False, "dense_targets": False}
    bare = build_detector(small_config(**base, **less), 2)
    assert (bare.num_groups, bare.has_noise, bare.is_dense) == (1, False, False)


def test_fitted_anchors_are_refused_by_networks_without_anchors_of_their_own():
    for name, backbone in (("wren", "wren"), ("detr", BODY), ("ssd-lesson", BODY), ("fcos_resnet50_fpn", None)):
        config = small_config(model=name, backbone=backbone, width=None, anchors="kmeans")
        with pytest.raises(UsageError, match="--anchors"):
            build_detector(config, 2, box_sizes=np.ones((9, 2)))
