"""The parity gate: an exported file is run as `dl predict` would run it, and must answer as the module does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import ParityError
from dlcli.export.plan import Check, ExportPlan
from dlcli.export.runtime import open_model


@dataclass(frozen=True)
class Difference:
    """How far two answers lie apart.

    Attributes:
        value: the largest scaled difference, see `compare`; infinite where the answers cannot be compared.
        reason: where that is, in words; empty where the answers are equal.
    """

    value: float
    reason: str = ""


def compare(
    reference: Mapping[str, np.ndarray], answer: Mapping[str, np.ndarray], scales: Mapping[str, float] | None = None
) -> Difference:
    """Return the largest difference of two answers, over all outputs.

    For floats that is |difference| / (min(1, scale) + |reference|): absolute and relative at once, and an output whose
    values are all tiny is not passed for that. Names, shapes and types must be the same, integers and booleans equal;
    a NaN is equal to a NaN alone, an infinity to the same infinity. Anything else is infinitely far apart.

    Args:
        reference: output name -> what it should be.
        answer: output name -> what it is.
        scales: output name -> the largest |reference| that this output takes; 1 where left out.
    """
    if list(reference) != list(answer):
        return Difference(math.inf, f"the outputs are {', '.join(answer)}, not {', '.join(reference)}")
    found = [_compare_arrays(name, reference[name], answer[name], (scales or {}).get(name, 1.0)) for name in reference]
    return max(found, key=lambda difference: difference.value)


def _compare_arrays(name: str, reference: np.ndarray, answer: np.ndarray, scale: float) -> Difference:
    if reference.shape != answer.shape:
        return Difference(math.inf, f"{name} has the shape {answer.shape}, not {reference.shape}")
    if reference.dtype != answer.dtype:
        return Difference(math.inf, f"{name} is {answer.dtype}, not {reference.dtype}")
    if not np.issubdtype(reference.dtype, np.floating):
        num_unequal = np.count_nonzero(reference != answer)
        if num_unequal:
            return Difference(math.inf, f"{name} has {num_unequal} of {reference.size} values unequal")
        return Difference(0.0)
    exact, given = reference.astype(np.float64), answer.astype(np.float64)
    is_unequal = ~((exact == given) | (np.isnan(exact) & np.isnan(given)))
    exact, given = exact[is_unequal], given[is_unequal]
    if not exact.size:
        return Difference(0.0)
    if not np.all(np.isfinite(exact) & np.isfinite(given)):
        return Difference(math.inf, f"{name} has a NaN or an infinity on one side only")
    with np.errstate(divide="ignore"):  # a zero that should be zero and is not, where all are zero: infinitely far
        largest = float(np.max(np.abs(given - exact) / (min(1.0, scale) + np.abs(exact))))
    return Difference(largest, f"{name} differs by {largest:.2g}")


def largest_values(references: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Return output name -> the largest finite |value| over all samples."""
    return {
        name: max(
            float(np.max(np.abs(answer[name]), where=np.isfinite(answer[name]), initial=0)) for answer in references
        )
        for name in references[0]
    }


def tells_apart(references: Sequence[Mapping[str, np.ndarray]], tolerance: float) -> bool:
    """Return whether the module answers the items of a batch differently, by ten times the tolerance at least.

    A network with fresh weights may not (a ViT's head starts at zero, a GoogLeNet answers alike to 1e-7); then any
    graph that ends in the same bias passes the gate.
    """
    scales = largest_values(references)
    for answer in references:
        for name, values in answer.items():
            if values.ndim and values.shape[0] > 1 and values.size:
                spread = float(np.max(np.abs(values[1:].astype(np.float64) - values[:1])))
                if not spread <= 10 * tolerance * min(1.0, scales[name]):  # a NaN is a difference too
                    return True
    return False


def reference_answers(module: nn.Module, plan: ExportPlan) -> list[dict[str, np.ndarray]]:
    """Return the module's own answer to each sample: evaluation mode, no gradients, fp32 whatever the caller set.

    Raises:
        ValueError: the module gives another number of outputs than the plan names.
    """
    answers = []
    for sample in plan.samples:
        # Copied, because the module may write into its inputs.
        tensors = [torch.from_numpy(np.array(sample[name])) for name in plan.inputs]
        with torch.inference_mode(), torch.autocast(tensors[0].device.type, enabled=False):
            outputs = module(*tensors)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        if len(outputs) != len(plan.outputs):
            raise ValueError(f"the module gives {len(outputs)} outputs, the plan names {plan.outputs}")
        answers.append({name: output.numpy() for name, output in zip(plan.outputs, outputs, strict=True)})
    return answers


def parity_gate(
    plan: ExportPlan, references: Sequence[Mapping[str, np.ndarray]], model_file: Path
) -> tuple[Check, ...]:
    """Return one check for each sample, all within the plan's tolerance.

    Args:
        plan: samples, outputs, tolerance.
        references: the module's answers to the samples.
        model_file: the exported file.

    Raises:
        ParityError: an answer differs; its first detail names the sample, its sizes, the difference, the tolerance.
        RunError: the file cannot be opened or does not take a sample.
    """
    model = open_model(model_file)
    scales = largest_values(references)
    checks = []
    worst: tuple[Difference, str] | None = None
    for index, (sample, reference) in enumerate(zip(plan.samples, references, strict=True)):
        sizes = plan.sizes(sample)
        difference = compare(reference, model.run(sample), scales)
        checks.append(Check(sizes, difference.value))
        if difference.value > plan.tolerance and (worst is None or difference.value > worst[0].value):
            at = ", ".join(f"{symbol} {size}" for symbol, size in sizes.items())
            worst = difference, f"sample {index} ({at}): {difference.reason}; tolerance {plan.tolerance:g}"
    if worst is not None:
        raise ParityError("the exported file answers otherwise than the model", details=(worst[1],))
    return tuple(checks)
