"""A toy of translation: an encoder and a step as two graphs, and a beam search around them.

The step's state has a dynamic axis of its own, the tokens said so far, and the step attends to the encoder's
memory under a mask.
Shapes: B sentences of T tokens, R rows of the search, S tokens said, D features, C candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.specs import TaskSpec
from dlcli.export.eager import as_function
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, Graph, cut_samples
from toys.sentences import START, VOCAB_SIZE, SeqInference, search

__all__ = ["SPEC", "Encoder", "SeqCodec", "SeqInference", "SeqTask", "Step", "search", "sentences"]

WIDTH, CANDIDATES = 16, 8

SPEC = TaskSpec(
    name="toy-seq",
    summary="sentences to sentences",
    form="toy-pairs",
    default_dataset="toy-pairs",
    config="toys.seq:SeqInference",
    recipe="",
    task="toys.seq:SeqTask",
    codec="toys.seq:SeqCodec",
    networks="",
    inference="toys.seq:SeqInference",
    search="toys.seq:search",
)


class SeqCodec:
    """Only what opening a model needs of a codec."""

    def __init__(self, assets: Mapping[str, Any], *more: Any) -> None:
        self.assets = assets


class Encoder(nn.Module):
    """(B, T) tokens and (B,) lengths to (B, T, D) memory."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE, WIDTH)
        self.mix = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        features = self.embedding(tokens)
        mask = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None])[:, :, None]
        features = features * mask
        mean = features.sum(1, keepdim=True) / lengths[:, None, None]
        return self.mix(torch.cat([features, mean.expand_as(features)], 2)).tanh()


class Step(nn.Module):
    """(R,) last tokens, (R, T, D) memory, (R,) lengths, (R, S, D) past to (R, C) scores, ids and (R, S + 1, D) past."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE, WIDTH)
        self.query = nn.Linear(2 * WIDTH, WIDTH)
        self.head = nn.Linear(2 * WIDTH, VOCAB_SIZE)

    def forward(self, last: Tensor, memory: Tensor, lengths: Tensor, past: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_probs, past = self.log_probs(last, memory, lengths, past)
        best, ids = log_probs.topk(CANDIDATES)
        return best, ids, past

    def log_probs(self, last: Tensor, memory: Tensor, lengths: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Return (R, VOCAB_SIZE) log-probabilities of the next token, and the new past."""
        word = self.embedding(last)
        past = torch.cat([past, word[:, None]], 1)
        query = self.query(torch.cat([word, past.mean(1)], 1)).tanh()
        weights = torch.einsum("rd,rtd->rt", query, memory)
        mask = torch.arange(memory.shape[1], device=memory.device) < lengths[:, None]
        weights = weights.masked_fill(~mask, -1e9).softmax(1)
        context = torch.einsum("rt,rtd->rd", weights, memory)
        scores = 3 * self.head(torch.cat([query, context], 1))
        return scores.log_softmax(1), past


class SeqTask:
    """The inference and the export of a task; a batch holds `tokens` and `lengths` as of `search`."""

    inputs = ("tokens", "lengths")
    outputs = ("sentences", "scores")

    def __init__(self, seed: int = 0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model = nn.ModuleDict({"encoder": Encoder(), "step": Step()}).eval()
        self._inference = SeqInference()

    def set_inference(self, options: SeqInference) -> None:
        self._inference = options

    def infer(self, batch: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """Return the sentences by the search that an export calls too."""
        encoder, step = self.model["encoder"], self.model["step"]
        graphs = {
            "encoder": as_function(encoder, self.inputs, ("memory",)),
            "step": as_function(step, ("last", "memory", "lengths", "past"), ("scores", "ids", "new_past")),
        }
        return search(graphs, {name: batch[name].cpu().numpy() for name in self.inputs}, self._inference)

    def export_plan(self) -> ExportPlan:
        """Return the two graphs."""
        random = np.random.default_rng(0)
        samples, states = [], []
        for length, sample in enumerate(cut_samples(sentences(sum(PARITY_BATCHES), 9)), 1):
            samples.append(sample)
            rows, longest = sample["tokens"].shape
            states.append(
                {
                    "last": random.integers(3, VOCAB_SIZE, rows),
                    "memory": random.uniform(-1, 1, (rows, longest, WIDTH)).astype(np.float32),
                    "lengths": sample["lengths"],
                    "past": random.normal(size=(rows, length, WIDTH)).astype(np.float32),
                }
            )
        example = {name: torch.from_numpy(array) for name, array in sentences(2, 5).items()}
        encoder = Graph(
            name="encoder",
            module=self.model["encoder"],
            inputs=self.inputs,
            outputs=("memory",),
            example=example,
            dynamic={"tokens": {0: "batch", 1: "time"}, "lengths": {0: "batch"}},
            samples=tuple(samples),
        )
        step = Graph(
            name="step",
            module=self.model["step"],
            inputs=("last", "memory", "lengths", "past"),
            outputs=("scores", "ids", "new_past"),
            example={
                "last": torch.tensor([START, 5]),
                "memory": torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(0)),
                "lengths": example["lengths"],
                "past": torch.randn(2, 4, WIDTH, generator=torch.Generator().manual_seed(1)),
            },
            dynamic={
                "last": {0: "batch"},
                "memory": {0: "batch", 1: "time"},
                "lengths": {0: "batch"},
                "past": {0: "batch", 1: "steps"},
            },
            samples=tuple(states),
        )
        metadata = {"task": SPEC.name, "assets": {"words": [f"w{index}" for index in range(VOCAB_SIZE)]}}
        return ExportPlan((encoder, step), metadata)


def sentences(count: int, longest: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return `tokens` (count, longest) and `lengths` (count,) of random sentences, one of them the longest."""
    random = np.random.default_rng((seed, count, longest))
    lengths = random.integers(1, longest + 1, count)
    lengths[0] = longest
    tokens = random.integers(3, VOCAB_SIZE, (count, longest)) * (np.arange(longest) < lengths[:, None])
    return {"tokens": tokens, "lengths": lengths}
