"""The inputs in a request's body, as sources of the model's codec. Nothing in a request is ever taken for a path.

| content type | holds |
|---|---|
| application/json | {"input": VALUE} or {"inputs": [VALUE, ...]}: a text, a row as an object, an image in base64 |
| multipart/form-data | files: an image each, or documents of texts or rows; a field is a text |
| image/*, text/*, application/octet-stream | the content of one such file |
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.formparsers import MultiPartException, MultiPartParser

from dlcli.core.errors import DataError
from dlcli.core.wording import brief
from dlcli.data.codec import IMAGE, TEXT, Source
from dlcli.data.images.decoding import read_header
from dlcli.serve.faults import RefusedError

if TYPE_CHECKING:
    from starlette.datastructures import UploadFile
    from starlette.requests import Request

    from dlcli.data.codec import Values

JSON, FORM = "application/json", "multipart/form-data"
FILES = ("image/", "text/", "application/octet-stream")

MAX_NAME = 200
"""Characters of the name of a file that its record repeats."""

MAX_DEPTH = 20
"""Brackets within each other in JSON: a row or a text needs three."""


async def sources_of_request(
    request: Request, values: Values, *, max_inputs: int, max_megapixels: float
) -> list[Source]:
    """Return the inputs of a request, in order; what is wrong with one of them is a fault of its source.

    Raises:
        RefusedError: the body is no such thing as its content type says (400), is of another type (415), or holds no
            input or too many (400, 413).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON:
            sources = _of_json(await request.body(), values, max_inputs)
        elif kind == FORM:
            sources = await _of_form(request, values, max_inputs)
        elif kind.startswith(FILES):
            sources = await _of_file(values, _name(None, 0), await request.body(), max_inputs)
        else:
            raise RefusedError(415, "a body of this content type is not read", hint=f"send {JSON} or {FORM}")
    except DataError as error:
        raise RefusedError(400, brief(error.message), hint=error.hint or "") from None
    if not sources:
        raise RefusedError(400, "no input in the request", hint='send {"inputs": [...]} or files')
    if len(sources) > max_inputs:
        raise too_many(max_inputs)
    return [_within(source, max_megapixels) for source in sources] if values.kind == IMAGE else sources


def too_many(most: int) -> RefusedError:
    """Return the refusal of too many inputs."""
    return RefusedError(413, f"more than {most:,} inputs in one request", hint=f"send at most {most:,} at once")


async def _of_file(values: Values, name: str, data: bytes, most: int) -> list[Source]:
    """Return the inputs in a file, and no more than one too many: the number is known before all of it is read."""
    if values.kind == IMAGE:  # its bytes are the input, which is decoded with its batch
        return values.sources_of_file(name, data, most)
    return await asyncio.to_thread(values.sources_of_file, name, data, most)


def _of_json(body: bytes, values: Values, max_inputs: int) -> list[Source]:
    given = read_json(body)
    if not isinstance(given, Mapping) or len(given.keys() & {"input", "inputs"}) != 1:
        raise RefusedError(400, "not an object with one of input and inputs", hint='send {"inputs": [...]}')
    listed = [given["input"]] if "input" in given else given["inputs"]
    if not isinstance(listed, list):
        raise RefusedError(400, "inputs is not a list", hint='send {"inputs": [...]}, or {"input": ...} for one')
    if len(listed) > max_inputs:
        raise too_many(max_inputs)
    return [_of_value(values, str(number), value) for number, value in enumerate(listed)]


def _of_value(values: Values, name: str, value: Any) -> Source:
    if values.kind != IMAGE:
        return values.source(name, value)
    if not isinstance(value, str):
        return Source(name, DataError("an image is a string: the content of its file in base64"))
    text = value.partition("base64,")[2] if value.startswith("data:") else value
    try:
        return values.source(name, base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return Source(name, DataError("not base64: an image is the content of its file, no path and no address"))


def read_json(body: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        RefusedError: it is none, holds NaN, or is nested too deeply (400).
    """

    def refuse(name: str) -> Any:
        raise ValueError(name)

    try:
        value = json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError):  # of the text, its encoding, or a number of 5,000 digits
        raise RefusedError(400, "the body is not JSON") from None
    if _depth(value) > MAX_DEPTH:
        raise RefusedError(400, "the JSON is nested too deeply")
    return value


def _depth(value: Any) -> int:
    """Return how many brackets are within each other; without recursion."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        if depth > MAX_DEPTH:
            break
        level = [each for held in level for each in (held.values() if isinstance(held, dict) else held)]
    return depth


class _InMemory(MultiPartParser):
    """Keeps files in memory, whose size is bounded before: nothing of a client's is written to a disk."""

    spool_max_size = 2**40


async def _of_form(request: Request, values: Values, max_inputs: int) -> list[Source]:
    try:
        parser = _InMemory(
            request.headers,
            _stream(request),
            max_files=max_inputs,
            max_fields=max_inputs,
            max_part_size=2**30,  # the body is bounded already
        )
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(400, f"the form cannot be read: {brief(error.message, 100)}") from None
    sources: list[Source] = []
    for number, (_, given) in enumerate(form.multi_items()):
        if isinstance(given, str):
            sources.append(_of_field(values, str(number), given))
        else:
            sources += await _of_file(values, _name(given, number), await given.read(), max_inputs - len(sources))
        if len(sources) > max_inputs:
            break
    await form.close()
    return sources


def _of_field(values: Values, name: str, text: str) -> Source:
    """Return a field of a form: a text is itself, a row or a draw is JSON."""
    if values.kind == TEXT:
        return values.source(name, text)
    if values.kind == IMAGE:
        return _of_value(values, name, text)
    return values.source(name, read_json(text.encode("utf-8", "replace")))


async def _stream(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


def _name(file: UploadFile | None, number: int) -> str:
    """Return the name that a record repeats: that of the file, of which nothing is ever opened."""
    name = (file.filename or "") if file is not None else ""
    return brief(name, MAX_NAME) if name else str(number)


def _within(source: Source, max_megapixels: float) -> Source:
    """Return an image, or a fault if its header claims more pixels than are decoded here."""
    if not isinstance(source.value, bytes):
        return source
    try:
        header = read_header(source.value)
    except DataError as error:
        return Source(source.name, error)
    if header.width * header.height > max_megapixels * 1e6:
        what = f"{header.width} x {header.height} pixels are more than {max_megapixels:g} megapixels"
        return Source(source.name, DataError(what))
    return source
