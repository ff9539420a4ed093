"""Names, versions and shares: what may be said, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.core.errors import UsageError
from dlcli.serve.plan import Entry, Plan, key_of, plan_of, target_of, versions_by_name


def test_a_model_without_a_name_gets_its_own_and_versions_are_numbered():
    plan = plan_of(["runs/digits-cnn-1", "exports/m.onnx", "m=runs/x", "m@best=runs/y"], None, None)
    assert [entry.key for entry in plan.entries] == ["digits-cnn-1@1", "m@1", "m@2", "m@best"]
    assert plan.default == "digits-cnn-1@1"
    assert plan.newest("m") == Entry("m", "best", "runs/y")
    assert versions_by_name(plan.entries) == {"digits-cnn-1": ["1"], "m": ["1", "2", "best"]}


def test_an_existing_path_with_an_equals_sign_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    assert target_of("a=b") == "a=b"
    assert target_of("a=c") == "c"
    assert plan_of(["a=b"], None, None).entries == (Entry("a-b", "1", "a=b"),)


@pytest.mark.parametrize(
    ("target", "name"),
    [("runs/数据", "model"), ("./My Run!", "My-Run"), ("x/", "x"), ("model.v2.onnx", "model.v2"), ("..", "model")],
)
def test_a_name_is_made_of_what_an_address_may_hold(target, name):
    assert plan_of([target], None, None).entries[0].name == name


def test_shares_are_normalised_and_a_name_means_its_newest_version():
    plan = plan_of(["a=x", "a@2=y", "b=z"], "b", "a@1=3,a=1")
    assert plan.default == "b@1"
    assert plan.shares == {"a@1": 0.75, "a@2": 0.25}
    assert key_of(plan, "a") == "a@2"
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("words", "default", "shares", "what"),
    [
        (["a@1=x", "a@1=y"], None, None, "named twice"),
        (["a b=x"], None, None, "cannot be a name"),
        (["a@é=x"], None, None, "cannot be a version"),
        (["a=x"], "c", None, "no model 'c'"),
        (["a=x"], None, "a=much", "not a version and its share"),
        (["a=x"], None, "a=0", "positive"),
        (["a=x"], None, "a=nan", "positive"),
        (["a=x"], None, "b=1", "no model 'b'"),
        ([f"a@{n}=x" for n in range(101)], None, None, "too many"),
    ],
)
def test_what_cannot_be_served_is_refused(words, default, shares, what):
    with pytest.raises(UsageError, match=what):
        plan_of(words, default, shares)


def test_the_default_and_what_has_a_share_are_not_taken_away():
    plan = plan_of(["a=x", "b=y", "c=z"], None, "b=1")
    for key in ("a@1", "b@1"):
        with pytest.raises(UsageError, match=r"is (the default|given a share)"):
            plan.without(key)
    assert [entry.key for entry in plan.without("c@1").entries] == ["a@1", "b@1"]
    with pytest.raises(UsageError, match="no model"):
        plan.without("d@1")
