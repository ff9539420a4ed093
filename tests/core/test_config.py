from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.config import MAX_FLOAT, Layer, fields_of, option, read_toml, resolve, split_values, to_dict, write_toml
from dlcli.core.errors import UsageError


@dataclass(frozen=True)
class Example:
    count: int = option(3, "a count", minimum=1, maximum=9)
    rate: float = option(0.5, "a rate", flag="lr")
    colour: str = option("red", "a colour", choices=("red", "blue"))
    is_on: bool = option(False, "a switch")
    name: str | None = option(None, "a name")
    bounds: tuple[str, ...] = option((), "several")


def test_later_layers_win():
    config = resolve(Example, [Layer("file", {"count": 4, "rate": 0.1}), Layer(None, {"count": 5})])
    assert (config.count, config.rate, config.colour) == (5, 0.1, "red")


def test_a_whole_number_is_taken_for_a_float():
    value = resolve(Example, [Layer("file", {"rate": 1})]).rate
    assert value == 1.0
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"count": 0}, "at least 1"),
        ({"count": 10}, "at most 9"),
        ({"count": 10**30}, "at most 9"),
        ({"rate": 1e39}, "at most 3.4"),
        ({"rate": -1e39}, "at least -3.4"),
        ({"rate": 10**400}, "finite"),
        ({"count": "3"}, "of type int"),
        ({"count": True}, "of type int"),
        ({"count": None}, "needs a value"),
        ({"rate": float("nan")}, "finite"),
        ({"rate": float("inf")}, "finite"),
        ({"colour": "rad"}, "cannot be 'rad'"),
        ({"is_on": 1}, "of type bool"),
        ({"bounds": "abc"}, "must be a list"),
        ({"cuont": 1}, "no option 'cuont'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(values, says):
    with pytest.raises(UsageError, match=says) as caught:
        resolve(Example, [Layer("x.toml", values)])
    assert "x.toml" in caught.value.message


def test_on_the_command_line_the_flag_is_named():
    with pytest.raises(UsageError, match="--count must be at least 1"):
        resolve(Example, [Layer(None, {"count": 0})])


def test_a_near_name_is_suggested():
    with pytest.raises(UsageError) as caught:
        resolve(Example, [Layer("x.toml", {"colur": "red"})])
    assert caught.value.hint == "did you mean 'colour'?"


def test_fields_tell_type_flag_and_default():
    by_name = {info.name: info for info in fields_of(Example)}
    assert by_name["rate"].flag == "lr"
    assert by_name["is_on"].flag == "is-on"
    assert by_name["name"].is_optional
    assert by_name["bounds"].is_list
    assert by_name["count"].default == 3


@dataclass(frozen=True)
class Other:
    depth: int = option(1, "depth")


def test_split_values_gives_each_class_its_own():
    own, other = split_values({"count": 2, "depth": 7}, Example, Other, origin="x")
    assert own.values == {"count": 2}
    assert other.values == {"depth": 7}
    with pytest.raises(UsageError, match="no option"):
        split_values({"width": 7}, Example, Other, origin="x")


@pytest.mark.parametrize("values", [{"rate": 0.25}, {"lr": 0.25}])
def test_a_value_may_stand_under_its_field_or_its_flag(values):
    [own, _] = split_values(values, Example, Other, origin="x")
    assert own.values == {"rate": 0.25}


@pytest.mark.parametrize(
    ("name", "value"), [("is-on", True), ("is_on", True), ("no-is-on", False), ("no_is_on", False)]
)
def test_a_switch_may_stand_under_its_opposite(name, value):
    [own, _] = split_values({name: True}, Example, Other, origin="x")
    assert own.values == {"is_on": value}


@pytest.mark.parametrize("name", ["no-count", "no-", "no_colour"])
def test_only_a_switch_has_an_opposite(name):
    with pytest.raises(UsageError, match=f"no option '{name}'"):
        split_values({name: True}, Example, origin="x")


@pytest.mark.parametrize("pair", [("lr", "rate"), ("is-on", "is_on"), ("is_on", "no-is-on")])
def test_one_option_under_two_names_is_refused(pair):
    with pytest.raises(UsageError, match=f"set twice, the second time as '{pair[1]}'"):
        split_values(dict.fromkeys(pair, True), Example, origin="x")


def test_toml_round_trip(tmp_path):
    config = Example(count=7, name='名字 "x"', bounds=("a=1", "b=2"))
    path = tmp_path / "c.toml"
    path.write_text(write_toml(to_dict(config), "note"), encoding="utf-8")
    assert resolve(Example, [Layer("c", read_toml(path))]) == config


@pytest.mark.parametrize("text", ["count = ", "[table]\ncount = 1\n", "\x00", f"count = {'9' * 5000}"])
def test_a_broken_toml_is_a_usage_error(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"c\.toml"):
        read_toml(path)


def test_a_file_of_windows_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbfcount = 1\r\nlr = 0.5\r\n")
    assert read_toml(path) == {"count": 1, "lr": 0.5}


@dataclass(frozen=True)
class Longer(Example):
    """Options that begin with those of another class."""

    rate: float = option(0.25, "slower", flag="lr")
    last: str = option("end", "its own", is_advanced=True)


def test_the_fields_of_a_derived_class_stand_where_the_base_has_them_and_then_its_own():
    base, derived = fields_of(Example), fields_of(Longer)
    assert [info.name for info in derived] == [*(info.name for info in base), "last"]
    by_name = {info.name: info for info in derived}
    assert (by_name["rate"].default, by_name["rate"].option.help) == (0.25, "slower")
    assert [info.name for info in derived if info.option.is_advanced] == ["last"]
    assert resolve(Longer, [Layer(None, {"last": "new"})]).last == "new"


def test_an_optional_value_may_be_none_and_is_then_not_written():
    config = resolve(Example, [Layer("file", {"name": "x"}), Layer(None, {"name": None})])
    assert config.name is None
    assert "name" not in to_dict(config)


def test_a_path_is_a_text_and_each_item_of_a_list_is_checked():
    assert resolve(Example, [Layer(None, {"name": Path("a") / "b"})]).name == str(Path("a") / "b")
    assert resolve(Example, [Layer(None, {"bounds": ["a", Path("b")]})]).bounds == ("a", "b")
    with pytest.raises(UsageError, match="--bounds must be of type str, not 3"):
        resolve(Example, [Layer(None, {"bounds": ["a", 3]})])


def test_a_later_value_is_checked_even_where_it_does_not_win():
    with pytest.raises(UsageError, match=r"x\.toml: count"):
        resolve(Example, [Layer("x.toml", {"count": 99}), Layer(None, {"count": 5})])


@pytest.mark.parametrize("value", [1, 9])
def test_bounds_are_allowed_themselves(value):
    assert resolve(Example, [Layer(None, {"count": value})]).count == value


def test_an_unknown_name_on_the_command_line_says_so():
    with pytest.raises(UsageError, match=r"^command line: no option 'colur'"):
        resolve(Example, [Layer(None, {"colur": "red"})])


def test_options_may_be_written_with_dashes_in_a_file():
    [layer] = split_values({"is-on": True}, Example, origin="x.toml")
    assert (layer.origin, layer.values) == ("x.toml", {"is_on": True})
    with pytest.raises(UsageError, match=r"x\.toml: no option 'is-of'") as caught:
        split_values({"is-of": True}, Example, origin="x.toml")
    assert "'is_on'" in caught.value.hint


def test_several_configurations_make_one_flat_table():
    assert to_dict(Example(bounds=("a",)), Other(depth=2)) == {
        "count": 3,
        "rate": 0.5,
        "colour": "red",
        "is_on": False,
        "bounds": ["a"],
        "depth": 2,
    }


def test_a_file_of_options_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"没有\.toml") as caught:
        read_toml(tmp_path / "没有.toml")
    assert "TOML" in caught.value.hint
    with pytest.raises(UsageError, match=tmp_path.name):
        read_toml(tmp_path)


CHARACTERS = "aZ0 猫\"'\\\n\r\t#=[]\x00\x7f\u2028\U0001f600"


@settings(max_examples=15)
@given(
    st.builds(
        Example,
        count=st.integers(1, 9),
        rate=st.floats(min_value=-MAX_FLOAT, max_value=MAX_FLOAT),
        colour=st.sampled_from(["red", "blue"]),
        is_on=st.booleans(),
        name=st.none() | st.text(CHARACTERS, max_size=9),
        bounds=st.lists(st.text(CHARACTERS, max_size=5), max_size=3).map(tuple),
    )
)
def test_any_configuration_comes_back_from_its_file(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_bytes(write_toml(to_dict(config), "made by a test").encode())
    assert resolve(Example, [Layer("c", read_toml(path))]) == config
