"""Word vectors as text: read back exactly, and refused where they cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from export.conftest import ResidualNet

from dlcli.core.errors import ExportError, ParityError
from dlcli.export.exporting import export_model
from dlcli.export.plan import ExportPlan, single_graph
from dlcli.export.word2vec import check_text
from dlcli.models.text.vectors import read_vectors
from dlcli.models.text.word_vectors import WordVectors

WORDS = ["<pad>", "<unk>", "北京", "new", "none", "é"]


def plan_of(words: list[str]) -> ExportPlan:
    torch.manual_seed(0)
    network = WordVectors(vocab_size=len(words), embedding_dim=6)
    with torch.no_grad():
        network.embedding.weight[[0, 1, 4]] = 0
    samples = [
        {"tokens": np.array(rows, np.int64), "signs": np.ones((len(rows), 2), np.float32)}
        for rows in ([[2, 3]], [[5, 2], [3, 5], [2, 5]])
    ]
    example = {"tokens": torch.tensor([[2, 3, 5], [5, 3, 2]]), "signs": torch.ones(2, 3)}
    dynamic = {name: {0: "batch", 1: "time"} for name in example}
    return single_graph(
        network.queries,
        inputs=("tokens", "signs"),
        outputs=("vectors", "cosines"),
        samples=samples,
        example=example,
        dynamic=dynamic,
        metadata={"task": "embedding", "assets": {"vocab": words}},
    )


def test_the_vectors_are_read_back_exactly_and_words_without_one_are_left_out(tmp_path):
    plan = plan_of(WORDS)
    result = export_model(plan, "word2vec", tmp_path / "w.vec", report=print)
    assert len(result.checks) == 2
    lines = result.path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "3 6"
    assert [line.split(" ")[0] for line in lines[1:]] == ["北京", "new", "é"]
    rows, values, size = read_vectors(result.path, WORDS)
    assert (rows.tolist(), size) == ([2, 3, 5], 6)
    assert np.array_equal(values, plan.graphs[0].module.embedding.weight.detach().numpy()[rows])


def test_a_word_with_a_blank_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ExportError, match="no exporter") as caught:
        export_model(plan_of([*WORDS[:5], "New York"]), "word2vec", tmp_path / "w.vec", report=print)
    assert "'New York' holds a blank" in caught.value.details[0]
    assert not list(tmp_path.iterdir())


def test_another_network_is_refused(tmp_path):
    images = [np.zeros((count, 3, 8, 8), np.float32) for count in (1, 3)]
    plan = single_graph(
        ResidualNet(),
        inputs=("image",),
        outputs=("logits",),
        samples=[{"image": each} for each in images],
        metadata={"task": "classification", "assets": {}},
    )
    with pytest.raises(ExportError) as caught:
        export_model(plan, "word2vec", tmp_path / "w.vec", report=print)
    assert "word vectors alone" in caught.value.details[0]
    assert caught.value.hint == "try --format onnx or --format torchscript or --format pt2"


def test_a_file_with_another_value_does_not_pass(tmp_path: Path):
    plan = plan_of(WORDS)
    [graph] = plan.graphs
    path = export_model(plan, "word2vec", tmp_path / "w.vec", report=print).path
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], "é " + " ".join(["1"] * 6)]), encoding="utf-8")
    references = [
        {"vectors": graph.module(*map(torch.from_numpy, sample.values()))[0].detach().numpy()}
        for sample in graph.samples
    ]
    with pytest.raises(ParityError):
        check_text(
            graph, references, {"dlcli.assets": '{"vocab": ["<pad>", "<unk>", "北京", "new", "none", "é"]}'}, path
        )
