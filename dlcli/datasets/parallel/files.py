"""Finding the files of sentence pairs that a user means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.parallel.writer import SIDES
from dlcli.datasets.parallel.reading import Languages

_SUFFIXES = (".txt", ".tsv", ".tab")


def find_columns(source: Path) -> Path:
    """Return the tab-separated file: SOURCE, or the only one in that folder (Anki's archives add an `_about.txt`).

    Raises:
        DataError: it is missing, or there are several.
    """
    if source.is_dir():
        found = [path for path in sorted(source.iterdir()) if _is_columns(path)]
        if len(found) != 1:
            raise DataError(
                f"{source}: {len(found)} files of text in this folder", details=_listed(found), hint="name the file"
            )
        return found[0]
    if not source.exists():
        raise DataError(f"{source}: no such file", hint="SOURCE is a tab-separated file of sentence pairs")
    return source


def _is_columns(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return path.is_file() and name.endswith(_SUFFIXES) and not name.startswith(("_", "."))


def find_aligned(source: Path, target_file: str | None, languages: Languages) -> tuple[Path, Path]:
    """Return the files of source and target.

    SOURCE is the file of the source's sentences; or what the names of both begin with (`corpus` of corpus.zh and
    corpus.en.gz); or a folder with one file for each language.

    Raises:
        DataError: one of them is missing, or there are several.
    """
    if target_file is not None:
        pair = source, Path(target_file)
    elif source.is_dir():
        beside = sorted(source.iterdir())
        pair = _only(beside, 0, languages, source), _only(beside, 1, languages, source)
    else:
        start = _without_code(source.name, languages)
        beside = sorted(source.parent.iterdir()) if source.parent.is_dir() else []
        named = [path for path in beside if path.name.startswith(f"{start}.")]
        one = source if source.is_file() else _only(named, 0, languages, source)
        pair = one, _only(named, 1, languages, source)
    for path in pair:
        if not path.exists():
            raise DataError(f"{path}: no such file", hint="SOURCE and --target-file are files of one sentence a line")
    return pair


def _endings(place: int, languages: Languages) -> tuple[str, ...]:
    codes = dict.fromkeys((languages.typed[place].lower(), languages.codes[place]))
    return tuple(f".{code}{more}" for code in codes for more in (".txt.gz", ".txt", ".gz", ""))


def _without_code(name: str, languages: Languages) -> str:
    """Return what the names of both files begin with."""
    ending = next((ending for ending in _endings(0, languages) if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def _only(paths: Sequence[Path], place: int, languages: Languages, source: Path) -> Path:
    found = [path for path in paths if path.name.lower().endswith(_endings(place, languages)) and path.is_file()]
    if len(found) == 1:
        return found[0]
    code = languages.typed[place]
    raise DataError(
        f"{source}: {len(found) or 'no'} files of {SIDES[place]} sentences, named like corpus.{code} or with .gz",
        details=_listed(found or paths),
        hint="name both: SOURCE --target-file FILE",
    )


def _listed(paths: Sequence[Path]) -> list[str]:
    return [f"found: {', '.join(path.name for path in paths[:5])}"[:200]] if paths else []
