"""The two graphs of a language model, and real samples to prove them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.export.eager import as_function
from dlcli.export.plan import PARITY_BATCHES, Arrays, Graph
from dlcli.export.sequences import as_tensors, padded, sequence_batches
from dlcli.models.language.model import BOUNDARY, HasLogits, ScoreGraph, StepGraph
from dlcli.models.modes import evaluating
from dlcli.tasks.language_model.search import SCORE_INPUTS, SCORE_OUTPUTS, STEP_INPUTS, STEP_OUTPUTS, GraphFunction

EXPORTERS = ("legacy", "dynamo")
"""As for translators: a trace takes seconds, torch.export much longer; both give the same answers."""

NUM_SAMPLES = sum(PARITY_BATCHES)
STEPS = (0, 1, 6)
"""Steps after which the step is sampled; before the first, the cache of a transformer is empty."""


def graph_modules(network: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of "score" and "step"."""
    return {"score": ScoreGraph(network), "step": StepGraph(network)}


def graph_functions(network: nn.Module) -> dict[str, GraphFunction]:
    """Return the graphs as functions from arrays to arrays for `search`; the network must be in evaluation mode."""
    modules = graph_modules(network)
    return {
        "score": as_function(modules["score"], SCORE_INPUTS, SCORE_OUTPUTS),
        "step": as_function(modules["step"], STEP_INPUTS, STEP_OUTPUTS),
    }


def graphs_of(network: nn.Module, texts: Sequence[np.ndarray]) -> tuple[Graph, Graph]:
    """Return the graphs of an export plan.

    Args:
        network: the language model.
        texts: at least one text, (T,) int64 each, with which the files are proven.

    Raises:
        UsageError: the network is a table of counts.
    """
    if not isinstance(network, HasLogits):
        raise UsageError(
            "an n-gram model is a table of counts and no graph, so it cannot be exported",
            hint="`dl predict RUN` answers; or train another --model",
        )
    modules = graph_modules(network)
    with evaluating(network), torch.autocast("cpu", enabled=False):
        functions = graph_functions(network)
        batches = sequence_batches(texts, SCORE_INPUTS)
        steps = [_step_sample(functions, batch, count) for batch, count in zip(batches, STEPS, strict=True)]
        unlike = [np.resize(texts[-1], size) for size in (11, 6)]  # sizes that no sample has
        example = padded(unlike, SCORE_INPUTS)
        step_example = _step_sample(functions, example, 4)
    score = Graph(
        name="score",
        module=modules["score"],
        inputs=SCORE_INPUTS,
        outputs=SCORE_OUTPUTS,
        example=as_tensors(example),
        dynamic={"tokens": {0: "batch", 1: "time"}, "lengths": {0: "batch"}},
        samples=tuple(batches),
        exporters=EXPORTERS,
    )
    shapes = [sample["state"].shape for sample in steps]
    growing = {axis: "steps" for axis in range(1, len(shapes[0])) if len({shape[axis] for shape in shapes}) > 1}
    step = Graph(
        name="step",
        module=modules["step"],
        inputs=STEP_INPUTS,
        outputs=STEP_OUTPUTS,
        example=as_tensors(step_example),
        dynamic={"last": {0: "batch"}, "state": {0: "batch", **growing}},
        samples=tuple(steps),
        exporters=EXPORTERS,
    )
    return score, step


def _step_sample(functions: Mapping[str, GraphFunction], batch: Arrays, num_steps: int) -> dict[str, np.ndarray]:
    """Return the inputs of the step that follows `num_steps` others, of which each text said another token."""
    state = functions["score"](batch)["start"]
    last = np.full(len(batch["lengths"]), BOUNDARY, np.int64)
    for _ in range(num_steps):
        found = functions["step"]({"last": last, "state": state})
        ranked = np.argsort(-found["next_log_probs"], axis=1, kind="stable")
        places = np.arange(len(last)) % ranked.shape[1]
        last, state = np.take_along_axis(ranked, places[:, None], axis=1)[:, 0], found["new_state"]
    return {"last": last, "state": np.ascontiguousarray(state)}
