"""Every place of code that the built-in tasks, datasets and networks name exists, and is what its field says."""

from __future__ import annotations

import pytest

from dlcli.core.builtin import DATASETS, TASKS
from dlcli.core.config import fields_of
from dlcli.core.registry import load_object
from dlcli.core.specs import Network

NETWORKS = [
    pytest.param(network, id=f"{task.name} {name}")
    for task in TASKS.values()
    for name, network in load_object(task.networks).items()
]


@pytest.mark.parametrize("table", [TASKS, DATASETS], ids=["tasks", "datasets"])
def test_each_stands_under_its_own_name(table):
    assert {name: spec.name for name, spec in table.items()} == {name: name for name in table}
    assert all(spec.summary and len(spec.summary) < 80 for spec in table.values())


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_built_by_what_exists(network):
    assert isinstance(network, Network)
    assert callable(load_object(network.build))
    assert network.summary
    assert network.source


@pytest.mark.parametrize("spec", TASKS.values(), ids=TASKS)
def test_a_task_has_options_with_a_network_of_its_table_and_data_of_its_form(spec):
    config_class = load_object(spec.config)
    [model] = [info for info in fields_of(config_class) if info.name == "model"]
    assert model.default in load_object(spec.networks)
    assert DATASETS[spec.default_dataset].form == spec.form
    assert DATASETS[spec.default_dataset].name == spec.default_dataset
    assert {"from_data", "from_assets", "from_network"} <= set(dir(load_object(spec.task)))


@pytest.mark.parametrize("spec", TASKS.values(), ids=TASKS)
def test_options_of_training_and_of_inference_have_different_names(spec):
    if spec.inference:
        trained, inferred = ({info.name for info in fields_of(load_object(of))} for of in (spec.config, spec.inference))
        assert not trained & inferred, "one name with two meanings"


@pytest.mark.parametrize("spec", DATASETS.values(), ids=DATASETS)
def test_a_dataset_has_options_and_a_task_of_its_form(spec):
    assert TASKS[spec.task].form == spec.form
    options = load_object(spec.options)
    assert options() == options(**{info.name: info.default for info in fields_of(options)})
    assert callable(load_object(spec.importer))
    assert spec.needs_source == (spec.name != "digits")
