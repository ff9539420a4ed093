from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from toys.shapes import CLASSES, coco_shapes

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.task import Calibrates, HasBaselines
from dlcli.metrics.members import MEMBERS
from dlcli.models.ensemble import members_of
from dlcli.tasks.multilabel.config import MultilabelConfig, MultilabelInference
from dlcli.tasks.multilabel.source import seen_targets, targets_of
from dlcli.tasks.multilabel.task import MultilabelTask

CPU = Device(torch.device("cpu"))
SMALL = MultilabelConfig(model="cnn", image_size=32, augment="none")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return coco_shapes(tmp_path_factory.mktemp("data") / "shapes", {"train": 40, "test": 6})


def opened(data, config=SMALL, **options):
    torch.manual_seed(0)
    loop = TrainConfig(**{"batch_size": 8, "epochs": 8, "learning_rate": 0.01, "workers": 0, **options})
    return MultilabelTask.from_data(config, loop, data), loop


def fitted(task, loop, callbacks=()):
    loader = task.loader("train", training=True)
    train(start_state(task, loader, loop, CPU), loader, task.loader("valid"), loop, callbacks)
    return task


def test_colours_are_learned_and_thresholds_chosen_on_the_validation_part(data):
    task = fitted(*opened(data))
    assert evaluate(task, task.loader("test"), CPU).compute()["map"] > 0.95
    assert isinstance(task, Calibrates) and isinstance(task, HasBaselines)
    valid = evaluate(task, task.loader("valid"), CPU)
    assert task.thresholds == pytest.approx(valid.thresholds(), abs=1e-6)
    logits, targets = (np.concatenate(values) for values in (valid._logits, valid._targets))
    for label, threshold in enumerate(task.thresholds):
        probabilities = 1 / (1 + np.exp(-logits[:, label].astype(float)))
        best = max(f1_score(targets[:, label], probabilities >= each) for each in probabilities)
        assert f1_score(targets[:, label], probabilities >= threshold) == pytest.approx(best)


def test_the_thresholds_are_among_the_weights_and_the_outputs(data):
    task, _ = opened(data)
    assert "thresholds" in task.model.state_dict()
    task.model.thresholds.copy_(torch.tensor([0.1, 0.2, 0.3]))
    batch = next(iter(task.loader("test").batches()))
    outputs = task.infer(batch)
    assert torch.equal(outputs["thresholds"], torch.tensor([[0.1, 0.2, 0.3]]).expand(len(batch["images"]), -1))
    task.set_inference(MultilabelInference(threshold=0.7))
    assert task.metric().used_thresholds.tolist() == [0.7] * 3


def test_targets_are_the_classes_of_objects_and_tags_but_not_of_crowds():
    objects = [Annotation(0, (0, 0, 5, 5), 25), Annotation(1, (0, 0, 5, 5), 25, is_crowd=True)]
    record = AnnotatedImage("a.png", 10, 10, tuple(objects), tags=(3,))
    assert targets_of([record, AnnotatedImage("b.png", 10, 10)], 4).tolist() == [[1, 0, 0, 1], [0, 0, 0, 0]]


def test_an_object_outside_the_canvas_is_no_target_but_a_tag_and_a_difficult_object_are():
    objects = (
        Annotation(0, (0, 0, 5, 5), 25),
        Annotation(1, (0, 0, 5, 5), 25),
        Annotation(2, (0, 0, 5, 5), 25, is_difficult=True),
    )
    record = AnnotatedImage("a.png", 10, 10, objects, tags=(3,))
    batch = {"labels": [torch.tensor([1])], "mirrored": torch.tensor([False]), "rows": torch.tensor([0])}
    assert seen_targets(batch, [record], 5).tolist() == [[0, 1, 1, 1, 0]]


def test_a_mirror_exchanges_left_and_right_in_tags_as_in_objects(tmp_path):
    folder = coco_shapes(tmp_path / "sides", {"train": 8})
    path = folder / "annotations/instances_train.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    for number, name in enumerate(("left hand", "right hand", "face")):
        value["categories"][number]["name"] = name
    for image in value["images"]:
        image["tags"] = [1]
    value["annotations"] = [{**each, "category_id": 3} for each in value["annotations"]]
    path.write_text(json.dumps(value), encoding="utf-8")
    config = dataclasses.replace(SMALL, augment="flip")
    task, _ = opened(folder, config, val_fraction=0.0)
    hands = torch.cat([batch["targets"] for batch in task.loader("train", training=True).batches()])
    assert hands[:, 2].tolist() == [1] * 8
    assert (hands[:, 0] + hands[:, 1]).tolist() == [1] * 8
    assert 0 < hands[:, 0].sum() < 8


