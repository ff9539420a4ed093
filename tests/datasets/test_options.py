"""The options of every importer: defaults that pass their own checks, bounds, and flags of their own."""

from __future__ import annotations

import pytest

from dlcli.core.config import Layer, fields_of, resolve, to_dict
from dlcli.core.errors import UsageError
from dlcli.core.registry import DATASETS, load_object

CLASSES = {spec.name: load_object(spec.options) for spec in DATASETS.values()}
BOUNDS = [
    pytest.param(config_class, info, id=f"{name} --{info.flag}")
    for name, config_class in CLASSES.items()
    for info in fields_of(config_class)
    if info.option.minimum is not None or info.option.maximum is not None
]


@pytest.mark.parametrize("config_class", CLASSES.values(), ids=CLASSES)
def test_the_defaults_pass_their_own_checks_and_each_flag_is_one_options(config_class):
    assert resolve(config_class, [Layer(None, to_dict(config_class()))]) == config_class()
    flags = [info.flag for info in fields_of(config_class)]
    assert len(set(flags)) == len(flags)


@pytest.mark.parametrize(("config_class", "info"), BOUNDS)
def test_a_bound_is_allowed_and_what_lies_beyond_is_refused_by_the_flag(config_class, info):
    for bound, step in ((info.option.minimum, -1), (info.option.maximum, 1)):
        if bound is None:
            continue
        value = info.kind(bound)
        assert getattr(resolve(config_class, [Layer(None, {info.name: value})]), info.name) == value
        with pytest.raises(UsageError, match=f"--{info.flag}\\b"):
            resolve(config_class, [Layer(None, {info.name: value + step})])


@pytest.mark.parametrize("config_class", CLASSES.values(), ids=CLASSES)
def test_a_fraction_of_the_items_never_is_all_of_them(config_class):
    fractions = [info for info in fields_of(config_class) if info.name.endswith("_fraction")]
    assert all(info.option.minimum >= 0 and info.option.maximum < 1 for info in fractions)
