from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from dlcli.cli.commands import COMMANDS
from dlcli.cli.options import Argument, Common, Values, make_command
from dlcli.cli.train import TrainOptions
from dlcli.core.config import Layer, fields_of, option
from dlcli.core.errors import UsageError
from dlcli.core.registry import DATASETS, TASKS, load_object
from dlcli.core.train_config import TrainConfig


@dataclass(frozen=True)
class Example:
    count: int = option(3, "how many", short="c", minimum=1, maximum=9)
    rate: float = option(1e-3, "how fast", flag="lr")
    colour: str = option("red", "which", choices=("red", "blue"))
    is_warm: bool = option(True, "warm; --no-is-warm for cold")
    is_loud: bool = option(False, "loud")
    name: str | None = option(None, "called", metavar="NAME")
    bound: tuple[str, ...] = option((), "several")
    is_deep: bool = option(False, "deep", is_on_in_recipes=True)


def _typed(*words: str, defaults: dict[str, Any] | None = None) -> Values:
    """Return what a command made from the example is given for a line."""
    seen: list[Values] = []
    command = make_command("try", "Try.", seen.append, arguments=ARGUMENTS, configs=[Example], defaults=defaults)
    command.main(list(words), standalone_mode=False)
    return seen[0]


ARGUMENTS = [Argument("what", "what"), Argument("input", "inputs", is_required=False, many=True)]


def _help(defaults: dict[str, Any] | None = None) -> str:
    command = make_command("try", "Try.", lambda values: None, configs=[Example], defaults=defaults)
    return str(command.get_help(typer.Context(command, info_name="try", max_content_width=110, terminal_width=110)))


def test_only_what_was_typed_is_given() -> None:
    assert _typed("x").given == {}
    assert _typed("x", "--lr", "0.5", "-c", "4", "--no-is-warm", "--is-loud").given == {
        "rate": 0.5,
        "count": 4,
        "is_warm": False,
        "is_loud": True,
    }


def test_what_a_recipe_switches_on_can_be_switched_off() -> None:
    assert _typed("x", "--no-is-deep").given == {"is_deep": False}
    assert _typed("x", "--no-is-deep", defaults={"is_deep": True}).given == {"is_deep": False}
    assert "--is-deep / --no-is-deep" in _help()


def test_a_typed_value_that_equals_the_default_still_wins_over_a_file() -> None:
    values = _typed("x", "--count", "3", "--no-is-warm")
    config = values.resolve(Example, Layer("file", {"count": 7, "rate": 0.1, "is_warm": True}))
    assert (config.count, config.rate, config.is_warm) == (3, 0.1, False)


def test_a_list_is_given_by_repeating_the_flag() -> None:
    assert _typed("x", "--bound", "a=1", "--bound", "b=2").resolve(Example).bound == ("a=1", "b=2")
    assert _typed("x").resolve(Example).bound == ()


def test_arguments_are_handed_over_by_name_and_the_last_takes_all_that_follow() -> None:
    assert _typed("x", "a", "b").arguments == {"what": "x", "input": ["a", "b"]}


@pytest.mark.parametrize("words", [("--count", "0"), ("--count", "10"), ("--colour", "green"), ("--lr", "inf")])
def test_a_typed_value_is_checked_by_its_field(words: Sequence[str]) -> None:
    with pytest.raises(UsageError, match=f"^{words[0]} "):
        _typed("x", *words).resolve(Example)


@pytest.mark.parametrize(
    "line",
    [
        "-c, --count N                how many [3]",
        "--lr X                       how fast [0.001]",
        "--colour red|blue            which [red]",
        "--is-warm / --no-is-warm     warm; --no-is-warm for cold",
        "--is-loud                    loud",
        "--name NAME                  called",
        "--bound TEXT                 several",
        "-q, --quiet                  print nothing but the answer",
    ],
)
def test_the_help_page_is_made_from_the_fields(line: str) -> None:
    assert " ".join(line.split()) in {" ".join(text.split()) for text in _help().splitlines()}


def test_a_default_of_several_numbers_is_shown_as_it_is_typed() -> None:
    assert "how fast [0.0005,0.002,0.002]" in _help({"rate": (0.0005, 0.002, 0.002)})


def test_an_argument_that_repeats_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    page = _page(capsys, "--help")
    assert "dl try [OPTIONS] {WHAT} [INPUT...]" in page
    command = make_command("try", "Try.", lambda values: None, arguments=[Argument("run", "runs", many=True)])
    assert command.get_usage(typer.Context(command, info_name="try")) == "Usage: try [OPTIONS] {RUN...}"


@dataclass(frozen=True)
class Tuned:
    common: int = option(1, "turned often", section="Often")
    rare: float = option(0.5, "turned rarely", is_advanced=True)
    rarer: bool = option(False, "turned never", section="Never", is_advanced=True)


