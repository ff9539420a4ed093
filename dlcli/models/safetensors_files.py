"""Reading and writing weights as safetensors: names, shapes and plain bytes, with nothing in them that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from dlcli.core.errors import RunError, first_line


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU.

    Raises:
        RunError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        # As bytes, since the library maps a file, which would change the tensors when the file is written again.
        tensors: dict[str, Tensor] = load(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}", hint="copy the whole folder") from None
    except (SafetensorError, ValueError, KeyError) as error:
        raise RunError(f"{path}: damaged: {first_line(error)}", hint="copy or export it again") from None
    return tensors


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name; those that share memory are written as often as they have names.

    Raises:
        OSError: the file could not be written.
    """
    from safetensors.torch import save

    apart = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    path.write_bytes(save(apart, metadata={"format": "pt"}))
