"""Inputs to learn ranges from, and figures of files, from any task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.errors import DataError, UsageError
from dlcli.data.images.operations.colour import FILL
from dlcli.engine.quantising import NUM_ITEMS, calibration_of, graph_inputs, measure_files, measured_split
from dlcli.engine.task import Goal
from dlcli.export.plan import Graph, single_graph


class Loader:
    """2,000 items in batches of 100, sorted by class."""

    num_items = 2000

    def __len__(self) -> int:
        return 20

    def batches(self, epoch: int = 0, start: int = 0) -> Any:
        for number in range(start, 20):
            rows = torch.arange(number * 100, number * 100 + 100)
            yield {"x": rows[:, None].float(), "labels": rows // 200}


class Sum:
    def __init__(self) -> None:
        self.total = 0.0

    def update(self, batch: Any, outputs: Any) -> None:
        self.total += float(outputs["y"].sum())

    def report(self) -> dict[str, Any]:
        return {"metrics": {"total": self.total, "loss": 1.0}, "lower_is_better": ["loss"]}


class ToyTask:
    inputs, outputs, card, goal = ("x",), ("y",), object(), Goal("total", larger_is_better=True)

    def __init__(self, splits: tuple[str, ...] = ("train", "test")) -> None:
        self._splits = splits

    def loader(self, split: str) -> Loader:
        if split not in self._splits:
            raise DataError(f"no split {split}")
        return Loader()

    def metric(self) -> Sum:
        return Sum()


def plan_of(**more: Any) -> Any:
    samples = [{"x": np.zeros((count, 1), np.float32)} for count in (1, 3)]
    return single_graph(nn.Identity(), inputs=("x",), outputs=("y",), samples=samples, metadata={}, **more)


def test_ranges_are_learned_from_items_of_all_classes() -> None:
    task: Any = ToyTask()
    batches = list(calibration_of(task, plan_of())())
    rows = np.concatenate([batch["x"].ravel() for batch in batches])
    assert len(rows) == NUM_ITEMS and len(set(rows.tolist())) == NUM_ITEMS
    assert set((rows // 200).astype(int).tolist()) == set(range(10))
    assert set(batches[0]) == {"x"}, "targets are no inputs"


def test_a_plans_own_inputs_win_and_without_data_there_are_none() -> None:
    task: Any = ToyTask()

    def own() -> Any:
        yield {"x": np.ones((1, 1), np.float32)}

    assert calibration_of(task, plan_of(calibration=own)) is own
    task.card = None
    assert calibration_of(task, plan_of()) is None


def test_the_test_split_is_measured_else_the_validation_part() -> None:
    assert measured_split(ToyTask(("train", "valid", "test")))[0] == "test"  # type: ignore[arg-type]
    assert measured_split(ToyTask(("train", "valid")))[0] == "valid"  # type: ignore[arg-type]
    with pytest.raises(DataError, match="neither"):
        measured_split(ToyTask(("train",)))  # type: ignore[arg-type]


def test_a_figure_is_the_goal_over_all_items() -> None:
    task: Any = ToyTask()
    [graph] = plan_of().graphs
    found = measure_files(task, task.loader("test"), graph, lambda arrays: {"y": 2 * arrays["x"]})
    assert (found.metric, found.value, found.larger_is_better) == ("total", 2000.0 * 1999, True)
    task.goal = Goal("perplexity", larger_is_better=False)
    found = measure_files(task, task.loader("test"), None, lambda arrays: {"y": arrays["x"]})
    assert (found.metric, found.larger_is_better) == ("total", True), "what answers alone give"


class ByFile(ToyTask):
    """A task that chooses its metric by the outputs of the file, as detectors do by the thresholds in them."""

    def metric_of_file(self, outputs: Any) -> tuple[Sum, bool]:
        if "missing" in outputs:
            raise UsageError("nothing can be measured")
        metric = Sum()
        metric.total = float(len(outputs["y"]))  # of the first batch
        return metric, True


def test_the_metric_is_that_of_files() -> None:
    task: Any = ByFile()
    found = measure_files(task, task.loader("test"), None, lambda arrays: {"y": arrays["x"]})
    assert found.value == 1000.0 * 1999 + 100
    with pytest.raises(UsageError, match="nothing can be measured"):
        measure_files(task, task.loader("test"), None, lambda arrays: {"y": arrays["x"], "missing": arrays["x"]})


def test_a_graph_of_fixed_size_gets_one_item_in_the_corner_of_its_canvas() -> None:
    example = {"images": torch.zeros(1, 1, 4, 6, dtype=torch.uint8)}
    samples = ({"images": np.zeros((1, 1, 4, 6), np.uint8)},)
    graph = Graph("model", nn.Identity(), ("images",), ("y",), example, {}, samples)
    images = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 1, 3, 5)
    parts = list(graph_inputs(graph, {"images": images}))
    assert [count for _, count in parts] == [1, 1]
    for image, (part, _) in zip(images, parts, strict=True):
        np.testing.assert_array_equal(part["images"][0, :, :3, :5], image)
        assert (part["images"][0, :, 3:] == FILL).all() and (part["images"][0, :, :, 5:] == FILL).all()
