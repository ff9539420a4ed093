"""`dl --help-json` has every command and option that can be typed, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from dlcli.cli.commands import COMMANDS, load_command
from dlcli.cli.grammar import SCHEMA, grammar, option_of
from dlcli.cli.pictures import all_pictures
from dlcli.core.config import fields_of
from dlcli.core.errors import ExitCode
from dlcli.core.registry import DATASETS, TASKS, load_object
from dlcli.core.train_config import TrainConfig

TYPES = {"int": int, "float": float, "str": str, "bool": bool}


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return json.loads(json.dumps(grammar(), allow_nan=False))


def flags_of(options: list[dict[str, Any]]) -> set[str]:
    return {option["flag"] for option in options}


def typed(command: Any) -> set[str]:
    """Return the flags that the parser of a command knows."""
    return {flag for each in command.params for flag in each.opts if flag.startswith("--")} - {"--help-all"}


def test_every_command_is_there_with_its_summary_and_exit_codes_have_names(whole: dict[str, Any]) -> None:
    assert whole["schema"] == SCHEMA
    assert [(each["name"], each["summary"]) for each in whole["commands"]] == [
        (name, summary) for name, (summary, _) in COMMANDS.items()
    ]
    assert {int(code) for code in whole["exit_codes"]} == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_those_that_its_parser_knows(name: str, whole: dict[str, Any]) -> None:
    [command] = [each for each in whole["commands"] if each["name"] == name]
    loaded = load_command(name, [])
    assert flags_of(command["options"]) == typed(loaded)
    arguments = [each.name for each in loaded.params if each.param_type_name == "argument"]
    assert [each["name"] for each in command["arguments"]] == arguments


@pytest.mark.parametrize(
    ("command", "kind", "target"),
    [
        *(("train", "tasks", name) for name in TASKS),
        *(("prepare", "datasets", name) for name in DATASETS),
        *(("visualize", "pictures", name) for name in all_pictures()),
    ],
)
def test_with_a_target_the_parser_knows_the_target_s_options_too(
    command: str, kind: str, target: str, whole: dict[str, Any]
) -> None:
    [found] = [each for each in whole["commands"] if each["name"] == command]
    own = flags_of(found[kind][target]["options"])
    parser = typed(load_command(command, [target]))
    assert own <= parser
    assert parser - own - flags_of(found["options"]) <= {"--pretrained"}


def test_a_dataset_names_its_task_and_the_defaults_of_its_recipe(whole: dict[str, Any]) -> None:
    [train] = [each for each in whole["commands"] if each["name"] == "train"]
    assert set(DATASETS) <= set(train["datasets"])
    for name, found in train["datasets"].items():
        task = TASKS[found["task"]]
        known = {info.name for config in (load_object(task.config), TrainConfig) for info in fields_of(config)}
        assert set(found["defaults"]) <= known, name


def test_commands_that_answer_have_the_options_of_each_task_s_answers(whole: dict[str, Any]) -> None:
    commands = {each["name"]: each for each in whole["commands"]}
    for name in ("predict", "eval", "export", "visualize"):
        assert set(TASKS) <= set(commands[name]["tasks"])
    assert "--tta" in flags_of(commands["predict"]["tasks"]["classification"]["options"])
    assert "tasks" not in commands["runs"]


def test_defaults_have_the_type_and_the_range_that_stands_beside_them(whole: dict[str, Any]) -> None:
    options = [option for command in whole["commands"] for option in command["options"]]
    assert len(options) > 100
    for option in options:
        default, kind = option["default"], TYPES[option["type"]]
        if default is None or option.get("repeatable"):
            continue
        assert isinstance(default, kind), option
        if kind in (int, float):
            assert option.get("minimum", default) <= default <= option.get("maximum", default), option
        assert default in option.get("choices", [default]), option


def test_an_option_says_what_the_parser_does_with_it() -> None:
    found = {info.name: option_of(info) for info in fields_of(TrainConfig)}
    assert found["batch_size"]["auto"] and found["batch_size"]["short"] == "-b"
    assert found["learning_rate"]["several"] and found["learning_rate"]["flag"] == "--lr"
    assert found["freeze"]["bare"] == "head"
    assert (found["epochs"]["minimum"], found["epochs"]["advanced"]) == (1, False)


def test_the_grammar_is_printed_without_anything_heavy(environment: dict[str, str]) -> None:
    program = (
        "import sys; from dlcli.cli.app import run; code = run(['--help-json'])\n"
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'numpy', 'rich', 'pydantic')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["schema"] == SCHEMA
