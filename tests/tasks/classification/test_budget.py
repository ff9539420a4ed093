"""What a classifier offers to --budget."""

from __future__ import annotations

import pytest

from dlcli.core.registry import TASKS, load_object
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.recipes import recipe
from dlcli.tasks.classification.sizes import sizes


def test_the_registry_names_the_sizes():
    assert load_object(TASKS["classification"].sizes) is sizes


def test_airnet_offers_widths_from_the_narrowest_up_and_nothing_else_changes():
    config = ClassificationConfig(model="airnet", label_smoothing=0.2)
    offered = sizes(config)
    widths = [size.config.width for size in offered]
    assert widths == sorted(set(widths))
    assert [size.worthwhile_epochs for size in offered] == sorted(size.worthwhile_epochs for size in offered)
    assert all(2 <= size.worthwhile_epochs <= size.max_epochs <= 20 for size in offered)
    assert {(size.config.model, size.config.label_smoothing) for size in offered} == {("airnet", 0.2)}


@pytest.mark.parametrize("config", [{"model": "airnet", "width": 48}, {"model": "resnet"}])
def test_a_given_width_and_another_network_leave_only_the_epochs(config):
    assert not sizes(ClassificationConfig(**config))


def test_the_recipe_leaves_the_width_to_the_budget_and_gives_one_without_it():
    assert recipe("cifar10", {})["width"] == 32
    assert "width" not in recipe("cifar10", {"budget": "5m"})
