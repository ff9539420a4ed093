"""Embeddings: what the head of every task's network sees, as vectors of length 1, in the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError, UsageError
from dlcli.core.registry import TASKS, load_object
from dlcli.core.train_config import TrainConfig
from dlcli.data.codec import EMBEDDING
from dlcli.engine.compute.device import Device
from dlcli.engine.embedding import EmbeddingPredictor, Embeds, embed
from dlcli.engine.evaluate import infer_arrays
from dlcli.models.heads import WithEmbedding, item_vectors, watching
from dlcli.tasks.tables.building import plain_columns
from dlcli.tasks.tables.classification import TableClassificationTask
from dlcli.tasks.tables.config import RegressionConfig, TableClassificationConfig
from dlcli.tasks.tables.regression import RegressionTask

CPU = Device(torch.device("cpu"))
CASES = (
    ("classification", "cnn", {}),
    pytest.param("classification", "squeezenet1_1", {"image_size": 64}, marks=pytest.mark.slow),
    ("multilabel", "mobilenet", {"image_size": 64}),
    ("sentiment", "textcnn", {}),
    ("sentiment", "lstm-attention", {}),
    ("sentiment", "transformer", {}),
    ("regression", "1", {}),
    ("regression", "3", {}),
    ("table-classification", "1", {}),
    ("table-classification", "3", {}),
)
"""Between them every kind of head: linear, a convolution, after a sequence, of several members."""


def make(name, model, size):
    torch.manual_seed(0)
    if name == "regression":
        return RegressionTask(RegressionConfig(ensemble=int(model)), TrainConfig(), plain_columns(), None)
    if name == "table-classification":
        config = TableClassificationConfig(ensemble=int(model))
        return TableClassificationTask(config, TrainConfig(), ("a", "b", "c"), plain_columns(), None)
    return load_object(TASKS[name].task).from_network(model, size)


@pytest.mark.parametrize(("name", "model", "size"), CASES)
def test_the_embedding_is_what_the_head_sees_and_an_export_gives_the_same(name, model, size):
    task = make(name, model, size)
    task.model.eval()
    [graph] = task.export_plan().graphs
    sample = graph.samples[1]
    with torch.inference_mode():
        plain = infer_arrays(task, sample)
    found = EmbeddingPredictor(task, CPU, name="run").run(sample)
    vectors = found.pop(EMBEDDING)
    assert set(found) == set(plain) and all(np.array_equal(found[each], plain[each]) for each in plain)
    assert vectors.dtype == np.float32 and len(vectors) == len(sample[graph.inputs[0]])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with torch.inference_mode(), watching(task.head()) as seen:
        infer_arrays(task, sample)
        seen_by_head = item_vectors(seen[-1]).numpy()
    np.testing.assert_allclose(
        vectors * np.linalg.norm(seen_by_head, axis=1, keepdims=True), seen_by_head, rtol=1e-4, atol=1e-6
    )
    exported = WithEmbedding(graph.module, task.head()).eval()
    with torch.inference_mode():
        answers = exported(*(torch.from_numpy(sample[each]) for each in graph.inputs))
    np.testing.assert_allclose(answers[-1].numpy(), vectors, atol=1e-5)


class Loader:
    """Batches of random images, in the order of `rows`."""

    def __init__(self, rows, labels=None):
        self.rows, self.labels = rows, labels
        self.num_items = len(rows) + 2  # of which two cannot be read

    def image(self, row):
        return torch.from_numpy(np.random.default_rng(row).integers(0, 256, (1, 28, 28), np.uint8))

    def batches(self, epoch=0, start=0):
        for place in range(0, len(self.rows), 2):
            rows = self.rows[place : place + 2]
            more = {} if self.labels is None else {"labels": torch.tensor([self.labels[row] for row in rows])}
            yield {"images": torch.stack([self.image(row) for row in rows]), "rows": torch.tensor(rows), **more}


def test_vectors_are_in_the_order_of_the_rows_with_their_labels():
    task = load_object(TASKS["classification"].task).from_network("cnn", {"channels": 1, "image_size": 28})
    labels = {row: row % 3 for row in range(10)}
    found, straight = embed(task, Loader([7, 2, 9, 4, 0], labels), CPU), embed(task, Loader([0, 2, 4, 7, 9]), CPU)
    assert found.rows.tolist() == straight.rows.tolist() == [0, 2, 4, 7, 9]
    assert found.labels is not None and found.labels.tolist() == [0, 2, 1, 1, 0]
    assert straight.labels is None
    assert len(found) == 5 and np.allclose(found.vectors, straight.vectors, atol=1e-6)
    assert not task.model.training


def test_no_item_is_an_error():
    task = load_object(TASKS["classification"].task).from_network("cnn", {})
    with pytest.raises(DataError, match="no item to embed"):
        embed(task, Loader([]), CPU)


def test_a_task_without_one_vector_for_each_item_is_refused():
    task = load_object(TASKS["generation"].task).from_network("dcgan", {})
    assert not isinstance(task, Embeds)
    with pytest.raises(UsageError, match="made: its task has no embedding"):
        EmbeddingPredictor(task, CPU, name="made")


def test_a_network_without_a_known_head_is_refused():
    task = load_object(TASKS["classification"].task).from_network("cnn", {})
    task.model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with pytest.raises(UsageError, match="no embedding: Sequential has no layer named"):
        EmbeddingPredictor(task, CPU, name="made")
