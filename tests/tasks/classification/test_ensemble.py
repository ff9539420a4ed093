"""`--ensemble N` of an image classifier: members learn as each would alone, and answer together."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.optim.layers import stages_of
from dlcli.metrics.members import MEMBERS
from dlcli.models.ensemble import members_of
from dlcli.tasks.classification.config import ClassificationInference

CPU = Device(torch.device("cpu"))
LOOPS = {
    "sgd, clipped, with a penalty": {"optimizer": "sgd", "learning_rate": 0.05, "clip_norm": 0.1, "l1": 1e-3},
    "adamw, three rates": {"optimizer": "adamw", "learning_rate": (1e-3, 3e-3, 1e-2)},
    "adamw, a frozen stage": {"optimizer": "adamw", "learning_rate": 1e-2, "freeze": "-2", "clip_norm": 0.5},
    "muon, micro-batches": {"optimizer": "muon", "learning_rate": 0.05, "accumulate": 2},
}


@pytest.fixture
def data(make_images):
    return make_images({"train": {"a": 13, "b": 8}, "test": {"a": 5, "b": 4}})


def fit(task, loop):
    config = TrainConfig(batch_size=8, workers=0, **loop)
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, CPU)
    train(state, loader, task.loader("valid"), config, [])
    return state.record


@pytest.mark.parametrize("loop", LOOPS.values(), ids=list(LOOPS))
def test_each_member_learns_exactly_as_it_would_alone(data, open_task, loop):
    options = {"dropout": 0.0, "label_smoothing": 0.1, "class_weights": "balanced"}
    loop = {**loop, "epochs": 2}
    together = open_task(data, **options, ensemble=3, train=loop)
    starts = [copy.deepcopy(member.state_dict()) for member in members_of(together.model)]
    record = fit(together, loop)
    alone = []
    for member, start in zip(members_of(together.model), starts, strict=True):
        task = open_task(data, **options, train=loop)
        task.model.load_state_dict(start)
        alone.append(fit(task, loop))
        for name, value in task.model.state_dict().items():
            torch.testing.assert_close(member.state_dict()[name], value, rtol=1e-6, atol=1e-6)
    for name in ("loss", "train_accuracy"):  # of the training, the mean over members
        assert record[name] == pytest.approx(np.mean([each[name] for each in alone]))


def test_members_start_from_different_weights_drawn_one_after_the_other(data, open_task):
    single, several = open_task(data), open_task(data, ensemble=2)
    first, second = members_of(several.model)
    for name, value in single.model.state_dict().items():
        assert torch.equal(first.state_dict()[name], value)
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
    assert [stage.name for stage in stages_of(first)] == [stage.name for stage in stages_of(single.model)]


def test_an_ensemble_of_one_is_a_single_network_by_its_names(data, open_task):
    task = open_task(data, ensemble=1)
    assert list(task.optimizers()) == ["network"]
    assert list(task.model.state_dict()) == list(open_task(data).model.state_dict())
    assert task.measure(next(iter(task.loader("test").batches()))) == {}


def test_what_members_reach_alone_stands_beside_what_they_reach_together(data, open_task):
    task = open_task(data, ensemble=3)
    metric = evaluate(task, task.loader("test"), CPU)
    report = metric.report()
    shares = []
    for member in members_of(task.model):
        right = total = 0
        for batch in task.loader("test").batches():
            right += int((member(batch["images"]).argmax(1) == batch["labels"]).sum())
            total += len(batch["labels"])
        shares.append(right / total)
    assert [entry["accuracy"] for entry in report[MEMBERS]] == shares
    assert report["metrics"]["accuracy_member"] == pytest.approx(np.mean(shares))
    assert report["metrics"]["accuracy"] == metric.compute()["accuracy"]
    first, *_ = task.tables(report, "test")
    assert (first.name, len(first.rows)) == (MEMBERS, 3)
    twice = evaluate(task, task.loader("test"), CPU)
    twice.merge(evaluate(task, task.loader("train"), CPU))
    assert len(twice.report()[MEMBERS]) == 3


def test_its_views_are_averaged_and_its_graph_has_the_outputs_of_one(data, open_task):
    task = open_task(data, ensemble=2)
    task.model.eval()
    batch = next(iter(task.loader("test").batches()))
    with torch.inference_mode():
        plain = task.infer(batch)["logits"]
        [graph] = task.export_plan().graphs
        assert graph.outputs == ("logits",)
        torch.testing.assert_close(graph.module(batch["images"]), plain)
        task.set_inference(ClassificationInference(tta=True))
        assert set(task.infer(batch)) == {"logits", "tta_logits"}


def test_margins_give_every_member_a_head_of_cosines(data, open_task):
    for member in members_of(open_task(data, ensemble=2, loss="am-softmax").model):
        assert type(member.network.head).__name__ == "CosineHead"


def test_a_layer_that_is_computed_from_images_is_computed_for_every_member(data, open_task):
    first, second = members_of(open_task(data, model="airnet", width=8, image_size=28, ensemble=2).model)
    assert torch.equal(first.network.whiten.weight, second.network.whiten.weight)
    assert not torch.equal(first.network.head.weight, second.network.head.weight)


def test_members_that_would_learn_the_same_are_refused(data, open_task, tmp_path):
    file = tmp_path / "w.pt"
    torch.save(open_task(data).model.network.state_dict(), file)
    with pytest.raises(UsageError, match="every member starts as the same network"):
        open_task(data, ensemble=2, pretrained=str(file))


def test_features_of_several_networks_are_not_cached(data, open_task):
    with pytest.raises(UsageError, match="each member of an ensemble has its own"):
        open_task(data, ensemble=2, cache="features", train={"freeze": "head"})


def test_the_teacher_answers_a_batch_once(data, open_task):
    from dlcli.tasks.classes.teacher import Teacher

    task = open_task(data, ensemble=3)
    calls = []
    teacher = Teacher(open_task(data).model, torch.arange(2), 2.0, 0.5)
    teacher.model.register_forward_hook(lambda *_: calls.append(1))
    task._loss.teacher = teacher
    updates = list(task.training_step(next(iter(task.loader("train", training=True).batches()))))
    assert [update.optimizer for update in updates] == ["member_1", "member_2", "member_3"]
    assert all(set(update.losses) == {"cross_entropy", "distillation"} for update in updates)
    assert len(calls) == 1
