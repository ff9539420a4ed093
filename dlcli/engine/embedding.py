"""The embeddings of items: what the head of a task's network sees of them, as vectors of length 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import DataError, UsageError
from dlcli.data.codec import EMBEDDING
from dlcli.data.items import Embedded, Item
from dlcli.engine.compute.device import Device, to_numpy
from dlcli.engine.evaluate import RunPredictor
from dlcli.engine.task import Loader, Task
from dlcli.export.plan import ExportPlan
from dlcli.metrics.few_shot import nearest_mean_accuracy
from dlcli.models.heads import WithEmbedding, embedding_of, watching


@runtime_checkable
class Embeds(Protocol):
    """A task whose network sees each item as one vector before its last layer: the item's embedding.

    Batches of the task's loader have `rows`, and `labels` or `targets`, (N, ...).
    """

    def head(self) -> nn.Module:
        """Return the last layer, whose input `dlcli.models.heads.item_vectors` turns into the vectors.

        Raises:
            ValueError: it cannot be found in this network.
        """
        ...


@runtime_checkable
class ShowsItems(Protocol):
    """A task that can show items of its data to people."""

    def items(self, split: str, rows: Sequence[int]) -> Sequence[Item]:
        """Return the items of a split with these numbers, which are the `rows` of the loader's batches.

        Raises:
            DataError: there is no data, no such split, or an item cannot be read.
        """
        ...


def head_of_task(task: Task, name: str) -> nn.Module:
    """Return the last layer of a task's network.

    Args:
        task: the task.
        name: of its run, for messages.

    Raises:
        UsageError: the network has no such layer, or sees more than one vector of an item there.
    """
    hint = "choose a run of classification, multilabel, sentiment or of a table"
    if not isinstance(task, Embeds):
        raise UsageError(f"{name}: its task has no embedding, one vector for each item", hint=hint)
    try:
        return task.head()
    except ValueError as error:
        raise UsageError(f"{name}: no embedding: {error}", hint=hint) from None


def embed(task: Task, loader: Loader, device: Device, *, name: str = "the run") -> Embedded:
    """Return the embeddings of the items of a loader; leaves the model in evaluation mode.

    Memory is that of the vectors, N * D * 4 bytes, twice if the loader does not go by row.

    Args:
        task: its network is on the device.
        loader: yields items unshuffled and not augmented.
        device: where it computes.
        name: of the run, for messages.

    Raises:
        UsageError: the task has no embedding, see `head_of_task`.
        DataError: there is no item.
    """
    head = head_of_task(task, name)
    task.model.eval()
    vectors: np.ndarray | None = None
    rows, labels = [], []
    start = 0
    with torch.inference_mode(), device.computing(), watching(head) as seen:
        for batch in loader.batches():
            seen.clear()
            task.infer(device.move(batch))
            found = to_numpy(embedding_of(seen))
            if vectors is None:
                vectors = np.empty((loader.num_items, found.shape[1]), np.float32)
            vectors[start : start + len(found)] = found
            start += len(found)
            rows.append(to_numpy(batch["rows"]))
            label = batch.get("labels", batch.get("targets"))
            labels += [] if label is None else [to_numpy(label)]
    if vectors is None or start == 0:
        raise DataError(f"{name}: no item to embed")
    found_rows = np.concatenate(rows)
    found_labels = np.concatenate(labels) if labels else None
    vectors = vectors[:start]
    if (np.diff(found_rows) < 0).any():
        order = np.argsort(found_rows, kind="stable")
        vectors, found_rows = vectors[order], found_rows[order]
        found_labels = None if found_labels is None else found_labels[order]
    return Embedded(vectors, found_rows, found_labels)


class EmbeddingPredictor:
    """A task's model that gives the embedding beside its outputs, with the interface of an exported file.

    Raises:
        UsageError: the task has no embedding, see `head_of_task`.
    """

    def __init__(self, task: Task, device: Device, *, name: str) -> None:
        self._head = head_of_task(task, name)
        self._plain = RunPredictor(task, device)

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return the outputs by name, with `embedding`, (N, D) float32, for the inputs by name."""
        with watching(self._head) as seen, torch.inference_mode():
            outputs = self._plain.run(arrays)
            return {**outputs, EMBEDDING: to_numpy(embedding_of(seen))}


def embedding_plan(task: Task, plan: ExportPlan, *, name: str) -> ExportPlan:
    """Return the plan of a model that also gives the embedding, as its last output `embedding`.

    It is optional, since the outputs of a file are a contract with the programs of others that run it, and a vector
    may have a hundred times the values of an answer.

    Args:
        task: the task.
        plan: its plan of one graph, whose module contains the head.
        name: of the run, for messages.

    Raises:
        UsageError: the task has no embedding, see `head_of_task`.
    """
    head = head_of_task(task, name)
    [graph] = plan.graphs
    wider = replace(graph, module=WithEmbedding(graph.module, head), outputs=(*graph.outputs, EMBEDDING))
    return replace(plan, graphs=(wider,))


def few_shot_figures(task: Task, split: str, device: Device, shots: int, *, name: str) -> dict[str, float]:
    """Return the accuracy of the nearest class mean of a few training items, and its standard error over their draws.

    It tells what the vectors are worth without the network's last layer; see `dlcli.metrics.few_shot`.

    Args:
        task: with its data; its network is on the device.
        split: whose items are classified.
        device: where it computes.
        shots: training items of each class.
        name: of the run, for messages.

    Raises:
        UsageError: the task has no embedding or no classes, or a class has fewer training items.
    """
    train, items = (embed(task, task.loader(each), device, name=name) for each in ("train", split))
    if train.labels is None or items.labels is None or train.labels.ndim != 1 or train.labels.dtype.kind != "i":
        raise UsageError(f"--few-shot: the items of {name} have no classes, one for each item", hint="leave it out")
    try:
        found = nearest_mean_accuracy(train.vectors, train.labels, items.vectors, items.labels, shots)
    except ValueError as error:
        fewest = error.args[1]
        raise UsageError(
            f"--few-shot {shots}: a class has {fewest} training items", hint=f"at most --few-shot {fewest}"
        ) from None
    return {"accuracy": found.accuracy, "accuracy_error": found.error}