def test_evaluation_shows_the_targets_of_every_image(data):
    task, _ = opened(data)
    loader = task.loader("test")
    targets = torch.cat([batch["targets"] for batch in loader.batches()])
    assert len(targets) == loader.num_items == 6
    assert targets.sum(1).tolist().count(1) == targets.sum(1).tolist().count(2) == 3
    augmented = opened(data, dataclasses.replace(SMALL, augment="default"))[0]
    batch = next(iter(augmented.loader("train", training=True).batches()))
    assert batch["targets"].shape == (8, 3) and batch["images"].shape == (8, 3, 32, 32)


def test_nothing_is_right_as_often_as_labels_are_absent(data):
    task, _ = opened(data)
    found = task.baseline("test")
    targets = torch.cat([batch["targets"] for batch in task.loader("test").batches()])
    assert found["nothing"]["accuracy"] == pytest.approx(1 - float(targets.mean()))
    assert found["nothing"]["micro_f1"] == 0
    assert found["frequency"]["loss"] < float(np.log(2)) + 0.05
    assert found["frequency"]["micro_f1"] > 0


@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
def test_a_step_with_every_loss(data, loss):
    task, loop = opened(data, dataclasses.replace(SMALL, loss=loss), epochs=1, max_steps=1)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    fitted(task, loop)
    assert any(not torch.equal(before[name], value) for name, value in task.model.state_dict().items())


def test_a_run_is_restored_from_its_assets_and_other_data_matched_by_name(data):
    task, loop = opened(data)
    other = MultilabelTask.from_assets(SMALL, loop, task.assets(), data)
    other.model.load_state_dict(task.model.state_dict())
    assert other.labels == CLASSES
    stranger = {**task.assets(), "labels": ["red", "green"]}
    with pytest.raises(DataError, match="'blue' is unknown to the run"):
        MultilabelTask.from_assets(SMALL, loop, stranger, data)


def test_what_cannot_be_trained_is_refused(tmp_path, data):
    empty = coco_shapes(tmp_path / "empty", {"train": 4, "test": 2})
    for path in (empty / "annotations").glob("*_train.json"):
        text = path.read_text(encoding="utf-8")
        first, last = text.index('"annotations": ['), text.index('"categories"')
        path.write_text(f'{text[:first]}"annotations": [], {text[last:]}', encoding="utf-8")
    with pytest.raises(DataError, match="no training image has an object or a tag"):
        opened(empty)
    with pytest.raises(UsageError, match="no network 'resnett'"):
        opened(data, dataclasses.replace(SMALL, model="resnett"))
    with pytest.raises(UsageError, match="--pretrained"):
        MultilabelTask.from_network("cnn", {}, "default")


def test_samples_show_training_and_validation(data):
    task, _ = opened(data)
    with torch.inference_mode():
        samples = task.samples()
    assert samples.picture.ndim == 3
    assert MultilabelTask.from_network("cnn", {"image_size": 32}).samples() is None


def test_members_of_an_ensemble_learn_apart_and_answer_by_their_mean_probability(data):
    task, loop = opened(data, dataclasses.replace(SMALL, ensemble=2), epochs=1)
    fitted(task, loop)
    first, second = members_of(task.model)
    batch = next(iter(task.loader("test").batches()))
    with torch.inference_mode():
        probabilities = [member(batch["images"]).sigmoid() for member in (first, second)]
        torch.testing.assert_close(task.infer(batch)["logits"].sigmoid(), sum(probabilities) / 2)
    assert not torch.allclose(*probabilities)
    report = evaluate(task, task.loader("test"), CPU).report()
    alone = [entry["map"] for entry in report[MEMBERS]]
    assert report["metrics"]["map_member"] == pytest.approx(np.mean(alone))
    lone, _ = opened(data)
    lone.model.load_state_dict({**second.state_dict(), "thresholds": task.model.thresholds})
    assert evaluate(lone, lone.loader("test"), CPU).compute()["map"] == pytest.approx(alone[1])
