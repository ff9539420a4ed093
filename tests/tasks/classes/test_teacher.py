"""Distillation: the soft loss is that of the paper, and a teacher that reads other inputs is refused."""

from __future__ import annotations

import types
from pathlib import Path

import pytest
import torch
from torch import nn

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.tasks.classes import teacher as teaching
from dlcli.tasks.classes.losses import ClassLoss
from dlcli.tasks.classes.options import read_distill
from dlcli.tasks.classes.teacher import Teacher, open_teacher, soft_loss

RANDOM = torch.Generator().manual_seed(0)
STUDENT, SOFT = torch.randn(6, 3, generator=RANDOM), torch.randn(6, 3, generator=RANDOM)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
LOOP = TrainConfig()


def test_the_soft_loss_is_the_divergence_at_a_temperature():
    exponentials = [(logits / 3).exp() for logits in (SOFT, STUDENT)]
    teacher, student = (each / each.sum(1, keepdim=True) for each in exponentials)
    expected = 9 * (teacher * (teacher / student).log()).sum() / 6
    torch.testing.assert_close(soft_loss(STUDENT, SOFT, 3.0), expected)
    assert float(soft_loss(SOFT + 5, SOFT, 3.0)) == pytest.approx(0, abs=1e-6)


def test_at_a_high_temperature_it_matches_logits():
    # Hinton et al. 2015, equation 4: with zero-mean logits the gradient is (student - teacher) / C.
    student, soft = (logits - logits.mean(1, keepdim=True) for logits in (STUDENT, SOFT))
    student = student.requires_grad_()
    soft_loss(student, soft, 1000.0).backward()
    torch.testing.assert_close(student.grad, (student.detach() - soft) / 3 / 6, atol=1e-3, rtol=0)


def test_the_losses_of_a_step_are_weighted_and_classes_are_matched():
    net = nn.Linear(4, 5)
    items, places = torch.randn(6, 4), torch.tensor([4, 0, 2])
    teacher = Teacher(net, places, temperature=2.0, weight=0.75)
    losses = ClassLoss("focal", 0.0, teacher).of_step(STUDENT, LABELS, None, items)
    torch.testing.assert_close(losses["focal"], 0.25 * ClassLoss("focal", 0.0)(STUDENT, LABELS, None))
    torch.testing.assert_close(losses["distillation"], 0.75 * soft_loss(STUDENT, net(items)[:, places], 2.0))
    assert not net.training and not any(parameter.requires_grad for parameter in net.parameters())
    assert set(ClassLoss("cross-entropy", 0.0).of_step(STUDENT, LABELS, None, items)) == {"cross_entropy"}


def test_every_member_of_an_ensemble_learns_from_all_answers():
    net, items = nn.Linear(4, 3), torch.randn(6, 4)
    teacher = Teacher(net, torch.arange(3), temperature=2.0, weight=1.0)
    members = torch.stack([STUDENT, SOFT])
    answers = teacher.answers(items)
    mean = (teacher.loss(members[0], answers) + teacher.loss(members[1], answers)) / 2
    torch.testing.assert_close(teacher.loss(members.flatten(0, 1), answers), mean)


def test_temperature_and_weight_are_read():
    assert read_distill("2,0.5") == (2.0, 0.5) and read_distill("2") == (2.0, 0.9)
    for text in ("0,0.5", "2,1.5", "warm", "1,2,3"):
        with pytest.raises(ValueError, match=r"must be|is a number|too many"):
            read_distill(text)


class Classifier:
    """A task in so far as a teacher or a student is one."""

    def __init__(self, labels=("a", "b"), **assets):
        self.labels = labels
        self.model = nn.Linear(2, len(labels))
        self._assets = assets

    def assets(self):
        return {"labels": list(self.labels), **self._assets}


class Another(Classifier):
    """A task of another kind."""


IMAGES = {"preprocess": {"channels": 3, "size": [32, 32], "mean": [0.5]}}
TEXTS = {"preprocess": {"tokenizer": {"name": "char"}, "max_length": 9}, "vocab": ["a", "b"]}
COLUMN = {"name": "size", "offset": 0.0, "median": 1.0}
CATEGORY = {"name": "c", "categories": ["x"], "has_missing": True}
TABLE = {"columns": {"numeric": [COLUMN], "categorical": [], "target": {"name": "t"}}}


@pytest.fixture
def opened(monkeypatch):
    """A function (teacher, student) -> the opened teacher."""

    def opened(teacher, student, train=LOOP, values=None):
        from dlcli.engine.runs import restore

        monkeypatch.setattr(restore, "load_task", lambda run: (teacher, None))
        monkeypatch.setattr(teaching, "resolve_run", lambda text: types.SimpleNamespace(path=Path(text)))
        return open_teacher("big", values, student, train)

    return opened


@pytest.mark.parametrize("assets", [IMAGES, TEXTS, TABLE])
def test_a_teacher_may_know_more_classes_in_another_order(opened, assets):
    teacher = Classifier(("c", "b", "a"), **assets)
    items = torch.randn(6, 2)
    found = opened(teacher, Classifier(("a", "b"), **assets), values="3,0.5")
    torch.testing.assert_close(
        found.loss(STUDENT[:, :2], found.answers(items)), soft_loss(STUDENT[:, :2], teacher.model(items)[:, [2, 1]], 3)
    )
    assert found.weight == 0.5


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        (IMAGES, {"preprocess": {"channels": 3, "size": [28, 28]}}, "its image sizes differ"),
        (IMAGES, {"preprocess": {"channels": 1, "size": [32, 32]}}, "its channels differ"),
        (TEXTS, {**TEXTS, "vocab": ["b", "a"]}, "its vocabularies differ"),
        (TEXTS, {**TEXTS, "preprocess": {"tokenizer": {"name": "jieba"}}}, "its tokenizers differ"),
        (TABLE, {"columns": {"numeric": [{**COLUMN, "offset": 9.0}], "categorical": []}}, "columns of numbers differ"),
        (
            TABLE,
            {
                "columns": {
                    "numeric": [COLUMN],
                    "categorical": [{"name": "c", "categories": ["x"], "has_missing": True}],
                }
            },
            "its categories differ",
        ),
    ],
)
def test_a_teacher_that_reads_other_inputs_is_refused(opened, teacher, student, message):
    with pytest.raises(DataError, match=message) as caught:
        opened(Classifier(**teacher), Classifier(**student))
    assert len(caught.value.details) == 2 and "same prepared data" in caught.value.hint


def test_other_contradictions_are_refused(opened):
    with pytest.raises(DataError, match="does not know the class 'z'"):
        opened(Classifier(("a", "b")), Classifier(("a", "z")))
    with pytest.raises(UsageError, match="a run of another task"):
        opened(Another(), Classifier())
    with pytest.raises(UsageError, match="it may have seen what a fold tests"):
        opened(Classifier(), Classifier(), TrainConfig(folds="3"))
    with pytest.raises(UsageError, match="--distill needs --teacher"):
        open_teacher(None, "2,0.5", Classifier(), TrainConfig())
    assert open_teacher(None, None, Classifier(), TrainConfig()) is None
