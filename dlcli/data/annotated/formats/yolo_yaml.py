"""What YOLO's `data.yaml`, `classes.txt` or `obj.names` says: the classes, and which images are in which split."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.annotated.formats.places import is_file, read_text

DARKNET_FILES = ("obj.names", "data/obj.names")
CLASS_FILES = ("classes.txt", DARKNET_FILES[0], "labels/classes.txt", "images/classes.txt", DARKNET_FILES[1])
"""Where labelImg and darknet put the names of the classes, one a line."""

_SPLIT_KEYS = {"train": ("train",), "valid": ("val", "valid", "validation"), "test": ("test",)}
_MAX_CLASSES = 100_000
_MAX_BYTES = 2**20
_EXPECTED = "for example: train: images/train, val: images/val, names: [cat, dog]"


@dataclass(frozen=True)
class YoloData:
    """What a data set in YOLO's layout says of itself.

    Attributes:
        names: class of each index; () if nothing says it.
        splits: split -> its folders, lists or patterns as they are written; empty if nothing says it.
        lists: split -> the file that lists its images, beside darknet's `obj.names`.
        path: the folder they are relative to, as it is written; "" for that of the file.
        has_keypoints: whether label lines go on with key points behind the box.
        notes: what was found on the way.
    """

    names: tuple[str, ...] = ()
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = ""
    has_keypoints: bool = False
    notes: tuple[str, ...] = ()
    lists: Mapping[str, Path] = field(default_factory=dict)


def find_yaml(folder: Path) -> Path | None:
    """Return the YAML file of a folder that says what is in it: `data.yaml`, or the only one."""
    for name in ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml"):
        if (folder / name).is_file():
            return folder / name
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return found[0] if len(found) == 1 else None


def read_yaml(path: Path) -> YoloData:
    """Return what a `data.yaml` says.

    Raises:
        DataError: it is not YAML, or not such a file.
    """
    content = _parse(path)
    if not isinstance(content, dict) or not {"names", "nc", "train", "val"} & content.keys():
        raise DataError(f"{path}: has none of names, nc, train and val: not YOLO's data.yaml", hint=_EXPECTED)
    names, notes = _names(content.get("names"), content.get("nc"), path)
    splits = {}
    for split, keys in _SPLIT_KEYS.items():
        places = [place for key in keys for place in _places(content.get(key), key, path)]
        if places:
            splits[split] = tuple(places)
    if splits.get("valid") and splits.get("valid") == splits.get("test"):
        del splits["valid"]  # `val` is required, and stands for the test images where there are no others
    if splits.get("train") and splits.get("valid") == splits.get("train"):
        notes.append(f"{path.name}: train and val are the same images: used for training")
        del splits["valid"]
    base = content.get("path", "")
    return YoloData(names, splits, base if isinstance(base, str) else "", "kpt_shape" in content, tuple(notes))


def read_class_file(folder: Path) -> YoloData | None:
    """Return the classes of a folder without a YAML file, or None if none of `CLASS_FILES` is there.

    Beside `obj.names`, also the lists of the splits.

    Raises:
        DataError: the file cannot be read.
    """
    file = next((folder / name for name in CLASS_FILES if (folder / name).is_file()), None)
    if file is None:
        return None
    try:
        lines = [line.strip() for line in read_text(file, _MAX_BYTES).splitlines()]
    except DataError as error:
        raise DataError(f"{file}: {error.message}", hint="one class a line, as UTF-8") from None
    while lines and not lines[-1]:
        lines.pop()
    found, notes = find_lists(file) if file.name == "obj.names" else ({}, [])
    return YoloData(_distinct(lines, file), lists=found, notes=tuple(notes))


def find_lists(file: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the lists of images by split that lie beside darknet's `obj.names`, with notes.

    They are those that `obj.data` names ("train = data/train.txt", relative to the folder that darknet is started in),
    and `train.txt`, `valid.txt` (or `val.txt`) and `test.txt`.
    """
    folder = file.parent
    named: dict[str, str] = {}
    notes: list[str] = []
    with contextlib.suppress(DataError):
        pairs = (line.partition("=") for line in read_text(folder / "obj.data", _MAX_BYTES).splitlines())
        named = {key.strip().lower(): value.strip() for key, _, value in pairs if value.strip()}
    found: dict[str, Path] = {}
    for split, keys in _SPLIT_KEYS.items():
        wanted = next((named[key] for key in keys if key in named), "")
        names = [re.split(r"[/\\]", wanted)[-1], *(f"{key}.txt" for key in keys)]
        path = next((folder / name for name in names if name.endswith(".txt") and is_file(folder / name)), None)
        if path is not None and path not in found.values():
            found[split] = path
        elif wanted:
            reason = "no such file beside obj.names" if path is None else "the list of another split"
            notes.append(f"obj.data: {split} = {wanted[:100]}: {reason}, not used")
    return found, notes


def _parse(path: Path) -> Any:
    """Return a YAML file in which every value is a string: `no` is a class and not False, and 010 is not 8."""
    import yaml

    try:  # the loader knows strings, lists and mappings only
        return yaml.load(read_text(path, _MAX_BYTES), Loader=_loader())
    except DataError as error:
        raise DataError(f"{path}: {error.message}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        reason = getattr(error, "problem", None) or "not YAML"
        raise DataError(f"{path}: {where}{reason}"[:300], hint=_EXPECTED) from None
    except (RecursionError, ValueError):
        raise DataError(f"{path}: not YAML", hint=_EXPECTED) from None


def _loader() -> Any:
    """Return libyaml's loader where it is built in: it takes seconds for what the other one takes minutes for."""
    import yaml

    try:
        return yaml.CBaseLoader
    except AttributeError:
        return yaml.BaseLoader


def _names(value: Any, count: Any, path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Return the names by index, from a list or a mapping of indices, with notes."""
    number = int(count) if isinstance(count, str) and count.isdecimal() and len(count) <= 6 else None
    if isinstance(value, dict):
        value = _by_index(value, path)
    if value is None or value == "":
        if number is None:
            return (), []
        return tuple(map(str, range(min(number, _MAX_CLASSES)))), [f"{path.name}: nc without names: named 0, 1, ..."]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len(value) > _MAX_CLASSES:
        raise DataError(f"{path}: names is neither a list of names nor a mapping from indices to names", hint=_EXPECTED)
    names = _distinct(value, path)
    if number is not None and number != len(names):
        return names, [f"{path.name}: nc is {number}, but there are {len(names)} names: the names count"]
    return names, []


def _by_index(value: Mapping[Any, Any], path: Path) -> list[Any]:
    """Return the values of a mapping from 0, 1, ... as a list; a gap is an index without a name, ""."""
    if not all(isinstance(key, str) and key.isdecimal() and int(key[:7]) < _MAX_CLASSES for key in value):
        raise DataError(f"{path}: names has a key that is no index", hint="names: {0: cat, 1: dog}")
    by_index = {int(key): name for key, name in value.items()}
    return [by_index.get(index, "") for index in range(max(by_index, default=-1) + 1)]


def _distinct(names: list[str], path: Path) -> tuple[str, ...]:
    """Return names, of which "" may occur several times.

    Raises:
        DataError: another one occurs twice, so that two indices would be one class.
    """
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise DataError(f"{path}: the class {name[:100]!r} occurs twice", hint="rename one of the two")
        seen.add(name)
    return tuple(names)


def _places(value: Any, key: str, path: Path) -> list[str]:
    if value is None or value == "":
        return []
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) for place in places):
        raise DataError(f"{path}: {key} is neither a path nor a list of paths", hint=_EXPECTED)
    return [place for place in places if place]
