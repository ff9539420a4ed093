from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import draw_samples, evaluate
from dlcli.engine.loop import start_state, train
from dlcli.export.plan import PARITY_BATCHES
from dlcli.models.heads import head_name, head_of, watching
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.networks import NETWORKS, default_sizes
from dlcli.tasks.classification.task import ClassificationTask

CPU = Device(torch.device("cpu"))
TWO = {"a": 20, "b": 20}


def fit(task, epochs=4, **options):
    config = TrainConfig(batch_size=8, epochs=epochs, **options)
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, CPU)
    valid = task.loader("valid")
    train(state, loader, valid if len(valid) else None, config, [])
    return task


def restored(task, data, **options):
    """Return the task as a run on other data restores it."""
    config, loop = ClassificationConfig(model="cnn", **options), TrainConfig(batch_size=8, workers=0)
    other = ClassificationTask.from_assets(config, loop, task.assets(), data)
    other.model.load_state_dict(task.model.state_dict())
    return other


def accuracy(task, split="test"):
    return evaluate(task, task.loader(split), CPU).compute()["accuracy"]


def test_rare_classes_weigh_more_and_the_mean_over_images_is_one(make_images, open_task):
    data = make_images({"train": {"a": 30, "b": 6, "c": 12}})
    task = open_task(data, class_weights="balanced", train={"val_fraction": 0.0})
    weights = task.model.class_weights
    torch.testing.assert_close(weights, torch.tensor([48 / 90, 48 / 18, 48 / 36]))
    assert float((weights * torch.tensor([30.0, 6.0, 12.0])).sum()) == pytest.approx(48)
    assert not any("class_weights" in name for name in task.model.state_dict())
    assert open_task(data).model.class_weights is None


@pytest.mark.parametrize("size", [(16, 16), (20, 30)])
def test_rare_classes_are_drawn_as_often_as_others_in_training_alone(make_images, open_task, size):
    data = make_images({"train": {"a": 30, "b": 6, "c": 12}}, size=size)
    task = open_task(data, class_weights="sample", loss="focal:1", train={"val_fraction": 0.0})
    labels = torch.cat([batch["labels"] for batch in task.loader("train", training=True).batches(1)])
    assert labels.bincount().tolist() == [16, 16, 16]
    assert torch.cat([batch["labels"] for batch in task.loader("train").batches()]).bincount().tolist() == [30, 6, 12]
    batch = next(iter(task.loader("train", training=True).batches()))
    assert set(next(task.training_step(batch)).losses) == {"focal"} and task.model.class_weights is None


@pytest.mark.parametrize(
    ("model", "size", "channels"),
    [*((name, 32, 3) for name in NETWORKS), ("lenet", 8, 1), ("lenet", 28, 1), ("cnn", 8, 1), ("cnn", 28, 1)],
)
def test_every_network_trains_a_step_at_the_sizes_of_small_images(make_images, open_task, model, size, channels):
    data = make_images({"train": {"a": 4, "b": 4}}, size=(size, size), channels=channels)
    task = open_task(data, model=model, train={"val_fraction": 0.0})
    assert task.preprocess.channels == channels
    before = {name: value.detach().clone() for name, value in task.model.named_parameters()}
    loader = task.loader("train", training=True)
    state = start_state(task, loader, TrainConfig(batch_size=8, epochs=1), CPU)
    train(state, loader, None, TrainConfig(batch_size=8, epochs=1), [])
    assert state.step == 1
    moved = [not torch.equal(before[name], value) for name, value in task.model.named_parameters()]
    assert sum(moved) > len(moved) / 2  # a residual branch that starts at zero passes no gradient on in its first step


@pytest.mark.parametrize("loss", ["am-softmax:0.2,16", "arcface:0.3,16"])
def test_with_a_margin_a_run_answers_with_scaled_cosines(make_images, open_task, loss):
    data = make_images({"train": {"a": 24, "b": 24}, "test": {"a": 6, "b": 6}})
    task = open_task(data, model="cnn", loss=loss)
    fit(task)
    assert accuracy(task) == 1.0
    batch = next(iter(task.loader("test").batches()))
    again = restored(task, data, loss=loss)
    for model in (task.model, again.model):
        model.eval()
    with torch.no_grad(), watching(head_of(again.model)) as seen:
        logits = again.infer(batch)["logits"]
        cosines = F.cosine_similarity(seen[0][:, None], head_of(again.model).weight[None], dim=2)
        torch.testing.assert_close(logits, 16 * cosines)
        torch.testing.assert_close(logits, task.infer(batch)["logits"])


def test_a_network_without_a_linear_head_is_refused_a_margin(make_images, open_task):
    with pytest.raises(UsageError, match="--loss arcface: not with this network: its head is a convolution"):
        open_task(make_images({"train": {"a": 4, "b": 4}}, size=(40, 40)), model="squeezenet1_1", loss="arcface")


def test_images_that_can_be_told_apart_are_learnt(make_images, open_task):
    data = make_images({"train": TWO, "test": {"a": 10, "b": 10}}, shades="ab")
    assert accuracy(fit(open_task(data))) == 1.0


