"""The grammar of `--param`: what it means, and what is refused before a trial has cost anything."""

from __future__ import annotations

import math

import pytest

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.tuning.space import FIXED, Parameter, read_space
from dlcli.tasks.sentiment.config import SentimentConfig


def read(*texts: str) -> tuple[Parameter, ...]:
    return read_space(texts, [SentimentConfig, TrainConfig])


def refused(*texts: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(*texts)
    lines = caught.value.lines()
    assert len(lines) <= 6
    return " ".join(lines)


def test_a_range_has_bounds_a_scale_and_a_step():
    [rate, width, epochs] = read("lr=1e-4..1e-1:log", "hidden=64..256:step=64", "epochs=2..20:int:log")
    assert (rate.name, rate.low, rate.high, rate.is_log, rate.is_int) == ("learning_rate", 1e-4, 1e-1, True, False)
    assert (width.low, width.high, width.step, width.num_values) == (64, 256, 64, 4)
    assert (epochs.is_int, epochs.is_log, epochs.num_values) == (True, True, 19)
    assert rate.num_values == math.inf


def test_a_list_has_values_of_the_options_own_type():
    [model, size, schedule, norms, rates] = read(
        "model=lstm,textcnn",
        "batch-size=32,64,auto",
        "schedule=step:5,0.9|cosine",
        "freeze-norms=yes,no",
        "lr=1e-3|1e-4,1e-3",
    )
    assert [model.value_of(text) for text in model.choices] == ["lstm", "textcnn"]
    assert [size.value_of(text) for text in size.choices] == [32, 64, "auto"]
    assert [schedule.value_of(text) for text in schedule.choices] == ["step:5,0.9", "cosine"]
    assert [norms.value_of(text) for text in norms.choices] == [True, False]
    assert [rates.value_of(text) for text in rates.choices] == [1e-3, (1e-4, 1e-3)]


def test_a_name_is_a_flag_or_a_field_with_or_without_dashes():
    for name in ("lr", "learning_rate", "--lr", "learning-rate"):
        assert read(f"{name}=1..2")[0].name == "learning_rate"


def test_numbers_may_be_written_in_powers_of_ten():
    [epochs] = read("epochs=1..1e2")
    assert (epochs.low, epochs.high) == (1, 100)
    assert isinstance(epochs.high, int)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lr", "neither a range nor a list"),
        ("lr=", "neither a range nor a list"),
        ("=1..2", "neither a range nor a list"),
        ("lrr=1..2", "did you mean 'lr'?"),
        ("lr=0.1..0.001", "write 0.001..0.1"),
        ("lr=0.1..0.1", "use --lr 0.1 instead"),
        ("lr=0..1:log", "starts above 0"),
        ("lr=1..2:lgo", "they are :log, :int and :step=S"),
        ("lr=1..2:step", "they are :log, :int and :step=S"),
        ("lr=1..2:log:step=0.1", "exclude each other"),
        ("lr=1..2:step=0", "does not fit into 1..2"),
        ("lr=1..2:step=3", "does not fit into 1..2"),
        ("lr=1..nan", "not a finite number"),
        ("lr=1..inf", "not a finite number"),
        ("lr=-1..1", "must be at least 0"),
        ("lr=a..b", "'a' is not a number"),
        ("lr=0.1..0.25:int", "not whole"),
        ("epochs=1..2.5", "not a whole number"),
        ("epochs=0..5", "must be at least 1"),
        ("hidden=8..99999", "must be at most 8192"),
        ("model=lstm", "single value"),
        ("model=lstm,", "is empty"),
        ("model=lstm,lstm", "named twice"),
        ("lr=1e-3,0.001", "named twice"),
        ("schedule=cosine,foo", "foo"),
        ("precision=fp32,fp8", "fp8"),
        ("freeze-norms=yes,perhaps", "neither yes nor no"),
    ],
)
def test_what_is_wrong_is_refused_with_how_to_mend_it(text, told):
    assert told in refused(text)


def test_an_option_is_tuned_once():
    assert "named twice" in refused("lr=1..2", "learning-rate=3..4")


@pytest.mark.parametrize("name", sorted(FIXED))
def test_what_would_make_trials_incomparable_is_refused_with_the_reason(name):
    assert FIXED[name] in refused(f"{name}=1,2")


def test_many_values_are_a_range():
    assert "too many" in refused("epochs=" + ",".join(map(str, range(1, 200))))


def test_what_is_drawn_and_what_the_option_gets_are_inverse():
    rate, width = read("lr=1e-4..1e-1:log", "hidden=64..256:step=64")
    model, size = read("model=lstm,textcnn", "batch-size=8,16")
    assert rate.drawn_of(rate.value_of(0.01)) == 0.01
    assert width.value_of(128) == 128
    assert width.drawn_of(128) == 128
    assert [model.drawn_of("textcnn"), size.drawn_of(16)] == ["textcnn", "16"]


def test_a_value_that_the_space_lacks_is_known_as_such():
    [rate, width, model] = read("lr=1e-4..1e-1:log", "hidden=64..256:step=64", "model=lstm,textcnn")
    assert [rate.drawn_of(value) for value in (1.0, None, "auto", [0.1, 0.2])] == [None] * 4
    assert [width.drawn_of(value) for value in (100, 320, None, True)] == [None] * 4
    assert model.drawn_of("bilstm") is None


def test_the_spec_of_a_parameter_reads_as_itself():
    for text in ("lr=1e-4..1e-1:log", "model=lstm,textcnn", "schedule=step:5,0.9|cosine"):
        assert read(read(text)[0].spec) == read(text)


def test_a_finite_parameter_has_all_its_values():
    width, model = read("hidden=64..200:step=64", "model=lstm,textcnn")
    epochs, rate = read("epochs=3..5", "lr=0.1..0.3:step=0.1")
    assert width.values() == [64, 128, 192]
    assert model.values() == ["lstm", "textcnn"]
    assert epochs.values() == [3, 4, 5]
    assert rate.values() == [0.1, 0.2, 0.3]
    assert all(len(each.values()) == each.num_values for each in (width, model, epochs, rate))


def test_values_between_steps_are_the_numbers_that_one_writes():
    [rate] = read("dropout=0..0.5:step=0.1")
    assert rate.values() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert [rate.settled(3 * 0.1), rate.value_of(3 * 0.1), rate.drawn_of(3 * 0.1)] == [0.3] * 3
    [decay] = read("weight-decay=0.1..0.3")
    assert decay.value_of(3 * 0.1) == 3 * 0.1, "a range without steps has all numbers"
