"""Which column or field of a file holds the texts, and which the labels; how a run remembers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from dlcli.data.labels import label_text

CSV, TSV, JSONL = "csv", "tsv", "jsonl"
FILE = "file"
"""Each text is a file of its own."""

_DELIMITERS = (",", ";", "\t", "|")

_TEXT_NAMES = """
    text texts review reviews content sentence comment comments body tweet post message
    评论 评论内容 内容 文本 正文 句子 微博 微博内容 微博中文内容
"""
_LABEL_NAMES = """
    label labels label_name sentiment class category target polarity
    标签 类别 分类 情感 情感倾向 情感标签
"""
KNOWN_NAMES = {"text": frozenset(_TEXT_NAMES.split()), "label": frozenset(_LABEL_NAMES.split())}
"""Usual names of the two columns, in lower case."""

_MAX_DEPTH = 4


@dataclass(frozen=True)
class Reading:
    """How a file of labelled texts was read; a run reads the files that it is asked about alike.

    Attributes:
        kind: CSV, TSV, JSONL or FILE.
        text: name of the column of texts (a number from 1 if there is no header), or key of the JSON objects; "" for
            files.
        header: names of all columns; () without a header and for JSON.
        delimiter: the character between columns.
        codec: the encoding, by its name in Python.
        max_chars: the characters after which the text of a file was cut off; None for whole texts.
    """

    kind: str
    text: str
    header: tuple[str, ...] = ()
    delimiter: str = ","
    codec: str = "utf-8"
    max_chars: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that is stored in a card and a run."""
        value = {**asdict(self), "header": list(self.header)}
        return {name: each for name, each in value.items() if name != "max_chars" or each is not None}

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Return the reading in a JSON value; None if there is none, as in runs of older versions, or it is damaged."""
        if not isinstance(value, Mapping) or value.get("kind") not in (CSV, TSV, JSONL, FILE):
            return None
        text, header, delimiter, codec = (value.get(name) for name in ("text", "header", "delimiter", "codec"))
        if not isinstance(text, str) or not isinstance(header, list) or not isinstance(codec, str):
            return None
        most = value.get("max_chars")
        if most is not None and (type(most) is not int or most < 1):
            return None
        names, mark = tuple(map(str, header)), delimiter_of(str(delimiter), value["kind"])
        return cls(value["kind"], text, names, mark, codec, most)


def delimiter_of(line: str, kind: str) -> str:
    """Return the delimiter of a file with this first line: of a CSV, the first of , ; tab | that is in it."""
    return "\t" if kind == TSV else next((character for character in _DELIMITERS if character in line), ",")


def known_column(names: Sequence[str], role: str) -> str | None:
    """Return the only column with a usual name for a role, "text" or "label", or None; `data.text` counts as `text`."""
    meant = [name for name in names if name.rpartition(".")[2].casefold() in KNOWN_NAMES[role]]
    return meant[0] if len(meant) == 1 else None


def field_of(record: Mapping[str, Any], name: str) -> Any:
    """Return a field of a JSON object; `data.text` is `text` in the object `data`. None if it is not there."""
    if name in record:
        return record[name]
    outer, dot, inner = name.partition(".")
    within = record.get(outer) if dot else None
    return field_of(within, inner) if isinstance(within, Mapping) else None


def field_names(record: Mapping[str, Any], depth: int = 1) -> list[str]:
    """Return the names of an object's fields; those of objects in it are written with dots."""
    names = []
    for name, value in record.items():
        if isinstance(value, Mapping) and depth < _MAX_DEPTH:
            names += [f"{name}.{inner}" for inner in field_names(value, depth + 1)]
        else:
            names.append(str(name))
    return names


def label_of(value: Any) -> str | None:
    """Return a JSON value as a label; None for what is missing (null, NaN) or no label."""
    if isinstance(value, bool):
        return str(value).lower()
    is_missing = not isinstance(value, (str, int, float)) or value != value  # NaN differs from itself
    return None if is_missing else label_text(value)