def test_classes_are_matched_by_name_on_other_data(make_images, open_task):
    task = fit(open_task(make_images({"train": {"b": 20, "d": 20, "f": 20}})))
    whole = make_images({"test": {"b": 9, "d": 9, "f": 9}}, name="whole", seed=1)
    expected = accuracy(restored(task, whole))
    assert expected > 0.9
    part = shutil.copytree(whole, whole.with_name("part"))
    shutil.rmtree(part / "test" / "b")  # without it "d" is the first class of the folder
    assert accuracy(restored(task, part)) == 1.0
    stranger = make_images({"test": {"b": 2, "e": 2}}, name="stranger")
    with pytest.raises(DataError, match="'e' is unknown to the run"):
        restored(task, stranger)


def test_the_datas_own_validation_part_is_used(make_images, open_task):
    task = open_task(make_images({"train": TWO, "valid": {"a": 3, "b": 4}}))
    assert task.loader("train", training=True).num_items == 40
    assert task.loader("valid").num_items == 7


def test_the_validation_part_is_stratified_seeded_and_disjoint_from_what_is_trained_on(make_images, open_task):
    data = make_images({"train": {"a": 40, "b": 10}})

    def parts(seed):
        task = open_task(data, train={"val_fraction": 0.2, "seed": seed})
        loaders = task.loader("train", training=True), task.loader("valid")
        return [[row for batch in loader.batches() for row in batch["rows"].tolist()] for loader in loaders], task

    (trained, valid), task = parts(0)
    assert sorted(trained + valid) == list(range(50))
    labels = torch.cat([batch["labels"] for batch in task.loader("valid").batches()])
    assert labels.bincount().tolist() == [8, 2]
    assert parts(0)[0][1] == valid
    assert parts(1)[0][1] != valid


def test_the_test_part_is_never_seen_in_training(make_images, open_task, monkeypatch):
    data = make_images({"train": {"a": 20, "b": 20}, "test": {"f": 0, "a": 20, "b": 20}}, shades="abcdef")
    for path in (data / "test").rglob("*.png"):
        shutil.copy(next((data / "train" / "a").iterdir()), path)
    task, seen = open_task(data), []
    original = type(task._source.form).packed

    def packed(self, split):
        seen.append(split)
        return original(self, split)

    monkeypatch.setattr(type(task._source.form), "packed", packed)
    fit(task, epochs=1)
    assert set(seen) == {"train"}
    list(task.loader("test").batches())
    assert "test" in seen


@pytest.mark.parametrize("size", [(8, 8), (70, 90)], ids=["packed", "file by file"])
def test_an_evaluation_of_the_training_part_sees_every_image_once_and_as_it_is(make_images, open_task, size):
    data = make_images({"train": {"a": 9, "b": 8}}, size=size)
    task = open_task(data, image_size=None if size == (8, 8) else 32, train={"val_fraction": 0.0})
    first, second = (list(task.loader("train").batches(epoch)) for epoch in (0, 1))
    assert [row for batch in first for row in batch["rows"].tolist()] == list(range(17))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one["images"], other["images"])
        assert one["plan"] == {}


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_the_worst_mistakes_show_their_own_images(make_images, open_task, split):
    data = make_images({"train": TWO, "test": {"a": 9, "b": 9}}, size=(70, 70), shades="ab")
    (data / split.replace("valid", "train") / "a" / "003.png").write_bytes(b"no image")  # shifts those behind it
    task = open_task(data, image_size=32, train={"val_fraction": 0.3})
    report = evaluate(task, task.loader(split), CPU).report()
    images = task._source.images_at(split, [entry["index"] for entry in report["worst"]])
    assert report["worst"]
    for entry, image in zip(report["worst"], images, strict=True):
        assert entry["label"] == int(image.mean() > 60), "class a is dark, class b is light"


def test_grey_images_for_pretrained_weights_are_read_in_three_channels(make_images, open_task, monkeypatch):
    from dlcli.models.images import zoo

    asked = []

    def build(name, *, num_classes, in_channels, image_size, pretrained):
        asked.append((in_channels, pretrained))
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))

    monkeypatch.setattr(zoo, "build_torchvision", build)
    data = make_images({"train": TWO}, channels=1)
    task = open_task(data, model="resnet18", pretrained="default")
    assert asked == [(3, "default")]
    assert len(task.preprocess.mean) == len(task.preprocess.std) == 3
    images = next(task.loader("train").batches())["images"]
    assert images.shape[1:] == (3, 8, 8)
    assert torch.equal(images[:, 0], images[:, 1])
    assert open_task(data).preprocess.channels == 1


def test_a_restored_run_downloads_no_weights(make_images, open_task, monkeypatch):
    from dlcli.models.images import zoo

    asked = []
    monkeypatch.setattr(
        zoo, "build_torchvision", lambda name, *, pretrained, **_: asked.append(pretrained) or nn.Linear(1, 1)
    )
    assets = open_task(make_images({"train": TWO})).assets()
    config = ClassificationConfig(model="resnet18", pretrained="default")
    ClassificationTask.from_assets(config, TrainConfig(), assets, None)
    assert asked == [None]


