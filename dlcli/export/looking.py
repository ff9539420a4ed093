"""What a model file says of itself, ours or anybody's: read from its bytes, of which nothing is run. Torch-free.

Everything in a foreign file may be wrong or hostile: names are shortened, numbers of entries bounded, and weights are
looked at one tensor at a time.
"""

from __future__ import annotations

import json
import math
import pickletools
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.core.errors import RunError, first_line
from dlcli.core.wording import brief
from dlcli.export.metadata import PREFIX, parse_json
from dlcli.export.model_file import MODEL_JSON, check_external_data, is_whole_onnx, walk_messages

MAX_BYTES = 2**31 - 1
"""Limit of a protobuf message, and so of a graph whose weights are not beside it."""
MAX_ENTRIES = 200
"""Keys of metadata, inputs and outputs that are listed."""
MAX_TEXT = 2000
"""Characters of a foreign value that are kept."""
MAX_CODE = 64 * 2**20
"""Bytes of a TorchScript file's code and pickles that are read."""

_OPERATOR = re.compile(r"\b(?:torch|ops\.\w+)\.(\w+)\(")


@dataclass(frozen=True)
class Value:
    """An input or an output: its name, type ("float32") and shape; a free axis has a name, or "?"."""

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class FileFacts:
    """A model file.

    Attributes:
        file: its name.
        kind: "onnx" or "torchscript".
        bytes: its size.
        inputs, outputs: of its graph; empty for TorchScript, which does not say.
        operators: operator, with its domain if that is not ONNX's -> number of nodes, the most frequent first.
        parameters: numbers in its weights; None if that is not known without running it.
        tensors: how many tensors they are.
        opsets: domain ("" is ONNX's own) -> version of its operators.
        producer: the program that wrote it, with its version.
        metadata: key -> value; ours are decoded, others are texts.
        external: file beside it -> its bytes.
    """

    file: str
    kind: str
    bytes: int
    inputs: Sequence[Value] = ()
    outputs: Sequence[Value] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    parameters: int | None = None
    tensors: int = 0
    opsets: Mapping[str, int] = field(default_factory=dict)
    producer: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    external: Mapping[str, int] = field(default_factory=dict)


def read_onnx(path: Path) -> Any:
    """Return the protobuf message of an ONNX file, without weights that lie beside it.

    Raises:
        RunError: it is truncated, damaged or too large, or cannot be read.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > MAX_BYTES:
            raise damaged(path, "larger than 2 GB, which no graph is")
        if not is_whole_onnx(path):
            raise damaged(path, "truncated")
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, UnicodeDecodeError):
        raise damaged(path, "no graph") from None
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from None
    if not model.graph.node and not model.graph.output:
        raise damaged(path, "an empty graph")
    return model


def damaged(path: Path, reason: str) -> RunError:
    """Return the error for an ONNX file that is no such file any more."""
    return RunError(f"{path}: a damaged ONNX file: {brief(reason, 160)}", hint="copy or export it again")


def look_into_onnx(path: Path) -> FileFacts:
    """Return what an ONNX file says of itself.

    Raises:
        RunError: it is damaged, or its weights are missing or outside its folder.
    """
    model = read_onnx(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    sizes = [math.prod(tensor.dims) for tensor in model.graph.initializer]
    external = {file.name: file.stat().st_size for file in check_external_data(path)}
    nodes = [node for node in walk_messages(model) if node.DESCRIPTOR.name == "NodeProto"]
    counts = Counter(operator_of(node) for node in nodes if node.op_type != "Constant")
    producer = f"{model.producer_name} {model.producer_version}".strip()
    return FileFacts(
        file=path.name,
        kind="onnx",
        bytes=path.stat().st_size + sum(external.values()),
        inputs=_values([value for value in model.graph.input if value.name not in weights]),
        outputs=_values(model.graph.output),
        operators=dict(counts.most_common(MAX_ENTRIES)),
        parameters=sum(sizes),
        tensors=len(sizes),
        opsets={
            "" if each.domain == "ai.onnx" else brief(each.domain, 80): each.version for each in model.opset_import
        },
        producer=brief(producer, 80),
        metadata=decoded((entry.key, entry.value) for entry in model.metadata_props),
        external=external,
    )


def operator_of(node: Any) -> str:
    """Return the name of a node's operator, with its domain if that is not ONNX's own."""
    own = node.domain in ("", "ai.onnx")
    return brief(node.op_type if own else f"{node.domain}::{node.op_type}", 80)


def _values(values: Sequence[Any]) -> tuple[Value, ...]:
    import onnx

    def shape_of(tensor: Any) -> tuple[int | str, ...]:
        return tuple(
            dim.dim_value if dim.HasField("dim_value") else brief(dim.dim_param or "?", 40)
            for dim in tensor.shape.dim[:16]
        )

    def type_of(tensor: Any) -> str:
        try:
            return str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        except KeyError:
            return "?"

    return tuple(
        Value(brief(value.name, 80), type_of(value.type.tensor_type), shape_of(value.type.tensor_type))
        if value.type.HasField("tensor_type")
        else Value(brief(value.name, 80), str(value.type.WhichOneof("value") or "?").removesuffix("_type"), ())
        for value in values[:MAX_ENTRIES]
    )


def decoded(entries: Any) -> dict[str, Any]:
    """Return metadata with ours decoded, and others' texts shortened; what is ours and damaged stays a text."""
    found: dict[str, Any] = {}
    for key, text in entries:
        if len(found) == MAX_ENTRIES:
            break
        if key.startswith(PREFIX):
            try:
                found[brief(key, 80)] = parse_json(text, key)
                continue
            except RunError:
                pass
        found[brief(key, 80)] = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    return found