def _page(capsys: pytest.CaptureFixture[str], *words: str, configs: Sequence[type] = (Tuned,)) -> str:
    """Return what a command prints for a line that asks for help."""
    command = make_command("try", "Try.", lambda values: None, arguments=ARGUMENTS, configs=configs, epilog="The end.")
    command.main(list(words), prog_name="dl try", standalone_mode=False)
    return capsys.readouterr().out


def test_help_leaves_out_the_advanced_options_and_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    page = _page(capsys, "--help")
    assert "--common" in page
    assert "--rare" not in page
    assert "Never:" not in page
    assert page.splitlines()[-3:] == ["  The end.", "", "  `--help-all` shows 2 more options."]


def test_help_all_shows_the_advanced_options_each_with_a_mark(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in _page(capsys, "--help-all").splitlines()]
    assert {"--common N turned often [1]", "+ --rare X turned rarely [0.5]", "+ --rarer turned never"} <= set(lines)
    assert lines.index("Never:") < lines.index("+ --rarer turned never")
    assert lines[-1] == "+ marks options that `--help` hides."


def test_an_advanced_option_is_accepted_like_any_other() -> None:
    seen: list[Values] = []
    command = make_command("try", "Try.", seen.append, configs=[Tuned])
    command.main(["--rare", "0.25", "--rarer"], standalone_mode=False)
    assert seen[0].given == {"rare": 0.25, "rarer": True}
    assert seen[0].resolve(Tuned) == Tuned(1, 0.25, True)


def test_help_all_needs_no_argument_and_wins_over_bad_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert _page(capsys, "--help-all", "--rare", "x") == _page(capsys, "--help-all")


def test_where_nothing_is_advanced_both_pages_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    page = _page(capsys, "--help-all", configs=[Example])
    assert page == _page(capsys, "--help", configs=[Example])
    assert "--help-all" not in page


def _flags(page: str) -> set[str]:
    """Return the long flags that stand at the beginning of a page's lines."""
    lines = [line.strip().removeprefix("+ ") for line in page.splitlines()]
    found = [re.match(r"(?:-\w, )?--([\w-]+)", line) for line in lines]
    return {match[1] for match in found if match} - {"help", "help-all"}


TARGETS = ("cifar10", "sentiment", "housing", "table-classification")


@pytest.mark.parametrize("target", TARGETS)
def test_the_page_of_a_training_shows_some_20_options_and_help_all_every_one(target: str, bench: Any, dl: Any) -> None:
    dataset = DATASETS.get(target)
    spec = TASKS[dataset.task if dataset else target]
    fields = [info for cls in (TrainOptions, load_object(spec.config), TrainConfig, Common) for info in fields_of(cls)]
    everyday = {info.flag for info in fields if not info.option.is_advanced}
    short, full = dl("train", target, "-h").out, dl("train", target, "--help-all").out
    assert _flags(short) == everyday
    assert _flags(full) == {info.flag for info in fields}
    assert 20 <= len(everyday) <= 25
    assert f"`--help-all` shows {len(fields) - len(everyday)} more options." in " ".join(short.split())


VALUES = {int: ("7", 7), float: ("0.25", 0.25), str: ("word", "word")}


@pytest.mark.parametrize("name", TASKS)
def test_every_option_of_a_training_is_accepted_whether_help_shows_it_or_not(name: str) -> None:
    configs = [load_object(TASKS[name].config), TrainConfig]
    line: list[str] = []
    expected: dict[str, Any] = {}
    for info in (info for cls in configs for info in fields_of(cls)):
        if info.kind is bool:
            line.append(f"--no-{info.flag}" if info.default else f"--{info.flag}")
            expected[info.name] = not info.default
        else:
            typed, value = VALUES[info.kind]
            line += [f"--{info.flag}={typed}"] if info.option.bare is not None else [f"--{info.flag}", typed]
            expected[info.name] = value
    seen: list[Values] = []
    make_command("train", "Train.", seen.append, configs=configs).main(line, standalone_mode=False)
    assert seen[0].given == expected


LIMIT = 25


@pytest.mark.parametrize("words", [*([name] for name in COMMANDS), *(["prepare", name] for name in DATASETS)], ids=str)
def test_no_help_page_shows_more_options_than_people_read(words: list[str], bench: Any, dl: Any) -> None:
    assert len(_flags(dl(*words, "-h").out)) <= LIMIT


def test_the_page_of_the_documentation_shows_every_option_and_marks_the_advanced() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, spec in TASKS.items():
        section = page.split(f"## `dl train {name}`")[1].split("## `dl")[0]
        fields = [info for cls in (TrainOptions, load_object(spec.config), TrainConfig) for info in fields_of(cls)]
        marked = "\n".join(line for line in section.splitlines() if line.startswith("  + --"))
        assert _flags(marked) == {info.flag for info in fields if info.option.is_advanced}
        assert {info.flag for info in fields} <= _flags(section)


def test_the_help_page_shows_a_recipes_default_in_place_of_the_fields() -> None:
    assert "how many [7]" in _help({"count": 7})