@pytest.mark.parametrize("model", ["cnn", "lenet", "squeezenet1_1"])
def test_a_frozen_network_trains_its_head_alone(make_images, open_task, model):
    data = make_images({"train": TWO}, size=(32, 32))
    task = open_task(data, model=model, train={"freeze": "head"})
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    fit(task, epochs=1, learning_rate=0.1)
    head = f"network.{head_name(task.model.network)}"
    changed = {name for name, value in task.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"{head}.weight", f"{head}.bias"}


def test_an_unreadable_photo_is_endured_and_stands_on_the_card(make_images, open_task):
    data = make_images({"train": TWO}, size=(70, 90))
    (data / "train" / "a" / "003.png").write_bytes(b"no image")
    options = {"model": "lenet", "image_size": 32}
    task = fit(open_task(data, **options, train={"val_fraction": 0.0}), epochs=2)
    assert [warning for warning in task.card.warnings if "003.png" in warning]
    strict = open_task(data, **options, max_bad=0, train={"val_fraction": 0.0})
    with pytest.raises(DataError, match="--max-bad 0"):
        fit(strict, epochs=1)


def test_worker_processes_change_no_photo_and_any_batch_is_reached(make_images, open_task):
    data = make_images({"train": TWO}, size=(70, 90))
    loaders = [
        open_task(data, image_size=32, train={"workers": workers}).loader("train", training=True) for workers in (0, 2)
    ]
    alone, helped = (list(loader.batches(1)) for loader in loaders)
    tail = list(loaders[1].batches(1, start=2))
    for one, other in [*zip(alone, helped, strict=True), *zip(alone[2:], tail, strict=True)]:
        assert torch.equal(one["images"], other["images"])
        assert torch.equal(one["labels"], other["labels"])


def test_without_augmentation_training_sees_the_images_themselves(make_images, open_task):
    data = make_images({"train": TWO}, size=(70, 90))
    task = open_task(data, image_size=32, augment="none", train={"val_fraction": 0.0})
    plain = torch.cat([batch["images"] for batch in task.loader("train").batches()])
    for batch in task.loader("train", training=True).batches():
        assert torch.equal(batch["images"], plain[batch["rows"]])


def test_photos_are_brought_to_224_pixels_and_small_images_keep_their_size(make_images, open_task):
    assert open_task(make_images({"train": {"a": 4, "b": 4}}, size=(12, 10))).preprocess.height == 12
    large = make_images({"train": {"a": 4, "b": 4}}, name="photos", size=(300, 240))
    preprocess = open_task(large).preprocess
    assert (preprocess.height, preprocess.width) == (224, 224)


def test_samples_show_what_training_sees(make_images, open_task):
    picture = draw_samples(open_task(make_images({"train": TWO})), CPU).picture
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3


def test_what_does_not_fit_the_data_is_said(make_images, open_task):
    with pytest.raises(DataError, match="two or more"):
        open_task(make_images({"train": {"a": 4}}, name="one"))
    data = make_images({"train": TWO})
    with pytest.raises(UsageError, match="no network 'resnet8'") as caught:
        open_task(data, model="resnet8")
    assert "did you mean" in str(caught.value.hint)
    with pytest.raises(UsageError, match="no published weights"):
        open_task(data, model="cnn", pretrained="default")
    with pytest.raises(DataError, match="no split 'test'"):
        open_task(data).loader("test")


def test_a_network_by_name_has_its_own_size_and_no_data():
    for name in NETWORKS:
        size = default_sizes(name)
        if size["image_size"] > 32:
            continue
        task = ClassificationTask.from_network(name, {})
        plan = task.export_plan()
        assert plan.graphs[0].example["images"].shape[1:] == (size["channels"], size["image_size"], size["image_size"])
        assert len(task.labels) == size["num_classes"]
        assert task.card is None
        with pytest.raises(DataError, match="no data is at hand"):
            task.loader("test")


def test_the_export_plan_has_real_images_where_there_are_any(make_images, open_task):
    task = open_task(make_images({"train": TWO, "test": {"a": 9, "b": 9}}, shades="ab"))
    [graph] = task.export_plan().graphs
    assert [len(sample["images"]) for sample in graph.samples] == list(PARITY_BATCHES)
    means = np.concatenate([sample["images"].mean((1, 2, 3)) for sample in graph.samples])
    assert (means < 40).any()
    assert ((means > 90) & (means < 140)).any()


def test_the_export_plan_has_noise_where_no_image_can_be_read(make_images, open_task):
    task = open_task(make_images({"train": TWO}, size=(70, 70)), image_size=8)
    for file in task.source.form.files("train"):
        file.write_bytes(b"")
    [graph] = task.export_plan().graphs
    assert [len(sample["images"]) for sample in graph.samples] == list(PARITY_BATCHES)
    assert all(sample["images"].std() > 50 for sample in graph.samples)
