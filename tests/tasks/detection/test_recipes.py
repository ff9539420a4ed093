"""Defaults by network, and by which weights are installed."""

from __future__ import annotations

import pytest

from dlcli.core.config import resolve, split_values
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.layers import cut_groups, stages_of
from dlcli.tasks.detection import recipes
from dlcli.tasks.detection.building import build_detector
from dlcli.tasks.detection.config import DetectionConfig
from dlcli.tasks.detection.networks import BODY, NETWORKS, SCRATCH_BODY
from dlcli.tasks.detection.recipes import BY_MODEL, FINE_TUNED_RATES, recipe


@pytest.fixture(params=[True, False], ids=["installed", "not installed"])
def installed(request, monkeypatch):
    monkeypatch.setattr(recipes, "is_installed", lambda name: request.param and name == BODY)
    return request.param


@pytest.mark.parametrize("given", [{}, {"pretrained": "none"}, *({"model": name} for name in [*NETWORKS, "fcos_x"])])
def test_every_option_of_a_recipe_exists_and_its_value_is_allowed(installed, given):
    own, shared = split_values(recipe("voc", given), DetectionConfig, TrainConfig, origin="recipe")
    resolve(DetectionConfig, [own])
    resolve(TrainConfig, [shared])


def test_every_network_has_a_recipe():
    assert set(BY_MODEL) == set(NETWORKS)


def test_weights_are_used_where_they_are_installed_and_only_their_body_is_frozen(installed):
    chosen = recipe("voc", {})
    assert chosen["backbone"] == (BODY if installed else SCRATCH_BODY)
    assert chosen.get("pretrained") == ("default" if installed else None)
    assert chosen["freeze_early"] == installed
    assert chosen["learning_rate"] == (FINE_TUNED_RATES if installed else 1e-3)


def test_without_pretraining_the_body_is_our_own_and_trains_whole(installed):
    chosen = recipe("voc", {"pretrained": "none"})
    assert chosen["backbone"] == SCRATCH_BODY
    assert "pretrained" not in chosen
    assert chosen["freeze_early"] is False
    assert chosen["learning_rate"] == 1e-3


@pytest.mark.parametrize("pretrained", [None, "none"])
@pytest.mark.parametrize("model", [name for name in NETWORKS if name != "wren"])
def test_only_wren_takes_its_own_body(installed, model, pretrained):
    chosen = recipe("voc", {"model": model} | ({"pretrained": pretrained} if pretrained else {}))
    assert chosen["backbone"] == BODY
    assert "freeze_early" not in chosen


@pytest.mark.parametrize("given", [{"backbone": BODY, "pretrained": "none"}, {"backbone": "resnet18"}])
def test_a_body_without_weights_trains_whole(installed, given):
    chosen = recipe("voc", given)
    assert "backbone" not in chosen
    assert chosen["freeze_early"] is False


def test_a_file_of_weights_is_for_the_body_that_is_pretrained(installed):
    chosen = recipe("voc", {"pretrained": "weights.pt"})
    assert chosen["backbone"] == BODY
    assert chosen["freeze_early"] is True
    assert chosen["learning_rate"] == FINE_TUNED_RATES


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v3_small", "peleenet"])
def test_the_rates_divide_wren_behind_its_backbone(backbone):
    detector = build_detector(DetectionConfig(model="wren", backbone=backbone, pretrained="none"), 2)
    groups = cut_groups(stages_of(detector), len(FINE_TUNED_RATES))
    own = [{stage.name.partition(".")[0] for stage in group} for group in groups]
    assert own == [{"backbone"}, {"neck", "head"}, {"head"}]
