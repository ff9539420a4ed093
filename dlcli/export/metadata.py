"""The metadata of an exported file: JSON values, validated as untrusted input when read. Torch-free."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import RunError
from dlcli.core.installing import UPGRADE

METADATA_SCHEMA = 2
"""2: a file has the full description of its run, and may be one graph of several; files of schema 1 can be read."""

PREFIX = "dlcli."
MAX_METADATA_BYTES = 64 * 2**20
"""Limit on the total size: a vocabulary of 100,000 words takes 2 MB."""

_ALWAYS: Mapping[str, type] = {"schema": int, "inputs": list, "outputs": list}
_WHOLE: Mapping[str, type] = {"schema": int, "task": str, "assets": dict}
_OPTIONAL: Mapping[str, type] = {
    "run": str,
    "model": str,
    "dataset": str,
    "config": dict,
    "versions": dict,
    "metrics": dict,
    "graph": str,
    "quantized": dict,
}
_HINT = "write the file again with `dl export RUN`"


def encode_metadata(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata as key -> JSON text, each key with our prefix.

    Raises:
        ValueError: a value is not JSON (such as NaN), has the wrong type or is missing, or the total is too large.
    """
    texts = {
        PREFIX + key: json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        for key, value in metadata.items()
    }
    try:
        decode_metadata(texts, "metadata")
    except RunError as error:
        raise ValueError(error.message) from None
    return texts


def decode_metadata(texts: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the metadata from key -> JSON text; keys without our prefix are ignored.

    Raises:
        RunError: no key has our prefix, or `check_metadata` rejects the metadata.
    """
    ours = {key.removeprefix(PREFIX): text for key, text in texts.items() if key.startswith(PREFIX)}
    if not ours:
        raise RunError(
            f"{where}: contains no labels and preprocessing written by dl",
            hint="only files that `dl export` wrote can be run",
        )
    check_size(sum(len(text) for text in ours.values()), where)
    return check_metadata(
        {key: parse_json(text, f"{where}: its metadata {key!r}") for key, text in ours.items()}, where
    )


def parse_json(text: str, where: str) -> Any:
    """Return the JSON value of a text from an untrusted file, with finite numbers and printable strings only.

    Raises:
        RunError: the text is not such JSON.
    """
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
        if "\\ud" in text.lower():  # escapes of surrogates; half a pair is not a character
            json.dumps(value, ensure_ascii=False).encode()
        text.encode()
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where} is damaged: {type(error).__name__}", hint=_HINT) from None
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not JSON")
    return number


def check_size(num_bytes: int, where: str) -> None:
    """Check that the metadata is not larger than the limit.

    Raises:
        RunError: it is larger.
    """
    if num_bytes > MAX_METADATA_BYTES:
        raise RunError(f"{where}: its metadata is larger than {MAX_METADATA_BYTES >> 20} MiB", hint=_HINT)


def check_metadata(metadata: Any, where: str) -> dict[str, Any]:
    """Return the metadata of a file after validating schema, keys and types.

    If "graph" names the file as one graph of several, task and assets are in the folder's `model.json` instead.

    Raises:
        RunError: a key is missing, a value has the wrong type, or the schema is newer than this program.
    """
    is_part = isinstance(metadata, dict) and "graph" in metadata
    checked = _check_keys(metadata, _ALWAYS if is_part else {**_WHOLE, **_ALWAYS}, where)
    for key in ("inputs", "outputs"):
        if not checked[key] or not all(isinstance(name, str) for name in checked[key]):
            raise RunError(f"{where}: its metadata {key!r} is not a list of names", hint=_HINT)
    return checked


def check_folder_metadata(metadata: Any, where: str) -> dict[str, Any]:
    """Return the content of the `model.json` of several graphs after validating schema, keys and types.

    Raises:
        RunError: as in `check_metadata`.
    """
    return _check_keys(metadata, {**_WHOLE, "graphs": list}, where)


def check_weights_metadata(metadata: Any, where: str) -> dict[str, Any]:
    """Return the content of the `config.json` beside weights after validating schema, keys and types.

    Raises:
        RunError: as in `check_metadata`.
    """
    return _check_keys(metadata, {**_WHOLE, "weights": dict}, where)


def _check_keys(metadata: Any, required: Mapping[str, type], where: str) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise RunError(f"{where}: its metadata is not a mapping", hint=_HINT)
    for key, kind in {**required, **_OPTIONAL}.items():
        if key not in metadata:
            if key in required:
                raise RunError(f"{where}: its metadata has no {key!r}", hint=_HINT)
        elif not isinstance(metadata[key], kind) or isinstance(metadata[key], bool):
            raise RunError(f"{where}: its metadata {key!r} is not of type {kind.__name__}", hint=_HINT)
    if metadata["schema"] > METADATA_SCHEMA:
        raise RunError(f"{where}: written by a newer dl", hint=UPGRADE)
    if metadata["schema"] < 1:
        raise RunError(f"{where}: its metadata has the unknown schema {metadata['schema']}", hint=_HINT)
    return metadata


def check_names(path: Path, metadata: Mapping[str, Any], inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    """Check that the graph has the inputs and outputs that the metadata names.

    Raises:
        RunError: they differ.
    """
    if set(metadata["inputs"]) != set(inputs) or tuple(metadata["outputs"]) != outputs:
        raise RunError(
            f"{path}: the inputs or outputs of its graph differ from its metadata",
            hint="write the file again with `dl export RUN`",
        )


def require_inputs(path: Path, arrays: Mapping[str, np.ndarray], inputs: tuple[str, ...]) -> None:
    """Check that the arrays are exactly the inputs.

    Raises:
        RunError: an input is missing, or an array is not an input.
    """
    if set(arrays) != set(inputs):
        raise RunError(f"{path}: takes the inputs {', '.join(inputs)}, not {', '.join(arrays) or 'nothing'}")
