"""The options of the loop: what each takes, and which contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli.core.config import Layer, fields_of, resolve, split_auto, to_dict
from dlcli.core.errors import UsageError
from dlcli.core.train_config import (
    OPTIMIZERS,
    SCHEDULES,
    FoldPlan,
    TrainConfig,
    is_cross_validation,
    read_folds,
    read_val_fold,
)

FIELDS = {info.name: info for info in fields_of(TrainConfig)}


def resolved(**values):
    return resolve(TrainConfig, [Layer(None, values)])


def test_the_defaults_pass_their_own_checks():
    assert resolved(**to_dict(TrainConfig())) == TrainConfig()


def test_every_option_has_a_flag_and_a_letter_of_its_own():
    flags = [info.flag for info in FIELDS.values()]
    letters = [info.option.short for info in FIELDS.values() if info.option.short]
    assert len(set(flags)) == len(flags) == len(FIELDS)
    assert len(set(letters)) == len(letters)
    assert all(info.option.help for info in FIELDS.values())


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("epochs", 0, 1),
        ("max_steps", 0, 1),
        ("batch_size", 0, 1),
        ("learning_rate", -1e-9, 0.0),
        ("weight_decay", -0.1, 0.0),
        ("warmup", -1.0, 0.0),
        ("clip_norm", -1.0, 0.0),
        ("accumulate", 0, 1),
        ("val_fraction", 0.91, 0.9),
        ("val_fraction", -0.01, 0.0),
        ("patience", 0, 1),
        ("ema", 1.0, 0.99999),
        ("repeats", 101, 100),
        ("fold", 0, 1),
        ("seed", -1, 0),
        ("threads", 0, 1),
        ("workers", -1, 0),
        ("optimizer", "sdg", "sgd"),
        ("schedule", "cosin", "cosine"),
        ("precision", "fp16", "bf16"),
        ("max_time", "5", "5m"),
        ("budget", "0s", "90s"),
        ("folds", "1", "2"),
    ],
)
def test_the_value_beyond_a_bound_is_refused_by_its_flag_and_the_bound_itself_is_not(name, wrong, right):
    assert getattr(resolved(**{name: right}), name) == right
    with pytest.raises(UsageError, match=f"^--{FIELDS[name].flag}\\b"):
        resolved(**{name: wrong})


@pytest.mark.parametrize(("name", "choices"), [("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)])
def test_every_optimizer_and_schedule_is_accepted_and_the_default_is_one(name, choices):
    assert FIELDS[name].default in choices
    assert all(getattr(resolved(**{name: choice}), name) == choice for choice in choices)


def test_only_batch_size_learning_rate_and_threads_may_be_measured():
    names = {name for name, info in FIELDS.items() if info.option.may_be_auto}
    assert names == {"batch_size", "learning_rate", "threads"}
    _, left = split_auto(TrainConfig, [Layer(None, dict.fromkeys(FIELDS, "auto"))])
    assert left == names


@pytest.mark.parametrize("text", ["2", "3", "10", "999", "1000", "007"])
def test_folds_may_be_2_to_1000(text):
    assert read_folds(text) == FoldPlan(int(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loo", FoldPlan(None)),
        ("0.3", FoldPlan(1, held_out=0.3)),
        (".25", FoldPlan(1, held_out=0.25)),
        ("time:5", FoldPlan(5, in_time=True)),
        ("time:5, sold on", FoldPlan(5, in_time=True, column="sold on")),
    ],
)
def test_folds_may_also_be_one_item_a_fraction_or_in_time(text, expected):
    assert read_folds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "1",
        "1001",
        "-2",
        "",
        "LOO",
        "ten",
        "2.5",
        "+3",
        " 3",
        "1e2",
        "3 ",
        "²",
        "9" * 5000,
        "0.0",
        "1.0",
        "-0.3",
        "nan",
    ],
)
def test_folds_are_nothing_else(text):
    with pytest.raises(ValueError, match="loo"):
        read_folds(text)


@pytest.mark.parametrize(
    "text",
    ["0.3 ", "0.3,5", "time:", "time:1", "time:0.3", "time:loo", "time:1001,x", "5,x"],
)
def test_fractions_and_folds_in_time_are_nothing_else(text):
    with pytest.raises(ValueError, match="loo"):
        read_folds(text)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"fold": 1}, ["--fold", "--folds", "--splits"]),
        ({"group": "a"}, ["--group", "--folds", "--splits"]),
        ({"repeats": 2}, ["--repeats", "--folds", "--splits"]),
        ({"folds": "3", "splits": "x"}, ["--folds", "--splits"]),
        ({"folds": "loo", "repeats": 2}, ["--repeats"]),
        ({"splits": "x", "repeats": 2}, ["--repeats"]),
        ({"splits": "x", "group": "a"}, ["--group"]),
        ({"folds": "loo", "group": "a"}, ["--group"]),
        ({"folds": "time:3", "repeats": 2}, ["--repeats"]),
        ({"folds": "time:3", "group": "a"}, ["--group"]),
    ],
)
def test_options_that_contradict_each_other_are_named_with_a_way_out(options, named):
    with pytest.raises(UsageError) as caught:
        is_cross_validation(TrainConfig(**options))
    assert all(flag in caught.value.message for flag in named)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"folds": "3"}, True),
        ({"folds": "3", "fold": 2}, False),
        ({"folds": "loo"}, True),
        ({"folds": "loo", "fold": 2}, False),
        ({"splits": "x"}, True),
        ({"splits": "x", "fold": 1}, False),
        ({"folds": "3", "repeats": 2}, True),
        ({"folds": "3", "group": "a"}, True),
        ({"folds": "0.3", "repeats": 10, "group": "a"}, True),
        ({"folds": "0.3", "fold": 1}, False),
        ({"folds": "time:3"}, True),
        ({"repeats": 1}, False),
    ],
)
def test_only_all_folds_are_a_cross_validation(options, expected):
    assert is_cross_validation(TrainConfig(**options)) is expected


def test_a_validation_fold_is_a_number_of_several() -> None:
    assert read_val_fold("1/2") == (1, 2)
    assert read_val_fold("10/10") == (10, 10)


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/1", "1/3/3", "a/b", "-1/3", "1 / 3", "1/1000"])
def test_what_is_no_validation_fold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the second of five"):
        read_val_fold(text)


@pytest.mark.parametrize("options", [{"folds": "5"}, {"splits": "folds.json"}, {"folds": "5", "fold": 1}])
def test_a_validation_fold_and_a_cross_validation_exclude_each_other(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--val-fold"):
        is_cross_validation(TrainConfig(val_fold="1/5", **options))
