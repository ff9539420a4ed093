from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from toys.annotated import voc_folder, voc_object
from toys.shapes import CLASSES, coco_shapes

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.annotation import VOID
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.codec import Source
from dlcli.engine.compute.device import Device, to_numpy
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.metrics.members import MEMBERS
from dlcli.models.ensemble import members_of
from dlcli.tasks.segmentation.codec import SegmentationCodec
from dlcli.tasks.segmentation.config import SegmentationConfig
from dlcli.tasks.segmentation.source import class_pixels
from dlcli.tasks.segmentation.task import SegmentationTask

CPU = Device(torch.device("cpu"))
SMALL = SegmentationConfig(image_size=64, width=8, augment="none")
BALANCED = dataclasses.replace(SMALL, class_weights="balanced")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return coco_shapes(tmp_path_factory.mktemp("data") / "shapes", {"train": 4, "test": 3})


def opened(data, config=SMALL, **options):
    torch.manual_seed(0)
    defaults = {"batch_size": 4, "epochs": 6, "learning_rate": 0.02, "schedule": "onecycle", "val_fraction": 0.0}
    loop = TrainConfig(**{**defaults, "workers": 0, **options})
    return SegmentationTask.from_data(config, loop, data), loop


def fitted(task, loop):
    loader = task.loader("train", training=True)
    train(start_state(task, loader, loop, CPU), loader, None, loop, [])
    return task


@pytest.fixture(scope="module")
def learned(data):
    return fitted(*opened(data))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "epochs"),
    [({}, 60), ({"model": "lraspp_mobilenet_v3_large", "width": None}, 100)],
    ids=["unet", "lraspp"],
)
def test_eight_images_are_learned_by_heart(tmp_path, options, epochs):
    shapes = coco_shapes(tmp_path / "shapes", {"train": 8, "test": 1})
    config = dataclasses.replace(SMALL, **options)
    task = fitted(*opened(shapes, config, batch_size=8, epochs=epochs, learning_rate=0.01))
    assert evaluate(task, task.loader("train"), CPU).compute()["miou"] > 0.95


def test_the_answer_to_an_image_is_what_evaluation_measures(learned):
    """The mIoU from the masks of `predict` equals that of `eval`: both are at the size of the image."""
    codec, records = SegmentationCodec(learned.assets()), learned.source.part("test")[0]
    metric = learned.metric()
    expected = evaluate(learned, learned.loader("test"), CPU).compute()
    for record in records:
        item = codec.encode(Source("a", learned.source.form.root / record.file))
        batch = {"images": torch.from_numpy(item.arrays["images"])[None]}
        with torch.inference_mode():
            [answer] = codec.decode(to_numpy(learned.infer(batch)), [item])
        drawn = np.zeros((record.height, record.width), np.uint8)
        for entry in answer.record["classes"]:
            mask = to_pixels(entry["mask"], *drawn.shape)
            assert entry["share"] == pytest.approx(mask.mean(), abs=1e-6)
            drawn[mask > 0] = CLASSES.index(entry["label"]) + 1
        metric._metric.update({"label_maps": [learned.truth(record)]}, {"label_map": [drawn]})
        assert codec.draw(item.source, answer).ndim == 3
    assert metric.compute() == pytest.approx(expected)


def test_training_batches_have_the_canvas_of_most_images_and_void_outside_them(data):
    task, _ = opened(data)
    batch = next(iter(task.loader("train", training=True).batches()))
    assert batch["images"].shape[2:] == batch["label_maps"].shape[1:]
    assert (batch["label_maps"] == VOID).any() and (batch["label_maps"] == 0).any()


def test_every_loss_that_an_option_adds_and_weights_for_every_class(data):
    task, _ = opened(data, dataclasses.replace(SMALL, dice=True, class_weights="balanced"))
    [update] = task.training_step(next(iter(task.loader("train", training=True).batches())))
    assert set(update.losses) == {"cross_entropy", "dice"}
    assert task.model.class_weights.shape == (4,) and task.model.class_weights.min() > 0


def test_what_cannot_be_trained_is_refused(tmp_path, data):
    boxes = voc_folder(tmp_path / "boxes", {"a": [voc_object("cat", (1, 1, 9, 9))]})
    with pytest.raises(DataError, match="no image has a mask or a label map") as caught:
        opened(boxes)
    assert not caught.value.details
    with pytest.raises(UsageError, match="no segmentation network 'unett'"):
        opened(data, dataclasses.replace(SMALL, model="unett"))
    with pytest.raises(UsageError, match="two or more"):
        opened(data, SegmentationConfig(model="deeplabv3_resnet50"), batch_size=1)
    with pytest.raises(UsageError, match="--pretrained: no --backbone"):
        opened(data, dataclasses.replace(SMALL, pretrained="default"))
    with pytest.raises(UsageError, match="--width"):
        opened(data, SegmentationConfig(model="lraspp_mobilenet_v3_large", width=8))


def test_a_run_is_restored_from_its_assets(data, learned):
    other = SegmentationTask.from_assets(SMALL, TrainConfig(workers=0), learned.assets(), data)
    other.model.load_state_dict(learned.model.state_dict())
    figures = [evaluate(task, task.loader("test"), CPU).compute() for task in (learned, other)]
    assert figures[0] == figures[1]
    with torch.inference_mode():
        assert learned.samples().picture.ndim == 3


def test_an_ensemble_answers_by_the_mean_probability_of_each_pixel(data):
    task, loop = opened(data, dataclasses.replace(SMALL, ensemble=2, dice=True), epochs=1)
    fitted(task, loop)
    task.model.eval()
    batch = next(iter(task.loader("test").batches()))
    with torch.inference_mode():
        probabilities = [member(batch["images"]).softmax(1) for member in members_of(task.model)]
        assert torch.equal(task.infer(batch)["label_map"], sum(probabilities).argmax(1).to(torch.uint8))
        [graph] = task.export_plan().graphs
        assert graph.outputs == ("label_map",)
    report = evaluate(task, task.loader("test"), CPU).report()
    alone = [entry["miou"] for entry in report[MEMBERS]]
    assert report["metrics"]["miou_member"] == pytest.approx(np.mean(alone))
    lone, _ = opened(data)
    lone.model.load_state_dict(members_of(task.model)[1].state_dict())
    assert evaluate(lone, lone.loader("test"), CPU).compute()["miou"] == pytest.approx(alone[1])


def test_a_fresh_network_begins_with_the_shares_of_the_training_part(data):
    task, _ = opened(data)
    truth = [task.truth(record) for record in task.source.part("train")[0]]
    counts = np.bincount(np.concatenate([each.ravel() for each in truth]), minlength=256)[: len(CLASSES) + 1]
    for member in members_of(task.model):
        assert member.network.head.bias.detach().exp().numpy() == pytest.approx(counts / counts.sum(), rel=1e-5)


def test_balanced_weights_leave_the_start_as_it_is(data):
    biases = [member.network.head.bias for member in members_of(opened(data, BALANCED)[0].model)]
    assert all(bias.abs().max() < 1 for bias in biases)


def test_of_many_images_so_many_are_counted_evenly(data):
    task, _ = opened(data)
    every = class_pixels(task.source, task.truth)
    assert len(every) == 4
    assert class_pixels(task.source, task.truth, most=4).tolist() == every.tolist()
    assert class_pixels(task.source, task.truth, most=2).tolist() == every[[0, 3]].tolist()
