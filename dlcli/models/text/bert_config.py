"""The sizes of a BERT: from a Hugging Face folder's config.json, and as the JSON value that a run stores.

Nothing in either is trusted: numbers are bounded before anything is built. Torch-free.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from dlcli.core.errors import DataError, RunError

CONFIG = "config.json"
MAX_CONFIG_BYTES = 2**20
MAX_PARAMETERS = 2_000_000_000

_ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "embedding_dim": (1, 8192),
    "hidden": (1, 65_536),
    "layers": (1, 128),
    "heads": (1, 128),
    "positions": (3, 65_536),
    "types": (1, 1024),
}
_KEYS: Mapping[str, str] = {
    "embedding_dim": "hidden_size",
    "hidden": "intermediate_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "positions": "max_position_embeddings",
    "types": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "activation": "hidden_act",
    "norm_eps": "layer_norm_eps",
}
"""Our name -> transformers'."""
_DEFAULTS: Mapping[str, Any] = {"types": 2, "dropout": 0.1, "activation": "gelu", "norm_eps": 1e-12}
"""Of fields that old files lack: the values of transformers' `BertConfig`."""


@dataclass(frozen=True)
class BertSizes:
    """What `Bert` is built with besides the vocabulary and the classes; see there.

    Raises:
        ValueError: a size is out of range; why.
    """

    embedding_dim: int
    hidden: int
    layers: int
    heads: int
    positions: int
    types: int
    dropout: float
    activation: str
    norm_eps: float

    def __post_init__(self) -> None:
        sizes = asdict(self)
        for name, (least, most) in _BOUNDS.items():
            value = sizes[name]
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"{_KEYS[name]} must be a whole number from {least} to {most:,}")
        if self.embedding_dim % self.heads:
            raise ValueError(f"{_KEYS['embedding_dim']} must be a multiple of {_KEYS['heads']}")
        for name, share, highest in (("dropout", self.dropout, 0.95), ("norm_eps", self.norm_eps, 0.1)):
            if type(share) not in (int, float) or not math.isfinite(share) or not 0 <= share <= highest:
                raise ValueError(f"{_KEYS[name]} must be a number from 0 to {highest}")
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"{_KEYS['activation']} must be one of {', '.join(_ACTIVATIONS)}")
        if self.layers * self.embedding_dim * (4 * self.embedding_dim + 2 * self.hidden) > MAX_PARAMETERS:
            raise ValueError(f"its layers would have over {MAX_PARAMETERS:,} parameters")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value stored with a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the sizes in a run's JSON value.

        Raises:
            RunError: it is damaged.
        """
        try:
            return cls(**value)
        except (TypeError, ValueError) as error:
            raise RunError(f"the sizes of the BERT that came with the model are damaged: {error}"[:300]) from None


def read_sizes(folder: Path) -> BertSizes:
    """Return the sizes of the BERT in a Hugging Face folder.

    Raises:
        DataError: there is no such folder, it holds no BERT, or its config.json is damaged.
    """
    if not folder.is_dir():
        raise DataError(
            f"--pretrained {folder}: no such folder", hint="name the folder of a BERT with config.json and its weights"
        )
    path = folder / CONFIG
    content = read_json(path)
    kind = content.get("model_type", "bert")
    if kind != "bert":
        raise DataError(f"{path}: a model of type {str(kind)[:40]!r}; only BERT's (model_type bert) is supported")
    if content.get("position_embedding_type", "absolute") != "absolute":
        raise DataError(f"{path}: a BERT with relative positions, which is not supported")
    values: dict[str, Any] = {name: content.get(key, _DEFAULTS.get(name)) for name, key in _KEYS.items()}
    missing = [_KEYS[name] for name, value in values.items() if value is None]
    if missing:
        raise DataError(f"{path}: not the config.json of a BERT: {missing[0]} is missing")
    try:
        return BertSizes(**values)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file.

    Raises:
        DataError: it is missing, too large, or holds no JSON object.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise DataError(f"{path}: over {MAX_CONFIG_BYTES // 2**20} MiB, too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "--pretrained takes the folder of a BERT: config.json, vocab.txt and its weights"
        raise DataError(f"{path}: {error.strerror}", hint=hint) from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not JSON", hint="take another copy of the file") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: not a JSON object", hint="take another copy of the file")
    return content
