from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import typer

from dlcli.cli.options import Argument, Values, flag_value, make_command, pick_target
from dlcli.core.config import Layer, option
from dlcli.core.errors import UsageError


@dataclass(frozen=True)
class Example:
    count: int = option(3, "how many", short="c", minimum=1, maximum=9)
    rate: float = option(1e-3, "how fast", flag="lr")
    colour: str = option("red", "which", choices=("red", "blue"))
    is_warm: bool = option(True, "warm; --no-is-warm for cold")
    is_loud: bool = option(False, "loud")
    name: str | None = option(None, "called", metavar="NAME")
    bound: tuple[str, ...] = option((), "several")


def _typed(*words: str) -> Values:
    """Return what a command made from the example is given for a line."""
    seen: list[Values] = []
    command = make_command("try", "Try.", seen.append, arguments=ARGUMENTS, configs=[Example])
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
        "-q, --quiet                  say nothing but the answer",
    ],
)
def test_the_help_page_is_made_from_the_fields(line: str) -> None:
    assert " ".join(line.split()) in {" ".join(text.split()) for text in _help().splitlines()}


def test_the_help_page_shows_a_recipes_default_in_place_of_the_fields() -> None:
    assert "how many [7]" in _help({"count": 7})


KNOWN = {"cifar10", "digits"}


@pytest.mark.parametrize(
    "line",
    [
        "cifar10",
        "cifar10 --epochs 3",
        "--epochs 3 cifar10",
        "--quiet cifar10",
        "--out digits cifar10",
        "cifar10 --out digits",
        "--quiet --epochs 3 cifar10 --name digits",
    ],
)
def test_the_target_is_found_wherever_it_stands(line: str) -> None:
    assert pick_target(line.split(), KNOWN.__contains__) == "cifar10"


def test_an_unknown_target_is_the_first_word_that_follows_no_option() -> None:
    assert pick_target(["--epochs", "3", "photos", "more"], KNOWN.__contains__) == "photos"
    assert pick_target(["--epochs", "3"], KNOWN.__contains__) is None
    assert pick_target([], KNOWN.__contains__) is None


def test_a_flags_value_is_found_in_both_spellings() -> None:
    assert flag_value(["x", "--data", "a b"], "--data") == "a b"
    assert flag_value(["--data=a=b"], "--data") == "a=b"
    assert flag_value(["--data"], "--data") is None
    assert flag_value(["--database", "x"], "--data") is None
