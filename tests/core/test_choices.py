from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.core.choices import Setting, describe_choices, read_choice
from dlcli.core.train_config import OPTIMIZERS, SCHEDULES, read_optimizer, read_schedule

CHOICES = {
    "plain": (),
    "wave": (Setting("size", 0.5, 0.0, 1.0), Setting("count", 3, 1, 9), Setting("round", True)),
    "open": (Setting("x", 0.5, 0.0, 1.0, is_open=True),),
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("wave", (0.5, 3, True)),
        ("wave:0.25", (0.25, 3, True)),
        ("wave:0.25,7", (0.25, 7, True)),
        ("wave:0.25,7,no", (0.25, 7, False)),
        ("wave:round=off", (0.5, 3, False)),
        ("wave:count=9,size=1", (1.0, 9, True)),
        ("wave:0,round=yes", (0.0, 3, True)),
        ("wave: 0.25 , count = 2", (0.25, 2, True)),
    ],
)
def test_values_are_read_by_place_and_by_name(text, values):
    name, read = read_choice(text, CHOICES)
    assert name == "wave"
    assert tuple(read.values()) == values
    assert [type(value) for value in read.values()] == [float, int, bool]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wafe", "did you mean 'wave'"),
        ("", "no ''"),
        ("plain:1", "plain takes none"),
        ("wave:", "size is a number, not ''"),
        ("wave:much", "size is a number, not 'much'"),
        ("wave:2", "size must be at least 0 and at most 1, not 2"),
        ("wave:nan", "size must be at least 0"),
        ("wave:inf", "size must be at least 0"),
        ("wave:0.5,2.5", "count is a whole number, not '2.5'"),
        ("wave:0.5,0", "count must be at least 1"),
        ("wave:0.5,3,perhaps", "round is yes or no"),
        ("wave:0.5,3,yes,1", "one value too many"),
        ("wave:count=3,count=4", "count of wave is given twice"),
        ("wave:0.5,size=1", "size of wave is given twice"),
        ("wave:count=3,0.5", "needs a name"),
        ("wave:width=3", "wave has no value 'width'; its values are size=0.5, count=3, round=yes"),
        ("open:0", "x must be above 0 and below 1"),
        ("open:1", "x must be above 0 and below 1"),
        ("wave:" + "9" * 5000, "size must be"),
    ],
)
def test_what_is_wrong_is_said_in_one_short_line(text, message):
    with pytest.raises(ValueError) as caught:
        read_choice(text, CHOICES)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 700 and "\n" not in str(caught.value)


@given(st.text(max_size=30))
def test_no_text_does_anything_but_be_read_or_refused(text):
    for read in (read_optimizer, read_schedule):
        try:
            name, _ = read(text)
        except ValueError:
            continue
        assert name in OPTIMIZERS or name in SCHEDULES


@pytest.mark.parametrize("choices", [OPTIMIZERS, SCHEDULES])
def test_what_the_page_says_can_be_typed_and_changes_nothing(choices):
    for shown in describe_choices(choices).split():
        if shown.startswith("step:"):
            continue  # without a number of epochs it has a rule of its own, which no number stands for
        name = shown.partition(":")[0]
        assert read_choice(shown, choices) == read_choice(name, choices)
