from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch

from dlcli.export.plan import ExportPlan

Plans = Mapping[str, Callable[..., ExportPlan]]


def test_dynamic_axis_that_no_sample_tries_is_refused(plans: Plans) -> None:
    graph = plans["two"]().graphs[0]
    same = tuple({name: array.numpy() for name, array in graph.example.items()} for _ in range(2))
    with pytest.raises(ValueError, match="no sample tries another batch of left"):
        dataclasses.replace(graph, samples=same)


def test_example_of_one_item_is_refused(plans: Plans) -> None:
    graph = plans["two"]().graphs[0]
    with pytest.raises(ValueError, match="needs at least 2"):
        dataclasses.replace(graph, example={name: tensor[:1] for name, tensor in graph.example.items()})


def test_sizes_that_are_no_multiple_are_refused(plans: Plans) -> None:
    graph = plans["two"]().graphs[0]
    name, axes = next(iter(graph.dynamic.items()))
    [(axis, symbol)] = axes.items()
    size = graph.example[name].shape[axis]
    with pytest.raises(ValueError, match=f"needs at least {2 * size}"):
        dataclasses.replace(graph, multiples={symbol: size})
    uneven = next(each[name].shape[axis] for each in graph.samples if each[name].shape[axis] % 2)
    doubled = {key: torch.cat([each] * 4)[:4] for key, each in graph.example.items()}
    with pytest.raises(ValueError, match=f"{symbol} of {name} is {uneven}, not a multiple of 2"):
        dataclasses.replace(graph, example=doubled, multiples={symbol: 2})


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"left": np.zeros((3, 4), np.float32)}, "a sample has"),
        ({"left": np.zeros((3, 9), np.float32), "right": np.zeros((3, 5), np.float32)}, "shape"),
        ({"left": np.zeros((3, 4)), "right": np.zeros((3, 5), np.float32)}, "float64"),
    ],
)
def test_sample_unlike_the_example_is_refused(plans: Plans, sample: dict[str, np.ndarray], message: str) -> None:
    graph = plans["two"]().graphs[0]
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(graph, samples=(*graph.samples, sample))


def test_names_that_repeat_or_miss_are_refused(plans: Plans) -> None:
    graph = plans["two"]().graphs[0]
    with pytest.raises(ValueError, match="repeat"):
        dataclasses.replace(graph, outputs=("left", "best"))
    with pytest.raises(ValueError, match="the inputs are"):
        dataclasses.replace(graph, example={"left": torch.zeros(2, 4)})
    with pytest.raises(ValueError, match="no samples"):
        dataclasses.replace(graph, samples=())
