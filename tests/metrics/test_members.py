"""What members reach alone: each one's value, and their mean among the metrics."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from dlcli.metrics.members import MEMBERS, Accuracy, MemberFigures, member_tables
from dlcli.metrics.multilabel import MultilabelMetric

LABELS = {"labels": np.array([0, 1, 1])}
ANSWERS = np.array([[[9, 0], [0, 9]], [[9, 0], [0, 9]], [[0, 9], [0, 9]]])  # right: 2 of 3 by the first and the second


def test_each_members_share_of_right_answers_and_their_mean():
    figures = MemberFigures(Accuracy, "logits", "accuracy")
    figures.update(LABELS, ANSWERS)
    figures.update({"labels": np.array([0])}, np.array([[[1, 0], [0, 1]]]))
    found = figures.added_to({"metrics": {"accuracy": 0.9}, "more": 1})
    assert found[MEMBERS] == [{"member": 1, "accuracy": 0.75}, {"member": 2, "accuracy": 0.5}]
    assert found["metrics"] == {"accuracy": 0.9, "accuracy_member": 0.625} and found["more"] == 1
    [table] = member_tables(found)
    assert (table.columns, table.rows) == (["member", "accuracy"], [[1, 0.75], [2, 0.5]])


def test_a_single_network_has_none():
    report = {"metrics": {"accuracy": 0.9}}
    assert MemberFigures(Accuracy, "logits", "accuracy").added_to(report) == report
    assert list(member_tables(report)) == []
    assert math.isnan(Accuracy().compute()["accuracy"])


@pytest.mark.parametrize("cut", [0, 2], ids=["one has no batch", "both have one"])
def test_the_parts_of_several_processes_are_added_member_by_member(cut):
    whole, total = (MemberFigures(Accuracy, "logits", "accuracy") for _ in range(2))
    whole.update(LABELS, ANSWERS)
    for part in (slice(0, cut), slice(cut, 3), slice(0, 0)):
        own = MemberFigures(Accuracy, "logits", "accuracy")
        if len(ANSWERS[part]):
            own.update({"labels": LABELS["labels"][part]}, ANSWERS[part])
        total.merge(pickle.loads(pickle.dumps(own)))
    assert total.added_to({"metrics": {}}) == whole.added_to({"metrics": {}})


def test_a_metric_of_labels_measures_each_member_too():
    targets = np.array([[1, 0], [0, 1], [1, 1]])
    logits = np.random.default_rng(0).normal(size=(3, 2, 2))
    metric = MultilabelMetric(("a", "b"))
    metric.update({"targets": targets}, {"logits": logits.mean(1)})
    plain = metric.report()
    metric.update({"targets": targets}, {MEMBERS: logits})
    alone = [MultilabelMetric(("a", "b")) for _ in range(2)]
    for number, each in enumerate(alone):
        each.update({"targets": targets}, {"logits": logits[:, number]})
    report = metric.report()
    assert [entry["map"] for entry in report[MEMBERS]] == [each.compute()["map"] for each in alone]
    assert {name: report["metrics"][name] for name in plain["metrics"]} == plain["metrics"]
