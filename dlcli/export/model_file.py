"""Detecting the kind of a model file from its content, without running it. Torch-free; onnx is imported if needed."""

from __future__ import annotations

import io
import mmap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dlcli.core.errors import RunError

ONNX, TORCHSCRIPT, PT2, CHECKPOINT = "onnx", "torchscript", "pt2", "checkpoint"

# Field number -> wire type of an ONNX ModelProto (onnx.proto3: 0 is a varint, 2 has a length).
_ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH, _OPSET, _METADATA = 7, 8, 14


MODEL_JSON = "model.json"
"""The file in a folder of several graphs that lists their files and holds the metadata of the model."""


CONFIG_JSON, WEIGHTS_FILE = "config.json", "model.safetensors"
"""The files in a folder of weights: what the model is, and its tensors."""


PAGES = CARD_PAGE, SCRIPT_PAGE = "README.md", "predict.py"
"""The card and the script in a folder of either kind."""


CAFFE_WEIGHTS = ".caffemodel"
"""The suffix of the file of weights beside the text of Caffe's layers."""


def is_weights_folder(path: Path) -> bool:
    """Return whether this is a folder of weights with their description, as `dl export` writes it for the hub."""
    return (path / CONFIG_JSON).is_file() and (path / WEIGHTS_FILE).is_file() and not (path / "run.json").exists()


def is_graph_folder(path: Path) -> bool:
    """Return whether this is a folder of several graphs that `dl export` wrote, and not a run."""
    return (path / MODEL_JSON).is_file() and not (path / "run.json").exists()


def kind_of(path: Path) -> str | None:
    """Return "onnx", "torchscript", "pt2", "checkpoint", or None for any other file, a damaged archive or no file.

    A truncated ONNX file still counts as one; `open_model` rejects it with that reason.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            if head == b"PK\x03\x04":
                return _archive_kind(stream)
            return ONNX if head[:1] == b"\x08" and _scan_onnx(stream) is not None else None
    except OSError:
        return None


def is_whole_onnx(path: Path) -> bool:
    """Return whether an ONNX file ends where its fields end, and contains a graph."""
    with path.open("rb") as stream:
        return _scan_onnx(stream) is True


def _archive_kind(stream: IO[bytes]) -> str | None:
    try:
        names = zipfile.ZipFile(stream).namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    members = {name.partition("/")[2] for name in names}  # all are in one folder
    if "constants.pkl" in members and any(member.startswith("code/") for member in members):
        return TORCHSCRIPT
    if "archive_format" in members and any(member.startswith("models/") for member in members):
        return PT2
    return CHECKPOINT if "data.pkl" in members else None


def _scan_onnx(stream: IO[bytes]) -> bool | None:
    """Return True for a complete ONNX file, False for a truncated one, None for something else.

    Only the fields of the outermost message are scanned; the graph is one of them and is skipped.
    """
    end = stream.seek(0, 2)
    stream.seek(0)
    seen = set()
    while stream.tell() < end:
        tag = _read_varint(stream)
        if tag is None:
            break
        if _ONNX_FIELDS.get(tag >> 3) != tag & 7:
            return None
        seen.add(tag >> 3)
        value = _read_varint(stream)
        if value is None or (tag & 7 == 2 and value > end - stream.tell()):
            break
        if tag & 7 == 2:
            stream.seek(value, 1)
    else:
        return True if {_GRAPH, _OPSET} <= seen else None
    return False if _GRAPH in seen else None


def metadata_of_onnx(path: Path, max_bytes: int) -> Iterator[tuple[str, str]]:
    """Yield the keys and texts of the metadata in an ONNX file, even a truncated one, except those over `max_bytes`.

    Raises:
        ValueError: a text is not UTF-8.
    """
    with path.open("rb") as stream:
        for field, size in _fields(stream):
            if field == _METADATA and size <= max_bytes:
                entry = io.BytesIO(stream.read(size))
                texts = {number: entry.read(length).decode() for number, length in _fields(entry)}
                yield texts.get(1, ""), texts.get(2, "")


def _fields(stream: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Yield number and size of a message's length-delimited fields, with the stream at the content of each."""
    end = stream.seek(0, 2)
    stream.seek(0)
    while stream.tell() < end:
        tag, value = _read_varint(stream), _read_varint(stream)
        if tag is None or value is None:
            return
        if tag & 7 == 2:
            behind = stream.tell() + value
            if behind > end:
                return
            yield tag >> 3, value
            stream.seek(behind)
        elif tag & 7 != 0:  # neither length-delimited nor a varint: not a field of these messages
            return


def _read_varint(stream: IO[bytes]) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None


def check_external_data(path: Path) -> tuple[Path, ...]:
    """Return the files beside an ONNX file that contain its weights; usually none.

    Raises:
        RunError: a weight is outside the file's folder, or its file is missing or too short.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # A weight in another file has an entry with the key "location"; without that word there are none,
        # which avoids importing onnx (170 ms).
        if content.find(b"location") < 0:
            return ()
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError:
        raise RunError(f"{path}: a damaged ONNX file", hint="copy or export it again") from None
    found: dict[Path, None] = {}
    for message in walk_messages(model):
        if message.DESCRIPTOR.name == "TensorProto" and message.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in message.external_data}
            found[_external_file(path, entries)] = None
    return tuple(found)


def _external_file(path: Path, entries: dict[str, str]) -> Path:
    location = entries.get("location", "")
    folder = path.parent.resolve()
    try:
        data_file = (folder / location).resolve()
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
        is_inside = data_file.is_relative_to(folder) and data_file != folder and min(offset, length) >= 0
    except (ValueError, OSError, RuntimeError):  # not a number, a null byte, a loop of links
        is_inside = False
    if not is_inside:
        raise RunError(
            f"{path}: refers to weights outside its folder: {location[:80]!r}",
            hint="do not run this file unless you know who made it",
        )
    if not data_file.is_file() or data_file.stat().st_size < offset + length:
        raise RunError(
            f"{path}: its weights in {data_file.name} are missing or truncated", hint="keep the two files side by side"
        )
    return data_file


def walk_messages(message: Any) -> Iterator[Any]:
    """Yield a protobuf message and all messages inside it, except those inside tensors, whose values are large."""
    yield message
    if message.DESCRIPTOR.name == "TensorProto":
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            # A repeated field is a sequence and has no descriptor of its own.
            for child in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from walk_messages(child)
