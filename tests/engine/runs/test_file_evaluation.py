"""An exported file is measured by the loader and the metric of its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError, UsageError
from dlcli.engine.compute.device import Device
from dlcli.engine.runs.evaluation import measure_task
from dlcli.engine.runs.file_evaluation import ANSWERS_ALONE, measure_file

WHERE = {"run": "model.onnx", "split": "test", "data": "data"}


class Task:
    """Three batches of numbers; the metric sums the outputs."""

    inputs, outputs = ("x",), ("y",)
    card = None

    def __init__(self, batches: list[Any]) -> None:
        self.model = torch.nn.Linear(1, 1)
        self._batches = batches

    def loader(self, split: str, **_: Any) -> Any:
        if split != "test":
            raise DataError("no such split")
        return Loader(self._batches)

    def infer(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {"y": 2 * batch["x"]}

    def metric(self) -> Sum:
        return Sum()

    def tables(self, report: Any, split: str) -> Any:
        return iter(())


class Loader:
    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches
        self.num_items = sum(len(batch["x"]) for batch in batches)

    def __len__(self) -> int:
        return len(self._batches)

    def batches(self, epoch: int = 0, start: int = 0) -> Any:
        return iter(self._batches[start:])


class Sum:
    def __init__(self, offset: float = 0.0) -> None:
        self.total, self.weighted = offset, 0.0

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> None:
        if "more" in outputs:
            self.total += 1000.0
            return
        assert isinstance(outputs["y"], np.ndarray)
        sums = [float(np.sum(value)) for value in outputs["y"]]
        self.total += sum(sums)
        self.weighted += sum(value * float(weight) for value, weight in zip(sums, batch["weights"], strict=True))

    def report(self) -> dict[str, Any]:
        return {"metrics": {"total": self.total, "weighted": self.weighted}, "lower_is_better": []}


class Graph:
    """Doubles its input, and remembers the shapes."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.shapes.append(arrays["x"].shape)
        return {"y": 2 * arrays["x"]}


def batches(*sizes: int) -> list[dict[str, torch.Tensor]]:
    random = torch.Generator().manual_seed(0)
    return [
        {"x": torch.randn(size, 3, generator=random), "weights": torch.randn(size, generator=random)} for size in sizes
    ]


def test_a_file_that_computes_the_same_has_the_same_report() -> None:
    task: Any = Task(batches(4, 3, 4))
    of_run = measure_task(task, "model.onnx", "data", "test", Device(torch.device("cpu")))
    of_file = measure_file(task, Graph(), WHERE, inputs=("x",))
    assert of_file.report == of_run.report
    assert (of_file.report["items"], list(of_file.notes)) == (11, [])


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_a_graph_that_takes_few_items_gets_them_in_parts(most: int) -> None:
    graph, task = Graph(), Task(batches(4, 3))
    measured = measure_file(task, graph, WHERE, most_rows=most)  # type: ignore[arg-type]
    assert measured.report == measure_file(task, Graph(), WHERE).report  # type: ignore[arg-type]
    assert max(shape[0] for shape in graph.shapes) <= most


def test_items_of_unequal_shapes_are_answered_shape_by_shape_and_in_their_order() -> None:
    items = [torch.full((side, 2), float(side)) for side in (2, 5, 2, 3, 5)]
    graph = Graph()
    task: Any = Task([{"x": items, "weights": torch.tensor([1.0, 10.0, 100.0, 1e3, 1e4])}])
    metrics = measure_file(task, graph, WHERE).report["metrics"]
    assert metrics["weighted"] == sum(
        2 * float(item.sum()) * weight for item, weight in zip(items, [1, 10, 100, 1e3, 1e4], strict=True)
    )
    assert sorted(graph.shapes) == [(1, 3, 2), (2, 2, 2), (2, 5, 2)]


def test_other_inputs_than_the_data_gives_are_refused() -> None:
    with pytest.raises(UsageError, match=r"takes pixels, size, and the prepared data gives x"):
        measure_file(Task(batches(2)), Graph(), WHERE, inputs=("pixels", "size"))  # type: ignore[arg-type]


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to measure"):
        measure_file(Task([]), Graph(), WHERE)  # type: ignore[arg-type]


def test_figures_that_no_file_has_are_named_in_a_note() -> None:
    class Measuring(Task):
        def measure(self, batch: Mapping[str, Any]) -> dict[str, Any]:
            return {"more": batch["x"]}

    class Alone(Task):
        def measure(self, batch: Mapping[str, Any]) -> dict[str, Any]:
            return {}

    measured = measure_file(Measuring(batches(2, 2)), Graph(), WHERE)  # type: ignore[arg-type]
    assert list(measured.notes) == [ANSWERS_ALONE]
    assert measured.report["metrics"] == measure_file(Task(batches(2, 2)), Graph(), WHERE).report["metrics"]  # type: ignore[arg-type]
    assert list(measure_file(Alone(batches(2)), Graph(), WHERE).notes) == []  # type: ignore[arg-type]


def test_a_metric_may_be_made_from_the_first_outputs() -> None:
    class Thresholds(Task):
        def metric_of_file(self, outputs: Mapping[str, np.ndarray]) -> tuple[Sum, bool]:
            self.seen = outputs["y"].copy()
            return Sum(100.0), False

    task: Any = Thresholds(batches(2, 3))
    measured = measure_file(task, Graph(), WHERE)
    plain = measure_file(Task(batches(2, 3)), Graph(), WHERE)  # type: ignore[arg-type]
    assert measured.report["metrics"]["total"] == pytest.approx(100 + plain.report["metrics"]["total"])
    assert task.seen.shape == (2, 3)
    assert list(measured.notes) == [ANSWERS_ALONE]


def test_baselines_are_those_of_the_data() -> None:
    class Based(Task):
        def baseline(self, split: str) -> dict[str, Any]:
            return {"mean": {"total": 1.0, "split": split}}

    measured = measure_file(Based(batches(2)), Graph(), WHERE, with_baselines=True)  # type: ignore[arg-type]
    assert measured.report["baselines"] == {"mean": {"total": 1.0, "split": "test"}}
    with pytest.raises(UsageError, match="no baseline"):
        measure_file(Task(batches(2)), Graph(), WHERE, with_baselines=True)  # type: ignore[arg-type]
