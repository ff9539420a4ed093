"""The table of networks: every one is there and takes the default sizes of its data."""

from __future__ import annotations

import inspect

import pytest

from dlcli.core.registry import load_object
from dlcli.tasks.classes.image_networks import NETWORKS, ZOO, default_sizes


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_plain_sizes_and_its_defaults_are_the_tables(name):
    parameters = inspect.signature(load_object(NETWORKS[name].build)).parameters
    sizes = default_sizes(name)
    assert {"num_classes", "in_channels", "image_size"} <= set(parameters)
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert parameters["image_size"].default == sizes["image_size"]
    assert parameters["in_channels"].default == sizes["channels"]
    assert parameters["num_classes"].default is inspect.Parameter.empty


def test_a_network_of_the_zoo_is_of_imagenets_sizes():
    assert "resnet18" in load_object(ZOO.names)()
    assert default_sizes("resnet18") == {"image_size": 224, "channels": 3, "num_classes": 1000}


def test_no_network_of_our_own_hides_one_of_the_zoo():
    assert not set(NETWORKS) & set(load_object(ZOO.names)())
