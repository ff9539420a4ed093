"""The encoding of a text file: by its byte order mark, else strict UTF-8, else judged by how likely the text is.

Chinese text is mostly UTF-8 or GB18030, a superset of GBK and GB2312. Nearly any text in Big5, EUC-KR or Shift JIS also
decodes as GB18030, to nonsense, so GB18030 is certain only where nearly all characters are among GB2312's 3,755 common
ones and no other encoding of that family gives a likelier text. Whatever is not certain is a guess, and says so.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dlcli.core.errors import DataError, UsageError
from dlcli.data.reading.contents import open_bytes

_BLOCK = 2**20
_MOST_NUL_SHARE = 0.25
"""A file with a larger fraction of NUL bytes is not text in an 8-bit encoding."""
MAX_BYTES = 2**37
"""A file that unpacks to more than these 128 GiB is refused."""

_SAMPLE_BYTES = 2**16
_SAMPLE_CHARACTERS = 30
_LEAST_COMMON = 0.85
"""GB18030 is certain if at least this share of its characters is common; of Big5 read as GB18030, 0.4 to 0.7 are."""

_KANA = frozenset(map(chr, range(0x3041, 0x30FF)))
_CYRILLIC = frozenset("оеаинтсрвлкмдпуяыьгзб")
_WESTERN = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÿ¿¡«»°€£§–—‘’“”…\u00a0")
_LETTERS = (
    ("cp932", _KANA, 0.2, 0.0),
    ("euc_jp", _KANA, 0.2, 0.0),
    ("cp1251", _CYRILLIC, 0.7, 0.3),
    ("koi8_r", _CYRILLIC, 0.7, 0.3),
    ("cp1252", _WESTERN, 0.9, 0.0),
)
"""(codec, letters, their least share of the characters that are not ASCII, least share of those of all letters)."""


@dataclass(frozen=True)
class Encoding:
    """An encoding.

    Attributes:
        name: its name for messages.
        codec: its name in Python.
        sample: part of the text, if the encoding is a guess that a person should look at; "" if it is certain.
    """

    name: str
    codec: str
    sample: str = ""

    def warning(self, where: object) -> str:
        """Return the warning that the encoding is a guess; "" if it is certain."""
        if not self.sample:
            return ""
        return f"{where}: not UTF-8; read as {self.name}: {self.sample!r}; if that is wrong, set --encoding"


_MARKS = (  # the little-endian mark of UTF-32 starts with that of UTF-16, so it comes first
    (codecs.BOM_UTF8, Encoding("UTF-8 with a byte order mark", "utf-8-sig")),
    (codecs.BOM_UTF32_LE, Encoding("UTF-32", "utf-32")),
    (codecs.BOM_UTF32_BE, Encoding("UTF-32", "utf-32")),
    (codecs.BOM_UTF16_LE, Encoding("UTF-16", "utf-16")),
    (codecs.BOM_UTF16_BE, Encoding("UTF-16", "utf-16")),
)
UTF8, _GB18030 = Encoding("UTF-8", "utf-8"), Encoding("GB18030", "gb18030")
_EAST_ASIAN = (
    _GB18030,
    Encoding("Big5", "big5hkscs"),
    Encoding("Shift JIS", "cp932"),
    Encoding("EUC-JP", "euc_jp"),
    Encoding("EUC-KR", "cp949"),
)
_SINGLE_BYTE = (
    Encoding("Windows-1252 (Western European)", "cp1252"),
    Encoding("Windows-1250 (Central European)", "cp1250"),
    Encoding("Windows-1251 (Cyrillic)", "cp1251"),
    Encoding("Windows-1253 (Greek)", "cp1253"),
    Encoding("KOI8-R (Cyrillic)", "koi8_r"),
)


def marked_encoding(start: bytes) -> Encoding | None:
    """Return the encoding whose byte order mark these bytes begin with, or None."""
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def named_encoding(name: str) -> Encoding:
    """Return the encoding with a name that Python knows.

    Raises:
        UsageError: there is no such encoding of text.
    """
    try:
        info = codecs.lookup(name)
        "".encode(info.name)  # refuses codecs such as base64, which are no encodings of text
    except (LookupError, ValueError, UnicodeError, TypeError):
        raise UsageError(
            f"--encoding: unknown encoding {name[:40]!r}", hint="for example utf-8, gb18030, big5, cp1252, shift_jis"
        ) from None
    return Encoding(info.name, info.name)


def detect_encoding(path: Path, wanted: Sequence[str] = ()) -> Encoding:
    """Return the encoding in which the whole file can be decoded; the file is streamed.

    Args:
        path: the file; what it holds may be compressed (see `open_bytes`).
        wanted: encodings to try after UTF-8 and before any guess: the one in which a run's data was read.

    Raises:
        DataError: the file cannot be read, or none of the encodings fits; the message names byte and line.
    """
    with open_bytes(path) as stream:
        start = stream.read(_SAMPLE_BYTES)
    marked = marked_encoding(start)
    if marked is None and start.count(0) > _MOST_NUL_SHARE * len(start):
        raise DataError(
            f"{path}: {start.count(0) / len(start):.0%} of its first bytes are NUL: not text, or unmarked UTF-16",
            hint="save it as UTF-8, or set --encoding utf-16-le",
        )
    faults = []
    for encoding in [marked] if marked else [UTF8, *map(named_encoding, wanted)]:
        fault = _first_fault(path, encoding)
        if fault is None:
            return encoding
        faults.append(fault)
    damaged = not marked and is_damaged_utf8(_sample(path))
    if not marked and not damaged:
        for encoding in likely_encodings(_sample(path)):
            fault = _first_fault(path, encoding)
            if fault is None:
                return encoding
            faults.append(fault)
    hint = "correct these bytes, or save it as UTF-8" if damaged else "save it as UTF-8, or set --encoding"
    raise DataError(f"{path}: cannot be read as text", details=faults[:2], hint=hint)


def require_encoding(path: Path, name: str) -> Encoding:
    """Return the encoding of this name, if the whole file can be decoded in it; "auto" detects the encoding.

    Raises:
        UsageError: there is no such encoding.
        DataError: the file cannot be decoded.
    """
    if name == "auto":
        return detect_encoding(path)
    encoding = named_encoding(name)
    with open_bytes(path) as stream:
        marked = marked_encoding(stream.read(_SAMPLE_BYTES))
    if marked is not None and encoding.codec.startswith(marked.codec.removesuffix("-sig")):
        encoding = marked  # else the mark would be the first character of the text
    fault = _first_fault(path, encoding)
    if fault is not None:
        raise DataError(f"{path}: {fault}", hint="set another --encoding, or save it as UTF-8")
    return encoding


def _first_fault(path: Path, encoding: Encoding) -> str | None:
    """Return where and why the file cannot be decoded in this encoding, or None if it can.

    Raises:
        DataError: the file cannot be read, or unpacks to more than `MAX_BYTES`.
    """
    decoder = codecs.getincrementaldecoder(encoding.codec)("strict")
    position = num_lines = 0
    with open_bytes(path) as stream:
        while True:
            block = stream.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                held_back = len(error.object) - len(block)  # bytes of an incomplete character from the previous block
                offset = position - held_back + error.start
                line = num_lines + block[: max(0, error.start - held_back)].count(b"\n") + 1
                return f"not {encoding.name}: byte {error.object[error.start]:#04x} at offset {offset:,}, line {line:,}"
            except UnicodeError:  # UTF-16 and UTF-32 without a mark
                return f"not {encoding.name}: no byte order mark"
            if not block:
                return None
            position += len(block)
            num_lines += block.count(b"\n")
            if position > MAX_BYTES:
                raise DataError(f"{path}: holds more than {MAX_BYTES // 2**30} GiB", hint="split it into parts")


def _sample(path: Path) -> bytes:
    """Return lines that are not ASCII, up to 64 KiB from the whole file: what is ASCII says nothing on the encoding."""
    found = bytearray()
    with open_bytes(path) as stream:
        while len(found) < _SAMPLE_BYTES and (line := stream.readline(_BLOCK)):
            if not line.isascii():
                found += line[:_SAMPLE_BYTES]
    return bytes(found)


def is_damaged_utf8(data: bytes) -> bool:
    """Return whether bytes are mostly UTF-8, so that a few of them are damaged and the rest should not be reread."""
    text = data.decode("utf-8", "replace")
    num_faults = text.count("\ufffd")
    return sum(not character.isascii() for character in text) - num_faults >= num_faults


def likely_encodings(data: bytes) -> Iterator[Encoding]:
    """Yield encodings in which bytes that are not UTF-8 make a text, from the likeliest; guesses have a sample."""
    from charset_normalizer import from_bytes

    names = {encoding.codec: encoding for encoding in (*_EAST_ASIAN, *_SINGLE_BYTE)}
    if _common_share(data) >= _LEAST_COMMON:
        asian = from_bytes(data, cp_isolation=[encoding.codec for encoding in _EAST_ASIAN], threshold=1.0)
        chaos = {match.encoding: match.chaos for match in asian}
        if chaos.get("gb18030", 1.0) <= min(chaos.values(), default=1.0):
            yield _GB18030
    matches = sorted(
        from_bytes(data, cp_isolation=list(names), threshold=0.5), key=lambda match: match.chaos - match.coherence
    )
    known = [codec for codec, letters, least, density in _LETTERS if _is_in(data, codec, letters, least, density)]
    for codec in (*known, *(match.encoding for match in matches), "gb18030", "cp1252"):
        encoding = names[codec]
        yield Encoding(encoding.name, encoding.codec, _shown(data, encoding.codec))


def _common_share(data: bytes) -> float:
    """Return the share of GB18030's multi-byte characters that are common: GB2312's symbols and its first level."""
    try:
        text = data.decode("gb18030", "ignore")
    except UnicodeError:
        return 0.0
    num_common = num_all = 0
    for character in text:
        if not character.isascii():
            code = character.encode("gb18030")
            num_all += 1
            is_gb2312 = len(code) == 2 and code[1] >= 0xA1
            num_common += is_gb2312 and (0xB0 <= code[0] <= 0xD7 or 0xA1 <= code[0] <= 0xA3)
    return num_common / num_all if num_all else 1.0


def _is_in(data: bytes, codec: str, letters: frozenset[str], least: float, density: float) -> bool:
    """Return whether a text has the letters of an encoding's languages; see `_LETTERS`."""
    text = data.decode(codec, "replace").lower()
    beyond = [character for character in text if not character.isascii()]
    num_letters = sum(map(str.isalpha, text))
    share = sum(character in letters for character in beyond) / max(1, len(beyond))
    return share >= least and len(beyond) >= density * num_letters


def _shown(data: bytes, codec: str) -> str:
    """Return part of the text around the first character that is not ASCII."""
    text = data.decode(codec, "replace")
    first = next((index for index, character in enumerate(text) if not character.isascii()), 0)
    line = text[max(0, first - _SAMPLE_CHARACTERS // 2) : first + _SAMPLE_CHARACTERS]
    return " ".join(line.split())


@contextmanager
def open_text(path: Path, *, newline: str | None = None, encoding: Encoding | None = None) -> Iterator[TextIO]:
    """Open the file for reading in its encoding.

    Args:
        path: the file; what it holds may be compressed (see `open_bytes`).
        newline: as in `open`.
        encoding: its encoding; None detects it.

    Raises:
        DataError: as in `detect_encoding`.
    """
    encoding = encoding or detect_encoding(path)
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding=encoding.codec, newline=newline) as text:
        yield text
