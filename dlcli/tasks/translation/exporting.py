"""The two graphs of a translator, and real samples to prove them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from dlcli.data.parallel.tokenizers import START
from dlcli.export.eager import as_function
from dlcli.export.plan import PARITY_BATCHES, Arrays, Bounds, Graph
from dlcli.export.sequences import as_tensors, padded, sequence_batches
from dlcli.models.modes import evaluating
from dlcli.models.seq2seq.translator import EncoderGraph, StepGraph, Translator, as_candidates
from dlcli.tasks.translation.search import (
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
    NEVER_SAID,
    STEP_INPUTS,
    STEP_OUTPUTS,
    GraphFunction,
)

EXPORTERS = ("legacy", "dynamo")
"""A trace takes 2 s of CPU time for both graphs of a transformer, torch.export 36 s; both give the same answers."""

UNEQUAL_CANDIDATES = 0.02
"""The share of candidates in which two programs may differ: the last of 32 may be nearly as good as the next one."""

NUM_SAMPLES = sum(PARITY_BATCHES)
BEAMS = (1, 4, 2)
"""Hypotheses of a sentence in the samples of a step."""
STEPS = (0, 1, 6)
"""Steps after which the step is sampled; before the first, the cache of a transformer is empty."""


def graph_modules(network: nn.Module, target_size: int) -> dict[str, nn.Module]:
    """Return the modules of "encoder" and "step"."""
    translator = cast(Translator, network)
    return {"encoder": EncoderGraph(translator), "step": StepGraph(translator, as_candidates(target_size))}


def graph_functions(network: nn.Module, target_size: int) -> dict[str, GraphFunction]:
    """Return the graphs as functions from arrays to arrays for `search`; the network must be in evaluation mode."""
    modules = graph_modules(network, target_size)
    return {
        "encoder": as_function(modules["encoder"], ENCODER_INPUTS, ENCODER_OUTPUTS),
        "step": as_function(modules["step"], STEP_INPUTS, STEP_OUTPUTS),
    }


def graphs_of(network: nn.Module, target_size: int, sentences: Sequence[np.ndarray]) -> tuple[Graph, Graph]:
    """Return the graphs of an export plan.

    Args:
        network: the translator.
        target_size: the size of the target's vocabulary.
        sentences: at least one source sentence, (S,) int64 each, with which the files are proven.
    """
    modules = graph_modules(network, target_size)
    with evaluating(network), torch.autocast("cpu", enabled=False):
        functions = graph_functions(network, target_size)
        batches = sequence_batches(sentences, ENCODER_INPUTS)
        steps = [
            _step_sample(functions, batch, beam=beam, num_steps=count)
            for batch, beam, count in zip(batches, BEAMS, STEPS, strict=True)
        ]
        unlike = [np.resize(sentences[-1], size) for size in (11, 6)]  # sizes that no sample has
        example = padded(unlike, ENCODER_INPUTS)
        step_example = _step_sample(functions, example, beam=3, num_steps=4)
    encoder = Graph(
        name="encoder",
        module=modules["encoder"],
        inputs=ENCODER_INPUTS,
        outputs=ENCODER_OUTPUTS,
        example=as_tensors(example),
        dynamic={"source": {0: "batch", 1: "time"}, "source_lengths": {0: "batch"}},
        samples=tuple(batches),
        exporters=EXPORTERS,
    )
    step = Graph(
        name="step",
        module=modules["step"],
        inputs=STEP_INPUTS,
        outputs=STEP_OUTPUTS,
        example=as_tensors(step_example),
        dynamic=_dynamic_axes(step_example, steps),
        samples=tuple(steps),
        exporters=EXPORTERS,
        tolerance={"ids": UNEQUAL_CANDIDATES},
        align=candidates_aligned,
    )
    return encoder, step


def candidates_aligned(reference: Arrays, answer: Arrays, bounds: Bounds) -> dict[str, np.ndarray]:
    """Return an answer of a step with its candidates in the reference's order, for `Graph.align`.

    Two programs round differently, and so may swap candidates of nearly equal scores; and the order of banned ones, at
    -inf, has no meaning. What the reference lacks stays in the places that are left; among candidates that tie with the
    last one it is chance which of them are in the list, so there the reference's tokens stand.
    """
    shape, num_candidates = reference["ids"].shape, reference["ids"].shape[-1]
    expected, given = (arrays["ids"].reshape(-1, num_candidates) for arrays in (reference, answer))
    order = np.empty((len(given), num_candidates), np.int64)
    for row, (wanted, found) in enumerate(zip(expected.tolist(), given.tolist(), strict=True)):
        places = {token: place for place, token in enumerate(found)}
        spare = iter([place for token, place in places.items() if token not in set(wanted)])
        order[row] = [places[token] if token in places else next(spare) for token in wanted]
    places_in_answer = order.reshape(shape)
    scores, ids = (np.take_along_axis(answer[name], places_in_answer, axis=-1) for name in ("scores", "ids"))
    is_banned = np.isneginf(scores) & np.isneginf(reference["scores"])
    cut = np.maximum(reference["scores"][..., -1:], answer["scores"][..., -1:])
    is_at_cut = np.maximum(reference["scores"], scores) <= cut + bounds["scores"]
    return {**answer, "scores": scores, "ids": np.where(is_banned | is_at_cut, reference["ids"], ids)}


def _dynamic_axes(example: Arrays, samples: Sequence[Arrays]) -> dict[str, dict[int, str]]:
    """Return the axes of a step's inputs that vary: sentences, hypotheses, source tokens, steps, banned tokens."""
    named = {
        "last": {0: "batch", 1: "beam"},
        "context": {0: "batch"},
        "source_lengths": {0: "batch"},
        "state": {0: "batch", 1: "beam"},
        "banned": {0: "batch", 1: "beam", 2: "bans"},
    }
    for name, symbol in (("context", "time"), ("state", "steps")):
        for axis in range(len(named[name]), example[name].ndim):
            if any(sample[name].shape[axis] != example[name].shape[axis] for sample in samples):
                named[name][axis] = symbol
    return named


def _step_sample(
    functions: Mapping[str, GraphFunction], batch: Arrays, *, beam: int, num_steps: int
) -> dict[str, np.ndarray]:
    """Return the inputs of the step that follows `num_steps` others; each hypothesis began with another candidate."""
    memory = functions["encoder"](batch)
    count = len(batch["source_lengths"])
    state = np.repeat(memory["state"][:, None], beam, axis=1)
    inputs: dict[str, Any] = {
        "last": np.full((count, beam), START, np.int64),
        "context": memory["context"],
        "source_lengths": batch["source_lengths"],
        "state": state,
        "banned": np.broadcast_to(np.array(NEVER_SAID), (count, beam, len(NEVER_SAID))),
    }
    for number in range(num_steps):
        found = functions["step"](inputs)
        places = np.arange(beam) % found["ids"].shape[2] if number == 0 else np.zeros(beam, np.int64)
        last = np.take_along_axis(found["ids"], np.broadcast_to(places[:, None], (count, beam, 1)), axis=2)[..., 0]
        banned = np.concatenate([inputs["banned"], last[:, :, None]], axis=2)
        inputs = {**inputs, "last": last, "state": found["new_state"], "banned": banned}
    return {name: np.ascontiguousarray(array) for name, array in inputs.items()}
