"""The parity gate: an exported file is run as by `dl predict`, and must give the same outputs as the module."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import ParityError
from dlcli.export.eager import as_function
from dlcli.export.plan import Check, Graph
from dlcli.export.runtime import open_model


@dataclass(frozen=True)
class Difference:
    """The difference between two answers.

    Attributes:
        value: the largest scaled difference, see `compare`; infinite if the answers cannot be compared.
        reason: a description of that difference; "" if the answers are equal.
    """

    value: float
    reason: str = ""


def compare(
    reference: Mapping[str, np.ndarray],
    answer: Mapping[str, np.ndarray],
    scales: Mapping[str, float] | None = None,
    largest_step: Mapping[str, int] | None = None,
    absolute: Collection[str] = (),
) -> Difference:
    """Return the largest difference between two answers, over all outputs.

    For floats it is |difference| / (min(1, scale) + |reference|), both absolute and relative, so that an output with
    only tiny values does not pass for being tiny. For integers and booleans it is the fraction of unequal values.
    Names, shapes and dtypes must be equal; a NaN equals only a NaN, an infinity only the same infinity. Any other
    difference is infinite.

    Args:
        reference: the expected outputs by name, of any shape.
        answer: the actual outputs by name.
        scales: the largest |reference| of each output by name; 1 by default.
        largest_step, absolute: see `Graph`.
    """
    found = differences(reference, answer, scales, largest_step, absolute)
    return max(found.values(), key=lambda difference: difference.value)


def differences(
    reference: Mapping[str, np.ndarray],
    answer: Mapping[str, np.ndarray],
    scales: Mapping[str, float] | None = None,
    largest_step: Mapping[str, int] | None = None,
    absolute: Collection[str] = (),
) -> dict[str, Difference]:
    """Return the difference between two answers for each output by name; for the arguments see `compare`."""
    if list(reference) != list(answer):
        wrong = Difference(math.inf, f"the outputs are {', '.join(answer)}, not {', '.join(reference)}")
        return dict.fromkeys(reference, wrong)
    return {
        name: _compare_arrays(
            name,
            reference[name],
            answer[name],
            None if name in absolute else (scales or {}).get(name, 1.0),
            (largest_step or {}).get(name),
        )
        for name in reference
    }


def _compare_arrays(
    name: str, reference: np.ndarray, answer: np.ndarray, scale: float | None, largest_step: int | None
) -> Difference:
    if reference.shape != answer.shape:
        return Difference(math.inf, f"{name} has the shape {answer.shape}, not {reference.shape}")
    if reference.dtype != answer.dtype:
        return Difference(math.inf, f"{name} is {answer.dtype}, not {reference.dtype}")
    if not np.issubdtype(reference.dtype, np.floating):
        num_unequal = int(np.count_nonzero(reference != answer))
        step = _step_between(reference, answer) if num_unequal and largest_step is not None else 0
        if largest_step is not None and step > largest_step:
            return Difference(math.inf, f"{name} differs by up to {step}, which rounding does not explain")
        if num_unequal:
            share = num_unequal / reference.size
            return Difference(share, f"{name} has {num_unequal} of {reference.size} values unequal")
        return Difference(0.0)
    exact, given = reference.astype(np.float64), answer.astype(np.float64)
    is_unequal = ~((exact == given) | (np.isnan(exact) & np.isnan(given)))
    exact, given = exact[is_unequal], given[is_unequal]
    if not exact.size:
        return Difference(0.0)
    if not np.all(np.isfinite(exact) & np.isfinite(given)):
        return Difference(math.inf, f"{name} has a NaN or an infinity on one side only")
    with np.errstate(divide="ignore"):  # if the whole reference is zero, a nonzero value is infinitely far away
        unit = 1.0 if scale is None else min(1.0, scale) + np.abs(exact)
        largest = float(np.max(np.abs(given - exact) / unit))
    return Difference(largest, f"{name} differs by {largest:.2g}")


def _step_between(reference: np.ndarray, answer: np.ndarray) -> int:
    """Return the largest difference between integers."""
    return int(np.abs(reference.astype(np.int64) - answer.astype(np.int64)).max())


def largest_values(references: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Return the largest finite |value| of each output by name, over all samples."""
    return {
        name: max(
            float(np.max(np.abs(answer[name]), where=np.isfinite(answer[name]), initial=0)) for answer in references
        )
        for name in references[0]
    }


