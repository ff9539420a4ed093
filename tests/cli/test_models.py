"""`dl models NAME` looks into every network of every task, at the size that its task makes it in."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from dlcli.core.errors import ExitCode
from dlcli.core.networks import find_owner, networks_of, zoo_names, zoos
from dlcli.core.registry import TASKS, load_object
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.layers import layer_rates
from dlcli.engine.task import HasNetwork, network_of

COUNTED = "ngram"
"""Counts of texts, which are made for texts and are no graph of layers."""

OWN = [
    (spec.name, name)
    for spec in TASKS.values()
    for name in networks_of(spec)
    if find_owner(name) == spec and name != COUNTED  # of a name that several tasks have, the first one's is shown
]


@pytest.mark.parametrize(("task", "name"), OWN)
def test_every_network_is_shown_with_layers_that_account_for_its_parameters(task: str, name: str, dl: Any) -> None:
    answer = dl("models", name, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    owner = find_owner(name)
    assert owner is not None
    made = load_object(owner.task).from_network(name, {})
    assert found["parameters"] == sum(parameter.numel() for parameter in network_of(made).parameters())
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    assert (found["multiply_adds"] > 0) == (name != "tfidf")  # which looks weights up
    assert len(found["layers"]) > 1
    assert found["source"] == networks_of(TASKS[task])[name].source
    for stage in found["stages"][1:]:
        layer_rates(network_of(made), TrainConfig(freeze=stage))  # raises an error where there is no such stage
    assert not (found["stages"] and isinstance(made, HasNetwork))  # generators and critics learn as a whole


def test_a_table_of_counts_has_no_layers_to_show(dl: Any) -> None:
    answer = dl("models", COUNTED)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "") and "no graph" in answer.err


def test_a_size_is_that_of_the_network_that_is_made(dl: Any) -> None:
    sizes = ("--image-size", "64", "--channels", "1", "--num-classes", "7")
    found = json.loads(dl("models", "resnet", *sizes, "--json").out)
    assert found["image_size"] == 64
    assert found["layers"][-1]["output_shape"] == [7]
    usual = json.loads(dl("models", "resnet", "--json").out)
    assert usual["image_size"] == 32
    # Other first filters and another head, nothing else.
    assert usual["parameters"] - found["parameters"] == 2 * 9 * 32 + 3 * 513


@pytest.mark.parametrize("words", [("lstm", "--image-size", "8"), ("mlp", "--num-classes", "3")])
def test_a_size_that_a_network_does_not_have_is_refused(words: tuple[str, ...], dl: Any) -> None:
    answer = dl("models", *words)
    assert answer.code == 2
    assert f"{words[1]}: {words[0]} has no such size" in answer.err


def test_the_networks_of_a_library_are_listed_and_shown_with_their_task(dl: Any) -> None:
    listed = json.loads(dl("models", "--all", "--json").out)["models"]
    found = list(zoos())
    assert {spec.name for spec, _ in found} >= {"classification", "detection"}
    for spec, zoo in found:
        others = [model["name"] for model in listed if (model["source"], model["task"]) == (zoo.source, spec.name)]
        assert others == list(zoo_names(zoo))
    found = json.loads(dl("models", "squeezenet1_1", "--image-size", "64", "--json").out)
    assert (found["source"], found["image_size"]) == ("torchvision", 64)
    assert find_owner("squeezenet1_1") is TASKS["classification"]
    assert find_owner("fcos_resnet50_fpn") is TASKS["detection"]
    assert "torchvision" in dl("models").err


def test_the_first_task_that_has_a_name_owns_it() -> None:
    assert find_owner("lstm") is TASKS["sentiment"]
    assert find_owner("no-such-network") is None


def test_a_network_with_several_inputs_counts_its_recurrent_products() -> None:
    from dlcli.models.summary import summarise

    for layer in (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN):
        model = layer(8, 16, batch_first=True)
        summary = summarise(
            model, torch.zeros(2, 11, 8), *([torch.zeros(1, 1, 16)] if layer is not torch.nn.LSTM else [])
        )
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[layer.__name__]
        assert summary.multiply_adds == 11 * gates * 16 * (8 + 16)
        assert summary.receptive_field is None
