"""--tta: answers by the mean over views, beside those without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.core.config import fields_of
from dlcli.core.registry import TASKS, load_object
from dlcli.data.order import Shard
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import RunPredictor, evaluate
from dlcli.engine.task import TakesInference
from dlcli.tasks.classification.codec import ImageCodec
from dlcli.tasks.classification.config import ClassificationInference

CPU = Device(torch.device("cpu"))
TTA = ClassificationInference(tta=True)


@pytest.fixture
def task(make_images, open_task):
    data = make_images({"train": {"a": 12, "b": 12}, "test": {"a": 6, "b": 6}})
    return open_task(data)


def test_the_registry_names_the_options_and_the_task_takes_them(task):
    assert load_object(TASKS["classification"].inference) is ClassificationInference
    assert [info.name for info in fields_of(ClassificationInference)] == ["top_k", "tta"]
    assert isinstance(task, TakesInference)


def test_evaluation_has_both_figures_and_those_without_views_are_unchanged(task):
    plain = evaluate(task, task.loader("test"), CPU).report()
    task.set_inference(TTA)
    both = evaluate(task, task.loader("test"), CPU).report()
    assert both["metrics"].items() >= plain["metrics"].items()
    assert set(both["metrics"]) - set(plain["metrics"]) == {"accuracy_tta", "loss_tta"}
    assert set(both["lower_is_better"]) - set(plain["lower_is_better"]) == {"loss_tta"}
    assert both["metrics"]["loss_tta"] != both["metrics"]["loss"]
    assert both["per_class"] == plain["per_class"]


def test_validation_while_training_has_no_views(task):
    assert set(evaluate(task, task.loader("valid"), CPU).compute()) == {"loss", "accuracy"}


def test_shares_of_several_processes_are_one_figure(task):
    task.set_inference(TTA)
    whole = evaluate(task, task.loader("test"), CPU)
    parts = [evaluate(task, task.loader("test", shard=Shard(rank, 2)), CPU) for rank in (0, 1)]
    parts[0].merge(parts[1])
    assert parts[0].report()["metrics"] == pytest.approx(whole.report()["metrics"])


@pytest.mark.parametrize("flip", [True, False])
def test_only_what_was_trained_with_mirror_images_takes_them_for_equal(make_images, open_task, flip):
    task = open_task(make_images({"train": {"a": 12, "b": 12}}), flip=flip)
    task.set_inference(TTA)
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    task.model.eval()
    with torch.inference_mode():
        one, other = (task.infer({"images": view})["tta_logits"] for view in (images, images.flip(-1)))
    assert torch.allclose(one, other, atol=1e-6) == flip


def test_a_prediction_is_that_over_views(task):
    task.set_inference(TTA)
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
    outputs = RunPredictor(task, CPU).run({"images": images})
    over_views, plain = ImageCodec(task.assets(), TTA), ImageCodec(task.assets())
    items = [None] * 3
    assert over_views.decode(outputs, items) == plain.decode({"logits": outputs["tta_logits"]}, items)
    assert over_views.decode(outputs, items) != plain.decode(outputs, items)


def test_a_codec_needs_the_views_of_an_exported_file_only_where_it_reads_them(task):
    assert ImageCodec(task.assets(), TTA).needs == {"tta": "tta_logits"}
    assert ImageCodec(task.assets()).needs == {}


def test_what_is_exported_has_the_views_that_the_run_has(task):
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert task.export_plan().graphs[0].outputs == ("logits",)
    task.set_inference(TTA)
    task.model.eval()
    plan = task.export_plan()
    with torch.inference_mode():
        expected, given = task.infer({"images": images}), plan.graphs[0].module.eval()(images)
    assert plan.graphs[0].outputs == tuple(expected)
    for one, other in zip(given, expected.values(), strict=True):
        assert torch.equal(one, other)
