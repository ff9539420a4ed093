"""The preprocessing of a text model as an asset: the largest number of tokens, the tokenizer, how its file was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcli.core.errors import RunError
from dlcli.data.text.columns import Reading
from dlcli.data.text.inputs import MAX_CHARACTERS

MAX_TOKENS = 100_000
"""Of a text that a network reads."""


def read_preprocess(value: Any) -> tuple[int, Mapping[str, Any], Reading | None]:
    """Return a run's maximum number of tokens, its tokenizer's specification, and how its file was read, if known.

    Raises:
        RunError: the preprocessing is damaged.
    """
    try:
        max_length, spec = value["max_length"], value["tokenizer"]
    except (KeyError, TypeError):
        raise RunError("the preprocessing that came with the model is damaged") from None
    if type(max_length) is not int or not 1 <= max_length <= MAX_TOKENS or not isinstance(spec, dict):
        raise RunError("the preprocessing that came with the model is damaged: impossible values")
    return max_length, spec, Reading.from_json(value.get("reading"))


def read_max_characters(value: Any) -> int | None:
    """Return the maximum number of characters that a run's network reads of a text; None if it reads none.

    Raises:
        RunError: the preprocessing is damaged.
    """
    most = value.get("max_characters") if isinstance(value, dict) else None
    if most is not None and (type(most) is not int or not 1 <= most <= MAX_CHARACTERS):
        raise RunError("the preprocessing that came with the model is damaged: impossible values")
    return most


def preprocess_of(
    max_length: int, spec: Mapping[str, Any], reading: Reading | None, max_characters: int | None = None
) -> dict[str, Any]:
    """Return the preprocessing as the JSON value stored in a run."""
    own: dict[str, Any] = {"reading": reading.to_json()} if reading is not None else {}
    if max_characters is not None:
        own["max_characters"] = max_characters
    return {"max_length": max_length, "tokenizer": dict(spec), **own}
