"""The weights of a BERT in a Hugging Face folder: read without running anything, renamed, and checked whole."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcli.core.errors import DataError, RunError, first_line, why_refused
from dlcli.models.text.bert import Bert

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
MAX_BYTES = 8 * 2**30
"""Larger files are no BERT: the large one has 1.3 GB."""

_MOST_NAMED = 3
_PARTS: Mapping[str, str] = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "merge",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "widen",
    "output.dense": "narrow",
    "output.LayerNorm": "norm2",
}
_OUTER: Mapping[str, str] = {
    "embeddings.word_embeddings": "embeddings.words",
    "embeddings.position_embeddings": "embeddings.positions",
    "embeddings.token_type_embeddings": "embeddings.types",
    "embeddings.LayerNorm": "embeddings.norm",
    "pooler.dense": "pooler",
}
_LAYER = re.compile(r"encoder\.layer\.(\d{1,3})\.(.+)\.(weight|bias|gamma|beta)")
_OTHER_HEADS = ("cls.", "classifier.", "qa_outputs.")
"""Of the tasks that it was trained for before: predicting words and sentences, and others."""
_BUFFERS = ("embeddings.position_ids",)
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}
"""Of norms, in files that were converted from TensorFlow."""


def load_bert(network: Bert, folder: Path, order: Sequence[int]) -> list[str]:
    """Load a folder's weights into the encoder, in place, as float32; return notes on what keeps its fresh weights.

    Args:
        network: built with the sizes in the folder's config.json.
        folder: holds `model.safetensors` or `pytorch_model.bin`.
        order: for each row of the network's vocabulary its row in the folder's.

    Raises:
        DataError: there is no such file, or it is too large or damaged.
        RunError: the file is refused since it holds code, or weights are missing, extra, or of another shape.
    """
    path = weights_file(folder)
    found = {own_name(name): value for name, value in read_tensors(path).items() if not _is_of_no_use(name)}
    expected = {f"encoder.{name}": value for name, value in network.encoder.state_dict().items()}
    notes = []
    if not any(name.startswith("encoder.pooler") for name in found):  # of a model that predicts words alone
        notes.append(f"{path} has no pooler: it starts from random weights")
        found |= {name: value for name, value in expected.items() if name.startswith("encoder.pooler")}
    _check_names(found, expected, path)
    words = "encoder.embeddings.words.weight"
    if found[words].ndim != 2 or len(found[words]) != len(order):
        raise RunError(
            f"{path}: the embedding has {len(found[words]):,} words, but the vocabulary {len(order):,}",
            hint="config.json, the vocabulary and the weights must be of one model",
        )
    found[words] = found[words][torch.tensor(order)]
    for name, value in expected.items():
        if found[name].shape != value.shape:
            raise RunError(
                f"{path}: {name} is {_shape(found[name])}, but config.json says {_shape(value)}",
                hint="config.json and the weights must be of one model",
            )
        if not found[name].is_floating_point() or not found[name].isfinite().all():
            raise RunError(f"{path}: {name} is not all finite numbers", hint="take another copy of the file")
    network.load_state_dict({name: value.float() for name, value in found.items()}, strict=False)
    return notes


def weights_file(folder: Path) -> Path:
    """Return the file of weights in a folder.

    Raises:
        DataError: there is none, or it is too large.
    """
    for name in (SAFETENSORS, PICKLE):
        path = folder / name
        if path.is_file():
            if path.stat().st_size > MAX_BYTES:
                raise DataError(f"{path}: over {MAX_BYTES // 2**30} GiB, no BERT is as large")
            return path
    parts = sorted(path.name for path in folder.glob("*.index.json"))
    found = [f"found: {parts[0]}, weights in several files"] if parts else []
    raise DataError(f"{folder}: no {SAFETENSORS} and no {PICKLE}", details=found, hint="save the model in one file")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a file by name; nothing in it is run.

    Raises:
        DataError: the file is damaged.
        RunError: it holds pickled objects.
    """
    return _read_safetensors(path) if path.name.endswith(".safetensors") else _read_pickle(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path}: damaged: {first_line(error)}", hint="take another copy of the file") from None
    return tensors


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice to report a protocol that it refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RunError(f"{path}: {why_refused(error)}", hint=f"take the model's {SAFETENSORS}") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise DataError(f"{path}: damaged: {first_line(error)}", hint="take another copy of the file") from None
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise RunError(f"{path}: not tensors by name", hint="save the model's state_dict()")
    return {str(name): value for name, value in content.items()}


def own_name(name: str) -> str:
    """Return the name here of transformers' name of a weight; a name that is not known is returned unchanged."""
    short = name.removeprefix("bert.")
    if layer := _LAYER.fullmatch(short):
        if layer[2] in _PARTS:
            return f"encoder.layer{int(layer[1])}.{_PARTS[layer[2]]}.{_OLD_NAMES.get(layer[3], layer[3])}"
        return name
    part, _, kind = short.rpartition(".")
    return f"encoder.{_OUTER[part]}.{_OLD_NAMES.get(kind, kind)}" if part in _OUTER else name


def _is_of_no_use(name: str) -> bool:
    return name.removeprefix("bert.") in _BUFFERS or name.startswith(_OTHER_HEADS)


def _check_names(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        raise RunError(
            f"{path}: not the weights of the BERT in config.json",
            details=[*_named("missing", missing), *_named("not known", extra)],
            hint="config.json and the weights must be of one model",
        )


def _named(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(name[:60] for name in names[:_MOST_NAMED])
    return [f"{what}: {shown}{f' and {len(names) - _MOST_NAMED} more' if len(names) > _MOST_NAMED else ''}"]


def _shape(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "a number"
