"""Inputs of a program as sources of a codec: paths and words, and also pictures, bytes, rows and frames."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.data.codec import IMAGE, TEXT, Codec, Source, TakesValues, Values
from dlcli.data.images.objects import pixels_of_array, pixels_of_pillow
from dlcli.data.text.columns import known_column

KINDS = "a path, a text, bytes, a mapping, an array, a picture of Pillow, or a list of them"


@runtime_checkable
class Frame(Protocol):
    """What is needed of a data frame of pandas, which is not imported."""

    columns: Any
    index: Any

    def to_dict(self, orient: Any) -> Any:
        """Return the rows as dictionaries, with the orient "records"."""
        ...


def sources_of(codec: Codec, inputs: Any) -> Iterator[Source]:
    """Yield the sources of inputs in order; words and paths are expanded as those of `dl predict`.

    Args:
        codec: of the model.
        inputs: one input or several: words and paths, the bytes of files, mappings (a row, or an object with a text),
            arrays of pixels, pictures of Pillow, frames of pandas; None for a model that draws from nothing.

    Raises:
        UsageError: an input is of a kind that the model does not read.
    """
    words: list[str] = []
    for number, value in enumerate(_several(inputs)):
        if isinstance(value, (str, os.PathLike)):
            words.append(os.fspath(value))
            continue
        if words:
            yield from codec.expand(words)
            words = []
        yield from _sources_of_object(codec, str(number), value)
    if words or inputs is None:
        yield from codec.expand(words)


def _several(inputs: Any) -> Iterable[Any]:
    """Return the inputs one by one; what is one input alone is the only one."""
    if inputs is None:
        return ()
    is_one = isinstance(inputs, (str, os.PathLike, bytes, bytearray, Mapping, Frame, np.ndarray)) or _is_pillow(inputs)
    if is_one:
        return [inputs]
    if not isinstance(inputs, Iterable):
        raise UsageError(f"an input of type {type(inputs).__name__} is not read", hint=f"pass {KINDS}")
    return inputs


def _sources_of_object(codec: Codec, name: str, value: Any) -> Iterator[Source]:
    if not isinstance(codec, TakesValues):
        raise UsageError(f"this model reads words and paths only, no {type(value).__name__}")
    values = codec.values
    if isinstance(value, Frame):
        yield from _rows(values, value)
    elif isinstance(value, (bytes, bytearray)):
        yield from values.sources_of_file(name, bytes(value))
    elif isinstance(value, Mapping) and values.kind != IMAGE:
        yield values.source(name, {str(key): _plain(cell) for key, cell in value.items()})
    elif values.kind == IMAGE and isinstance(value, np.ndarray):
        yield from _pixels(name, value)
    elif values.kind == IMAGE and _is_pillow(value):
        own = getattr(value, "filename", "")
        yield Source(str(own) if own else name, pixels_of_pillow(value))
    else:
        raise UsageError(
            f"an input of type {type(value).__name__} is not read by a model of {values.kind}s",
            hint=f"pass {KINDS}, as the model reads",
        )


def _pixels(name: str, array: np.ndarray) -> Iterator[Source]:
    """Yield one picture, or those of a batch, (N, H, W, C)."""
    if array.ndim == 4:
        for index, picture in enumerate(array):
            yield Source(f"{name}.{index}", pixels_of_array(picture))
        return
    yield Source(name, pixels_of_array(array))


def _rows(values: Values, frame: Frame) -> Iterator[Source]:
    """Yield the rows of a frame, named by its index; for a model of texts, those of the column that holds them.

    Raises:
        UsageError: the model reads neither rows nor texts, or no column holds texts.
    """
    if values.kind == IMAGE:
        raise UsageError("a frame is not read by a model of images", hint="pass a column of paths: frame['path']")
    names = [str(name) for name in frame.columns]
    own = _text_column(names) if values.kind == TEXT else None
    for label, row in zip(frame.index, frame.to_dict("records"), strict=True):
        cells = {str(key): _plain(cell) for key, cell in row.items()}
        if own is not None:
            cells = {"text": cells.pop(own), **cells}
        yield values.source(str(label), cells)


def _text_column(names: list[str]) -> str:
    found = "text" if "text" in names else names[0] if len(names) == 1 else known_column(names, "text")
    if found is None:
        raise UsageError(f"which column holds the texts? There are {', '.join(names[:8])}", hint="name it 'text'")
    return found


def _plain(cell: Any) -> Any:
    """Return a cell as a value of JSON: missing ones become None, dates texts, numbers of numpy Python's."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float):
        return None if cell != cell else cell
    if type(cell).__name__ in ("NAType", "NaTType"):  # of pandas; the second is also a datetime
        return None
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    return cell


def _is_pillow(value: Any) -> bool:
    """Return whether a value is a picture of Pillow, which is not imported for that."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)
