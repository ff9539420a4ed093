"""Options from the command line, files, a recipe and the defaults become one request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.cli.options import Common
from dlcli.cli.train import TrainOptions
from dlcli.core.config import Layer, fields_of, to_dict
from dlcli.core.description import stored_configs
from dlcli.core.errors import UsageError
from dlcli.core.registry import TASKS, load_object
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.request import (
    NOT_OF_A_RUN,
    TrainRequest,
    choice_line,
    machine_options,
    request_for,
    resolve_request,
)
from dlcli.engine.targets import Target

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


TARGET = Target(SPEC, "digits", Path("data/digits"))


def options_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "o.toml"
    path.write_text(text)
    return str(path)


def run_of(folder: Path, options: str, **info: object) -> RunDir:
    (folder / "run.json").write_text(json.dumps({"schema": 1, **info}))
    (folder / "config.toml").write_text(f"model = 'lenet'\n{options}")
    return RunDir(folder)


def test_what_is_given_comes_before_the_file_and_the_file_before_the_run(tmp_path: Path) -> None:
    run = run_of(tmp_path, "epochs = 3\nbatch_size = 7\nseed = 5\n")
    file = options_file(tmp_path, "epochs = 4\nbatch-size = 8\n")
    found = request_for(TARGET, Layer("train()", {"epochs": 6}), origin=run, config=file, name="n", command="c")
    assert (found.train.epochs, found.train.batch_size, found.train.seed, found.model) == (6, 8, 5, "lenet")
    assert (found.name, found.command, found.recipe) == ("n", "c", {})
    assert found.origins["epochs"] == "train()"


BUDGETED = {"epochs": 10, "max_steps": None, "precision": "auto", "width": None}


@pytest.mark.parametrize(
    ("given", "epochs", "max_steps", "precision", "width", "still"),
    [
        ({}, 4, 77, "bf16", 32, set(BUDGETED)),
        ({"batch_size": 9, "max_steps": 5}, 4, 5, "bf16", 32, {"epochs", "precision", "width"}),
        ({"epochs": 100}, 100, None, "auto", 32, {"width"}),
        ({"epochs": 100, "max_steps": 9, "precision": "fp32"}, 100, 9, "fp32", 32, {"width"}),
        ({"budget": "20m"}, 10, None, "auto", None, set()),
    ],
)
@pytest.mark.parametrize("is_typed", [True, False])
def test_what_a_budget_chose_for_a_run_is_not_taken_over_beside_another_length(
    tmp_path: Path,
    given: dict,
    epochs: int,
    max_steps: int,
    precision: str,
    width: int | None,
    still: set,
    is_typed: bool,
) -> None:
    chosen = 'epochs = 4\nmax_steps = 77\nprecision = "bf16"\nwidth = 32\n'
    run = run_of(tmp_path, chosen, budgeted=BUDGETED)
    text = "".join(f"{name.replace('_', '-')} = {value!r}\n" for name, value in given.items())
    file = None if is_typed else options_file(tmp_path, text)
    found = request_for(TARGET, Layer(None, given if is_typed else {}), origin=run, config=file)
    assert (found.train.epochs, found.train.max_steps, found.train.precision) == (epochs, max_steps, precision)
    assert found.config.width == width
    assert found.budgeted == {name: BUDGETED[name] for name in still}


@pytest.mark.parametrize("kept", [None, 3, ["epochs"]])
def test_a_damaged_note_of_what_a_budget_chose_is_none(tmp_path: Path, kept: object) -> None:
    run = run_of(tmp_path, "epochs = 4\nmax_steps = 77\n", budgeted=kept)
    found = request_for(TARGET, Layer(None, {"epochs": 100}), origin=run)
    assert (found.train.epochs, found.train.max_steps, found.budgeted) == (100, 77, {})


def test_two_averages_of_the_weights_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--ema and --average-epochs cannot be combined"):
        request_for(TARGET, Layer(None, {"ema": 0.9, "average_epochs": 3}))


@pytest.mark.parametrize(
    ("stored", "given", "counts"),
    [
        ("average_epochs = 3", {"ema": 0.9}, {"ema": 0.9}),
        ("ema = 0.9", {"average_epochs": 3}, {"average_epochs": 3}),
        ("ema = 0.9\naverage_epochs = 3", {"ema": 0.8}, {"ema": 0.8}),
        ("average_epochs = 3", {"ema": None}, {"average_epochs": 3}),
        ("average_epochs = 3", {}, {"average_epochs": 3}),
        ("budget = '5m'", {"epochs": 7}, {"epochs": 7}),
        ("epochs = 7", {"budget": "5m"}, {"budget": "5m", "epochs": TrainConfig().epochs}),
    ],
)
@pytest.mark.parametrize("is_of_a_run", [True, False])
def test_of_options_that_exclude_each_other_the_given_one_counts(
    tmp_path: Path, stored: str, given: dict, counts: dict, is_of_a_run: bool
) -> None:
    run = run_of(tmp_path, stored) if is_of_a_run else None
    file = None if is_of_a_run else options_file(tmp_path, stored)
    found = request_for(TARGET, Layer(None, given), origin=run, config=file)
    nothing = {"ema": None, "average_epochs": None, "budget": None}
    assert {name: getattr(found.train, name) for name in {**nothing, **counts}} == {**nothing, **counts}
    assert nothing.keys() & found.origins.keys() == nothing.keys() & {*counts, *given}


def test_an_average_over_epochs_takes_the_place_of_a_recipe_s_other_one() -> None:
    spec = TASKS["generation"]
    assert resolve_request(spec, "digits", Path("data/digits")).train.ema is not None
    found = resolve_request(spec, "digits", Path("data/digits"), [Layer(None, {"average_epochs": 3})])
    assert (found.train.ema, found.train.average_epochs) == (None, 3)


def test_a_time_budget_and_a_number_of_epochs_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--budget and --epochs"):
        request_for(TARGET, Layer(None, {"epochs": 3, "budget": "5m"}))


def test_a_file_has_no_option_that_says_where_a_run_comes_from(tmp_path: Path) -> None:
    flags = {info.flag for config in (TrainOptions, Common) for info in fields_of(config)}
    assert set(NOT_OF_A_RUN) == flags
    for name in ("name", "from", "quiet"):
        with pytest.raises(UsageError, match=f"{name!r} is an option of the command line only"):
            request_for(TARGET, Layer(None, {}), config=options_file(tmp_path, f"{name} = 'x'"))


def test_of_a_resumed_run_only_the_machine_may_differ() -> None:
    run = RunDir(Path("runs/a"))
    assert machine_options(run, Layer(None, {"device": "cpu", "workers": 2})) == {"device": "cpu", "workers": 2}
    assert machine_options(run, Layer(None, {"threads": "auto"})) == {"threads": None}
    with pytest.raises(UsageError, match="--epochs: the options of a resumed run"):
        machine_options(run, Layer(None, {"epochs": 3}))
    with pytest.raises(UsageError, match="--threads must be at least 1"):
        machine_options(run, Layer(None, {"threads": 0}))


def test_the_line_about_the_choice_names_the_network_and_what_the_recipe_chose() -> None:
    line = choice_line(request(FILE))
    assert line.startswith("digits -> lenet: epochs 3, batch size 7, optimizer ")
    assert "budget 5m" in choice_line(request(Layer(None, {"budget": "5m"})))
    assert "learning rate auto" in choice_line(request(Layer(None, {"learning_rate": "auto"})))
