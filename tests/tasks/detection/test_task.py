"""The detection task: what is learned, measured and answered are boxes in the images' own pixels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from toys.painted import COLOURS, Seeing, detection_task, painted_voc, photos_of, small_config, small_train

from dlcli.core.errors import DataError
from dlcli.data.images.decoding import read_image
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.models.detection.anchors import fitted_shapes
from dlcli.models.detection.normalised import NormalisedDetector
from dlcli.models.detection.ssd import ssd_shapes
from dlcli.tasks.detection.codec import DetectionCodec
from dlcli.tasks.detection.config import DetectionInference
from dlcli.tasks.detection.source import box_sizes
from dlcli.tasks.detection.task import DetectionTask

CPU = Device(torch.device("cpu"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path):
    """Nine photos with a cat and a dog each, six of them for training."""
    names = list(photos := photos_of(9))
    return painted_voc(tmp_path / "voc", photos, train=" ".join(names[:6]), test=" ".join(names[6:]))


def seeing(task, shift=0.0):
    """Return the task with a detector that finds every object."""
    task.model = NormalisedDetector(
        Seeing(task.labels, shift), task.preprocess.mean, task.preprocess.std, len(task.labels)
    )
    return task


def figures(task, split="test"):
    return evaluate(task, task.loader(split), CPU).compute()


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (64.0, 0.0)], ids=["exact", "shifted by a canvas"])
def test_a_detector_that_sees_the_boxes_in_the_canvas_has_an_ap_of_one(data, shift, expected):
    assert figures(seeing(detection_task(data), shift))["ap"] == expected


def test_objects_in_training_batches_are_where_the_pixels_are(data):
    task = detection_task(data, augment="none")
    for batch in task.loader("train", training=True).batches():
        for image, boxes, labels in zip(batch["images"].numpy(), batch["boxes"], batch["labels"], strict=True):
            assert len(boxes) == 2
            for (left, top, right, bottom), label in zip(boxes.round().int().tolist(), labels.tolist(), strict=True):
                is_bright = image[COLOURS[task.labels[label]]] > 190  # the ground is dark, the canvas's rest grey
                assert is_bright[top + 1 : bottom - 1, left + 1 : right - 1].all()
                is_bright[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = False
                assert not is_bright.any()
    assert task.labels == ("cat", "dog")


def test_a_run_with_its_classes_in_another_order_is_measured_alike(data):
    task = detection_task(data)
    assets = {**task.assets(), "labels": ["dog", "cat"]}
    other = DetectionTask.from_assets(small_config(), small_train(), assets, data)
    assert other.labels == ("dog", "cat")
    assert figures(seeing(other))["ap"] == 1.0


def test_a_class_that_the_run_does_not_know_is_refused(data):
    assets = {**detection_task(data).assets(), "labels": ["cat", "cow"]}
    with pytest.raises(DataError, match="dog"):
        DetectionTask.from_assets(small_config(), small_train(), assets, data)


def test_images_without_objects_are_trained_on_and_cost_false_alarms_alone(tmp_path):
    photos = photos_of(6) | {f"empty{number}": [] for number in range(4)}
    data = painted_voc(tmp_path / "voc", photos, train="p00 p01 empty0 empty1", test="p02 p03 p04 empty2 empty3")
    task = detection_task(data, train={"val_fraction": 0.0})
    batch = next(iter(task.loader("train", training=True).batches()))
    assert sorted(len(boxes) for boxes in batch["boxes"]) == [0, 0, 2, 2]
    [update] = task.training_step(batch)
    assert all(torch.isfinite(loss) for loss in update.losses.values())
    alone = {**batch, **{name: [value[:0] for value in batch[name]] for name in ("boxes", "labels", "ignored")}}
    [update] = task.training_step(alone)
    assert all(torch.isfinite(loss) for loss in update.losses.values())
    assert figures(seeing(task))["ap"] == 1.0  # the false alarms in the corner have lower scores than all objects


def test_data_without_any_box_is_refused(tmp_path):
    data = painted_voc(tmp_path / "voc", photos_of(2))
    for path in (data / "Annotations").iterdir():
        path.write_text("<annotation><filename>x</filename></annotation>")
    with pytest.raises(DataError):
        detection_task(data)


def test_calibration_sets_the_score_from_which_answers_are_shown(data):
    task = seeing(detection_task(data))
    assert task.model.thresholds.tolist() == pytest.approx([0.3] * len(task.labels))
    metric = evaluate(task, task.loader("valid"), CPU)
    task.calibrate(metric)
    thresholds = task.model.thresholds.tolist()
    assert all(0.3 <= least < 0.8 for least in thresholds)
    assert max(thresholds) > 0.4, "it parts the false alarms at 0.4 from the objects at 0.8"
    photo = data / "JPEGImages/p06.png"
    assert len(answer(task, photo)["objects"]) == 2
    assert len(answer(task, photo, DetectionInference(threshold=0.1))["objects"]) == 3
    graph = task.export_plan().graphs[0].module
    assert graph(torch.zeros(2, 3, 64, 64))[-1].tolist() == [thresholds] * 2


def test_calibration_without_a_hit_changes_nothing(data):
    task = seeing(detection_task(data), shift=64.0)
    task.calibrate(evaluate(task, task.loader("valid"), CPU))
    assert task.model.thresholds.tolist() == pytest.approx([0.3] * len(task.labels))


def answer(task, photo, inference=None):
    codec = DetectionCodec(task.assets(), inference)
    encoded = codec.encode(next(iter(codec.expand([str(photo)]))))
    with torch.inference_mode():
        outputs = task.infer({"images": torch.from_numpy(encoded.arrays["images"])[None]})
    [found] = codec.decode({name: value.numpy() for name, value in outputs.items()}, [encoded])
    return found.record


def test_answers_are_in_pixels_of_the_image(tmp_path):
    box = (20, 8, 60, 80)
    data = painted_voc(tmp_path / "voc", {"a": [("cat", box)], "b": [("dog", box)]})
    record = answer(seeing(detection_task(data, train={"val_fraction": 0.0})), data / "JPEGImages/b.png")
    assert (record["width"], record["height"]) == (96, 128)
    [*_, found] = sorted(record["objects"], key=lambda each: each["score"])
    assert found["label"] == "dog"
    assert found["box"] == pytest.approx(box)
    assert read_image(data / "JPEGImages/b.png", 3)[10, 30].tolist() == [20, 250, 20]


def test_a_run_that_was_trained_with_frozen_layers_is_reopened(data):
    config = {"backbone": "efficientnet_lite0", "freeze_early": True}
    task = detection_task(data, **config)
    task.model.train()
    before = copy.deepcopy(task.model.state_dict())
    optimizer = task.optimizers()["network"]
    [update] = task.training_step(next(iter(task.loader("train", training=True).batches())))
    sum(update.losses.values()).backward()
    optimizer.step()
    frozen = [name for name, value in task.model.named_parameters() if not value.requires_grad]
    assert frozen
    assert all(torch.equal(before[name], task.model.state_dict()[name]) for name in frozen)
    other = DetectionTask.from_assets(small_config(**config), small_train(), task.assets(), None)
    other.model.load_state_dict(task.model.state_dict())
    images = {"images": torch.full((1, 3, 64, 64), 90, dtype=torch.uint8)}
    task.model.eval(), other.model.eval()
    with torch.inference_mode():
        answers = [model.infer(images) for model in (task, other)]
    for name in task.outputs:
        torch.testing.assert_close(answers[0][name], answers[1][name])


def test_a_run_keeps_the_anchors_that_were_fitted_to_its_training_boxes(data):
    config = {"model": "ssd", "backbone": "shufflenet_v2_x0_5", "width": None, "anchors": "kmeans"}
    task = detection_task(data, **config)
    fitted = task.model.detector.shapes
    expected = fitted_shapes(box_sizes(task.source, 64), ssd_shapes("plain", 64))
    torch.testing.assert_close(fitted, torch.tensor([shape for of_map in expected for shape in of_map]))
    assert torch.equal(fitted, detection_task(data, **config).model.detector.shapes)
    reopened = DetectionTask.from_assets(small_config(**config), small_train(), task.assets(), None)
    assert not torch.equal(reopened.model.detector.shapes, fitted)
    reopened.model.load_state_dict(task.model.state_dict())
    assert torch.equal(reopened.model.detector.shapes, fitted)


def test_an_export_is_compared_on_several_sizes_that_fit_the_network(data):
    plan = detection_task(data).export_plan()
    shapes = [sample["images"].shape for sample in plan.graphs[0].samples]
    assert [shape[0] for shape in shapes] == [2, 1, 3]
    assert len({shape[2:] for shape in shapes}) == 3
    assert all(side % 32 == 0 for shape in shapes for side in shape[2:])
    assert np.unique(plan.graphs[0].samples[0]["images"]).size > 2, "real images, not noise of none"


def test_a_detector_of_the_largest_object_shows_how_well_it_is_found(data):
    task = detection_task(data, model="single", width=None, backbone="resnet18")
    assert task.goal.beside == ("class_accuracy", "box_iou")
    values = evaluate(task, task.loader("test"), CPU).compute()
    assert 0 <= values["class_accuracy"] <= 1 and 0 <= values["box_iou"] <= 1
    assert detection_task(data).goal.beside == ()