def tells_apart(graph: Graph, references: Sequence[Mapping[str, np.ndarray]]) -> bool:
    """Return whether the module's outputs for the items of a batch differ, for floats by over ten times the tolerance.

    Where every batch is of one item, the items of all samples are compared. Those of a network with random weights may
    not differ (a ViT's head starts at zero, a GoogLeNet's outputs are equal to 1e-7); then any graph that ends in the
    same bias passes the gate.
    """
    scales = largest_values(references)
    for answer in _gathered(references):
        for name, values in answer.items():
            if values.ndim and values.shape[0] > 1 and values.size:
                first, others = values[:1].astype(np.float64), values[1:].astype(np.float64)
                # Equal infinities do not differ, and their difference is not a number.
                gaps = np.subtract(others, first, where=others != first, out=np.zeros(others.shape))
                spread = float(np.abs(gaps).max())
                is_float = np.issubdtype(values.dtype, np.floating)
                noise = 10 * graph.tolerance_of(name, values.dtype) * min(1.0, scales[name]) if is_float else 0.0
                if not spread <= noise:  # a NaN is a difference too
                    return True
    return False


def _gathered(references: Sequence[Mapping[str, np.ndarray]]) -> Sequence[Mapping[str, np.ndarray]]:
    """Return the answers, as one batch if each is of one item and all have the same shapes."""
    shapes = {tuple(values.shape for values in answer.values()) for answer in references}
    if len(shapes) > 1 or not all(shape[:1] == (1,) for shape in next(iter(shapes))):
        return references
    return [{name: np.concatenate([answer[name] for answer in references]) for name in references[0]}]


def reference_answers(module: nn.Module, graph: Graph) -> list[dict[str, np.ndarray]]:
    """Return the module's outputs for each sample, without gradients and in fp32, regardless of the caller's autocast.

    Raises:
        ValueError: the module returns another number of outputs than the graph names.
    """
    function = as_function(module, graph.inputs, graph.outputs)
    with torch.autocast("cpu", enabled=False):
        return [function(sample) for sample in graph.samples]


def parity_gate(graph: Graph, references: Sequence[Mapping[str, np.ndarray]], model_file: Path) -> tuple[Check, ...]:
    """Return one check per sample, with all outputs within the graph's tolerances.

    Args:
        graph: the samples, outputs, tolerances and alignment.
        references: the module's outputs for the samples.
        model_file: the exported file.

    Raises:
        ParityError: an output differs; the first detail names the sample, its sizes, the difference and the tolerance.
        RunError: the file cannot be opened, or does not accept a sample.
    """
    return compare_answers(graph, references, open_model(model_file).run)


def compare_answers(
    graph: Graph,
    references: Sequence[Mapping[str, np.ndarray]],
    run: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
) -> tuple[Check, ...]:
    """Return the checks of `parity_gate` for any function from inputs to outputs by name."""
    scales = largest_values(references)
    checks = []
    worst: tuple[float, str] | None = None
    for index, (sample, reference) in enumerate(zip(graph.samples, references, strict=True)):
        sizes = graph.sizes(sample)
        answer = graph.aligned(reference, run(sample))
        found = differences(reference, answer, scales, graph.largest_step, graph.absolute)
        checks.append(Check(sizes, max(difference.value for difference in found.values()), graph.name))
        for name, difference in found.items():
            tolerance = graph.tolerance_of(name, reference[name].dtype)
            if difference.value <= tolerance:
                continue
            excess = difference.value / tolerance if tolerance else math.inf
            if worst is None or excess > worst[0]:
                at = ", ".join(f"{symbol} {size}" for symbol, size in sizes.items())
                worst = excess, f"sample {index} ({at}): {difference.reason}; tolerance {tolerance:g}"
    if worst is not None:
        raise ParityError("the exported file and the model give different outputs", details=(worst[1],))
    return tuple(checks)
