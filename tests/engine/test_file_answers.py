"""A file is asked in shapes that it takes, and answers in the order of the loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.engine.file_answers import answers_of, file_answers

Arrays = Mapping[str, np.ndarray]


class File:
    """Answers each item with the sum of its pixels, its size, and itself; keeps the shapes of its calls."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, arrays: Arrays) -> Arrays:
        images = arrays["images"]
        assert isinstance(images, np.ndarray)
        self.shapes.append(images.shape)
        size = np.tile(np.array(images.shape[1:]), (len(images), 1))
        return {"sum": images.sum((1, 2)) + arrays.get("extra", 0), "size": size, "copy": images}


def items(sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    return [np.full(size, number + 1.0) for number, size in enumerate(sizes)]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=9))
def test_ragged_items_are_answered_in_their_order_with_one_call_a_shape(sizes: list[tuple[int, int]]) -> None:
    file, images = File(), items(sizes)
    found = answers_of(file, {"images": images})
    assert found["sum"].tolist() == [image.sum() for image in images]
    assert found["size"].tolist() == [list(size) for size in sizes]
    assert len(file.shapes) == len(set(sizes))
    for image, copy in zip(images, found["copy"], strict=True):
        assert np.array_equal(copy[: image.shape[0], : image.shape[1]], image)
        assert copy.sum() == image.sum()  # the rest is padding


def test_a_dense_batch_is_one_call_with_the_same_arrays() -> None:
    file, batch = File(), {"images": np.ones((4, 2, 3))}
    assert answers_of(file, batch)["copy"] is batch["images"]
    assert file.shapes == [(4, 2, 3)]


def test_a_dense_input_stays_beside_its_ragged_item() -> None:
    batch = {"images": items([(1, 1), (2, 2), (1, 1)]), "extra": np.array([10.0, 20.0, 30.0])}
    assert answers_of(File(), batch)["sum"].tolist() == [11.0, 28.0, 33.0]


def test_inputs_of_unequal_number_are_no_batch() -> None:
    with pytest.raises(ValueError):
        answers_of(File(), {"images": items([(1, 1), (2, 2)]), "extra": np.zeros(3)})


class Task:
    inputs = ("images",)


class Loader:
    num_items = 5

    def __len__(self) -> int:
        return 2

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[dict[str, Any]]:
        yield {"images": torch.ones(3, 2, 2), "labels": torch.tensor([1, 2, 3])}
        yield {"images": [torch.ones(1, 2), torch.ones(2, 1)], "labels": torch.tensor([4, 5])}


def test_batches_come_as_the_loader_gives_them_and_the_file_sees_the_inputs_alone() -> None:
    task: Any = Task()
    found = list(file_answers(task, Loader(), File()))
    assert [batch["labels"].tolist() for batch, _ in found] == [[1, 2, 3], [4, 5]]
    assert isinstance(found[0][0]["images"], torch.Tensor)
    assert [outputs["sum"].tolist() for _, outputs in found] == [[4.0] * 3, [2.0, 2.0]]