def look_into_torchscript(path: Path) -> FileFacts:
    """Return what a TorchScript file says of itself, without running it: such a file is a program.

    Raises:
        RunError: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
            code = _texts(archive, [info for name, info in members.items() if re.fullmatch(r"code/.*\.py", name)])
            extra = members.get("extra/dlcli.json")
            text = archive.read(extra).decode() if extra is not None and extra.file_size <= MAX_CODE else ""
            pickled = members.get("data.pkl")
            types = _storages(archive.read(pickled)) if pickled and pickled.file_size <= MAX_CODE else set()
            weights = [info.file_size for name, info in members.items() if re.fullmatch(r"(data|constants)/\d+", name)]
            bad = archive.testzip()
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(
            f"{path}: a damaged TorchScript file: {first_line(error)}", hint="copy or export it again"
        ) from None
    if bad is not None:
        raise RunError(f"{path}: a damaged TorchScript file: {brief(bad, 80)} has another checksum")
    metadata = decoded([(PREFIX + "json", text)]).get(PREFIX + "json") if text else {}
    itemsize = _ITEMSIZES.get(next(iter(types))) if len(types) == 1 else None
    return FileFacts(
        file=path.name,
        kind="torchscript",
        bytes=path.stat().st_size,
        operators=dict(Counter(_OPERATOR.findall(code)).most_common(MAX_ENTRIES)),
        parameters=sum(weights) // itemsize if itemsize else None,
        tensors=len(weights),
        producer="torch.jit",
        metadata={PREFIX + key: value for key, value in metadata.items()} if isinstance(metadata, dict) else {},
    )


_ITEMSIZES = {"FloatStorage": 4, "DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2, "ByteStorage": 1}


def _texts(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo]) -> str:
    if sum(info.file_size for info in infos) > MAX_CODE:
        return ""
    return "\n".join(archive.read(info).decode("utf-8", "replace") for info in infos)


def _storages(pickled: bytes) -> set[str]:
    """Return the names of the types of storage in a pickle, of which nothing is loaded."""
    found = {str(argument).rpartition(" ")[2] for _, argument, _ in pickletools.genops(pickled) if argument is not None}
    return {name for name in found if name.endswith("Storage")}


def graphs_of_folder(path: Path) -> list[Path]:
    """Return the files of a folder of several graphs, as its `model.json` lists them, with their digests checked.

    Raises:
        RunError: it is damaged, or names files that are missing, changed or elsewhere.
    """
    from dlcli.export.folder import proven_file, read_folder_metadata

    return [proven_file(path, entry) for entry in read_folder_metadata(path)["graphs"]]


def folder_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata in a folder's `model.json`, by the keys that a single file has."""
    from dlcli.export.folder import read_folder_metadata

    read_folder_metadata(path)  # checks it
    document = json.loads((path / MODEL_JSON).read_text(encoding="utf-8"))
    return {PREFIX + key: value for key, value in document.items() if key != "graphs"}
