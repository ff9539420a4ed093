"""Where tensors end: metrics see numpy, whatever the batches and the answers are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.engine.compute.device import Device, map_tensors, to_numpy
from dlcli.engine.evaluate import RunPredictor, evaluate, validate

CPU = Device(torch.device("cpu"))


class Target(NamedTuple):
    """Boxes of one picture, (K, 4), and their classes, (K,)."""

    boxes: torch.Tensor
    labels: torch.Tensor


def pictures(*sizes):
    return [torch.full((3, *size), number, dtype=torch.uint8) for number, size in enumerate(sizes, start=1)]


def targets(*counts):
    return [Target(torch.ones(count, 4, dtype=torch.float64), torch.arange(count)) for count in counts]


BATCHES = [
    {"images": pictures((8, 6), (5, 9)), "targets": targets(2, 0), "more": {"rows": torch.arange(2)}, "names": "ab"},
    {"images": pictures((4, 4)), "targets": targets(3), "more": {"rows": torch.arange(2, 3)}, "names": "c"},
]


class Batches:
    num_items = 3

    def batches(self, epoch=0, start=0):
        yield from BATCHES[start:]


class Spy:
    """Keeps what it is given."""

    def __init__(self):
        self.seen = []

    def update(self, batch, outputs):
        self.seen.append((batch, outputs))

    def merge(self, other):
        self.seen += other.seen


class Detector:
    """Answers with at most K boxes a picture, filled up, in the number format of its layer."""

    outputs = ("boxes", "counts")

    def __init__(self, dtype):
        self.model = nn.Linear(1, 4, dtype=dtype)

    def infer(self, batch):
        means = torch.stack([image.to(self.model.weight.dtype).mean()[None] for image in batch["images"]])
        boxes = self.model(means)[:, None].expand(-1, 2, -1)
        return {"boxes": boxes, "counts": torch.tensor([len(image) % 3 for image in batch["images"]])}

    def metric(self):
        return Spy()


def leaves(value):
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_metrics_see_numpy_only(dtype):
    seen = evaluate(Detector(dtype), Batches(), CPU).seen
    assert len(seen) == len(BATCHES)
    for batch, outputs in seen:
        assert all(isinstance(leaf, (np.ndarray, str)) for leaf in leaves([batch, outputs]))
        assert outputs["boxes"].dtype == np.float32
        assert outputs["counts"].dtype == np.int64
        assert outputs["boxes"].shape == (len(batch["images"]), 2, 4)


class Measured(Detector):
    """A detector with a figure that does not come from its boxes."""

    def measure(self, batch):
        return {"losses": torch.ones(len(batch["images"]))}


def test_what_a_task_measures_besides_its_answers_reaches_the_metric_in_evaluation_alone():
    task = Measured(torch.float32)
    seen = evaluate(task, Batches(), CPU).seen
    assert [set(outputs) for _, outputs in seen] == [{"boxes", "counts"}, {"losses"}] * len(BATCHES)
    assert [len(outputs["losses"]) for _, outputs in seen[1::2]] == [2, 1]
    assert [set(outputs) for _, outputs in validate(task, Batches(), CPU).seen] == [{"boxes", "counts"}] * len(BATCHES)


def test_ragged_batches_keep_their_shapes_and_their_values():
    (first, _), _ = evaluate(Detector(torch.float32), Batches(), CPU).seen
    assert [image.shape for image in first["images"]] == [(3, 8, 6), (3, 5, 9)]
    assert [int(image.max()) for image in first["images"]] == [1, 2]
    assert [type(target) for target in first["targets"]] == [Target, Target]
    assert [target.boxes.shape for target in first["targets"]] == [(2, 4), (0, 4)]
    assert first["targets"][0].boxes.dtype == np.float64
    assert first["more"]["rows"].tolist() == [0, 1]


def test_half_precision_becomes_float32_and_loses_nothing():
    values = torch.randn(50, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    array = to_numpy(values)
    assert array.dtype == np.float32
    assert torch.equal(torch.from_numpy(array).to(torch.bfloat16), values)


def test_a_gradient_is_left_behind():
    assert to_numpy(nn.Linear(2, 1).weight).shape == (1, 2)


def test_a_model_as_a_function_of_arrays_answers_as_in_evaluation():
    class Doubler:
        model = nn.Identity()

        def infer(self, batch):
            return {"twice": (batch["x"] * 2).to(torch.bfloat16), "rows": batch["rows"]}

    outputs = RunPredictor(Doubler(), CPU).run({"x": np.ones((3, 2), np.float32)[::-1], "rows": np.arange(3)})
    assert outputs["twice"].dtype == np.float32
    assert outputs["twice"].tolist() == [[2.0, 2.0]] * 3
    assert outputs["rows"].tolist() == [0, 1, 2]


def test_every_container_is_moved_and_keeps_its_kind():
    value = {"a": [torch.ones(1), (torch.zeros(2), "x")], "b": Target(torch.ones(1, 4), torch.ones(1)), "c": 3}
    moved = CPU.move(value)
    assert type(moved["b"]) is Target
    assert moved["a"][1][1] == "x"
    assert moved["c"] == 3
    assert map_tensors(value, lambda tensor: len(tensor)) == {"a": [1, (2, "x")], "b": Target(1, 1), "c": 3}
