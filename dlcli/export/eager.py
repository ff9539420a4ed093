"""A module as a function from arrays to arrays, the same interface as that of an exported graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from dlcli.export.plan import Arrays
from dlcli.models.places import device_of


def as_function(
    module: nn.Module, inputs: Sequence[str], outputs: Sequence[str]
) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """Return the module as a function from inputs by name to outputs by name.

    The caller puts the module into evaluation mode and sets autocast; bfloat16 outputs are returned as float32.

    Args:
        module: takes the inputs positionally and returns a tensor or a tuple of tensors.
        inputs, outputs: the names, in the module's order.

    Raises:
        ValueError: on a call, if the module returns another number of outputs than there are names.
    """
    device = device_of(module)

    def function(arrays: Arrays) -> dict[str, np.ndarray]:
        # Copied, because the module may write into its inputs.
        tensors = [torch.from_numpy(np.array(arrays[name])).to(device) for name in inputs]
        with torch.inference_mode():
            values = module(*tensors)
        values = values if isinstance(values, tuple) else (values,)
        if len(values) != len(outputs):
            raise ValueError(f"the module returns {len(values)} outputs, but the plan names {tuple(outputs)}")
        return {name: _to_numpy(value) for name, value in zip(outputs, values, strict=True)}

    return function


def _to_numpy(value: torch.Tensor) -> np.ndarray:
    return (value.float() if value.dtype == torch.bfloat16 else value).cpu().numpy()  # numpy has no bfloat16
