"""Options from the command line, files, a recipe and the defaults become one request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.core.config import Layer, to_dict
from dlcli.core.description import stored_configs
from dlcli.core.errors import UsageError
from dlcli.core.registry import TASKS, load_object
from dlcli.core.train_config import TrainConfig
from dlcli.engine.request import TrainRequest, resolve_request

SPEC = TASKS["classification"]
FILE = Layer("o.toml", {"model": "lenet", "epochs": 3, "batch-size": 7})


def request(*layers: Layer, **more: object) -> TrainRequest:
    return resolve_request(SPEC, "digits", Path("data/digits"), layers, **more)


def test_without_layers_the_recipe_and_then_the_defaults_count() -> None:
    recipe = load_object(SPEC.recipe)("digits", {})
    found = request()
    assert found.recipe == recipe
    values = to_dict(found.config, found.train)
    assert {name: values[name] for name in recipe} == recipe
    assert found.train.val_fraction == TrainConfig().val_fraction
    assert (found.model, found.config.model) == (recipe["model"],) * 2


def test_later_layers_win_over_earlier_ones_and_all_over_the_recipe() -> None:
    found = request(FILE, Layer(None, {"epochs": 5}))
    assert (found.config.model, found.train.epochs, found.train.batch_size) == ("lenet", 5, 7)


def test_the_recipe_sees_what_the_layers_say() -> None:
    given = {"model": "lenet", "epochs": 3, "batch_size": 7}
    assert request(FILE).recipe == load_object(SPEC.recipe)("digits", given)


def test_a_run_s_options_are_taken_as_they_are() -> None:
    first = request(FILE)
    again = request(Layer("run", to_dict(first.config, first.train)), takes_recipe=False)
    assert (again.config, again.train, again.recipe) == (first.config, first.train, {})
    assert stored_configs(SPEC, to_dict(first.config, first.train), "run") == (first.config, first.train)


def test_auto_is_left_to_be_measured_unless_a_later_layer_has_a_number() -> None:
    auto = Layer("o.toml", {"batch_size": "auto", "learning_rate": "auto"})
    assert request(auto).auto == {"batch_size", "learning_rate"}
    found = request(auto, Layer(None, {"batch_size": 9}))
    assert (found.auto, found.train.batch_size) == ({"learning_rate"}, 9)


def test_a_wrong_option_is_blamed_on_the_layer_it_stands_in() -> None:
    with pytest.raises(UsageError, match=r"o\.toml: no option 'epoch'"):
        request(Layer("o.toml", {"epoch": 3}))
    with pytest.raises(UsageError, match=r"o\.toml: epochs"):
        request(Layer("o.toml", {"epochs": -3}), Layer(None, {"epochs": 3}))
    with pytest.raises(UsageError, match="--epochs"):
        request(Layer(None, {"epochs": -3}))


def test_a_stored_auto_is_refused_since_a_run_keeps_what_was_measured() -> None:
    with pytest.raises(UsageError, match="run: batch_size"):
        stored_configs(SPEC, {"batch_size": "auto"}, "run")


def test_putting_options_together_needs_no_torch() -> None:
    program = "import sys, dlcli.engine.request; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
