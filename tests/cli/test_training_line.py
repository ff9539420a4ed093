"""The target of `dl train` and `dl tune`: one way to find it, and the message names the command that was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli.cli.train import TrainOptions
from dlcli.cli.training_line import epilog_of, recipe_of, target_of_options, target_word
from dlcli.cli.tune import TuneOptions
from dlcli.core.errors import DlError, UsageError
from dlcli.core.registry import get_task
from dlcli.core.run_dir import create_run
from dlcli.engine.targets import resolve_target

OWN = {"train": TrainOptions, "tune": TuneOptions}
CLASSIFICATION = get_task("classification")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", OWN)
@pytest.mark.parametrize(
    "line",
    [
        "digits --epochs 3",
        "--epochs 3 digits",
        "--epochs=3 digits --quiet",
        "--quiet digits",
        "--name digits-1 --config sentiment digits",
        "-q --no-augment digits",
    ],
)
def test_options_before_the_target_and_their_values_are_not_it(command: str, line: str) -> None:
    assert target_word(line.split(), OWN[command]) == "digits"


@pytest.mark.parametrize("command", OWN)
@pytest.mark.parametrize("line", ["", "--epochs 3", "--name digits", "--quiet --seed 4", "-h"])
def test_a_line_without_a_target_has_none(command: str, line: str) -> None:
    assert target_word(line.split(), OWN[command]) is None


def test_a_commands_own_options_take_their_values() -> None:
    assert target_word(["--trials", "7", "digits"], TuneOptions) == "digits"
    assert target_word(["--resume", "digits"], TrainOptions) is None


@pytest.mark.parametrize("command", OWN)
def test_the_word_wins_over_the_run_whose_options_are_taken(command: str) -> None:
    run = create_run("x", {"task": "classification", "dataset": "cifar10", "data": "data/cifar10"})
    assert target_of_options(command, CLASSIFICATION, "digits", None, run).dataset == "digits"
    assert target_of_options(command, CLASSIFICATION, None, None, run).data == Path("data/cifar10")
    assert target_of_options(command, CLASSIFICATION, None, "elsewhere", run).data == Path("elsewhere")


@pytest.mark.parametrize("command", OWN)
def test_messages_name_the_command_that_was_typed(command: str) -> None:
    with pytest.raises(UsageError, match="which target") as caught:
        target_of_options(command, CLASSIFICATION, None, None, None)
    assert str(caught.value.hint).startswith(f"`dl {command} TARGET`")
    for spec in (None, get_task("sentiment")):
        with pytest.raises(UsageError, match=f"dl {command} classification: name the target before its options"):
            target_of_options(command, spec, "digits", None, None)
    with pytest.raises(DlError):
        target_of_options(command, CLASSIFICATION, "no-such-target", None, None)


def test_a_help_page_shows_the_defaults_of_its_target_and_without_one_all_targets() -> None:
    digits = resolve_target("digits", None)
    assert recipe_of(None) == {}
    assert recipe_of(digits)["model"] == "cnn"
    assert epilog_of(digits, "; more") == "Defaults in brackets are for digits."
    assert epilog_of(None, "; more.").endswith(", or a prepared folder; more.")
    for name in ("classification", "sentiment", "digits", "weibo"):
        assert f" {name}," in epilog_of(None, "")


def test_a_recipe_may_look_at_the_card_of_data_that_is_there() -> None:
    folder = Path("data/icons")
    folder.mkdir(parents=True)
    card = {
        "schema": 1, "form": "images", "name": "icons", "classes": ["a", "b"], "counts": {"train": {"a": 3, "b": 3}},
        "details": {"channels": 3, "image_size": [16, 16], "mean": [0.5] * 3, "std": [0.5] * 3},
    }  # fmt: skip
    without = recipe_of(resolve_target("./data/icons", None))
    (folder / "dataset.json").write_text(json.dumps(card))
    assert recipe_of(resolve_target("icons", None)) == recipe_of(resolve_target("./data/icons", None)) != {}
    assert without != {}
