"""Weights as a folder that the Hugging Face hub knows: `model.safetensors`, and `config.json` with all else of a model.

Unlike a graph such a folder needs the code of the network. `config.json` holds the run's whole description (task,
model, resolved options, assets), so dl builds the network again from the folder alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.core.description import Description, read_description
from dlcli.core.errors import ParityError, RunError
from dlcli.core.files import file_sha256
from dlcli.export.half import LARGEST
from dlcli.export.metadata import METADATA_SCHEMA, check_size, check_weights_metadata, parse_json
from dlcli.export.model_file import CONFIG_JSON, WEIGHTS_FILE
from dlcli.models.safetensors_files import read_safetensors, write_safetensors

_HINT = "only folders that `dl export RUN --format safetensors` wrote can be run"


def write_weights(path: Path, state: Mapping[str, Tensor], learned: Collection[str], *, half: bool) -> None:
    """Write a network's tensors; with `half` its learned weights in fp16, and statistics and other buffers as they are.

    Args:
        path: the file.
        state: the network's state by name.
        learned: the names of its parameters.
        half: halve the size.

    Raises:
        ParityError: a weight is beyond what fp16 can hold.
        OSError: the file could not be written.
    """
    tensors = dict(state)
    for name in learned if half else ():
        tensor = tensors[name]
        if tensor.is_floating_point() and tensor.numel():
            largest = float(tensor.abs().max())
            if not largest <= LARGEST:
                raise ParityError(
                    f"--half: the weight {name} reaches {largest:.3g}, and fp16 ends at {LARGEST:g}",
                    hint="leave out --half",
                )
            tensors[name] = tensor.to(torch.float16)
    write_safetensors(path, tensors)


def folder_content(metadata: Mapping[str, Any], weights: Path) -> dict[str, Any]:
    """Return the content of `config.json`.

    Args:
        metadata: schema, task, assets, configuration and whatever else describes the model.
        weights: the file of weights.

    Raises:
        ValueError: a value has the wrong type or is missing.
    """
    listed = {"file": WEIGHTS_FILE, "sha256": file_sha256(weights)}
    fixed = {"schema": METADATA_SCHEMA, "library_name": "dlcli", "format": "safetensors", "weights": listed}
    try:
        return check_weights_metadata({**fixed, **metadata, **fixed}, CONFIG_JSON)
    except RunError as error:
        raise ValueError(error.message) from None


def read_weights_folder(folder: Path) -> tuple[Description, dict[str, Tensor]]:
    """Return the description and the tensors of a folder, both examined.

    Raises:
        RunError: a file is missing, damaged, not written by dl, or is not the one that `config.json` names.
    """
    where, weights = folder / CONFIG_JSON, folder / WEIGHTS_FILE
    content = read_config(folder)
    try:
        digest = file_sha256(weights)
    except OSError as error:
        raise RunError(f"{weights}: cannot be read: {error.strerror or error}", hint="copy the whole folder") from None
    if digest != content["weights"].get("sha256"):
        raise RunError(f"{weights}: is not the file that was exported (its SHA-256 differs)", hint="copy it again")
    return read_description(content, str(where)), read_safetensors(weights)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's `config.json`.

    Raises:
        RunError: it cannot be read, is damaged, or was not written by dl.
    """
    where = folder / CONFIG_JSON
    try:
        with where.open("rb") as stream:
            check_size(stream.seek(0, 2), str(where))
            stream.seek(0)
            text = stream.read().decode()
    except OSError as error:
        raise RunError(f"{where}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RunError(f"{where} is damaged: not UTF-8", hint=_HINT) from None
    content = parse_json(text, str(where))
    if not isinstance(content, dict) or content.get("library_name") != "dlcli":
        raise RunError(f"{where}: contains no labels and preprocessing written by dl", hint=_HINT)
    return check_weights_metadata(content, str(where))


def config_text(content: Mapping[str, Any]) -> str:
    """Return the text of `config.json`."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
