"""The card of a prepared dataset, `dataset.json`: its content and its origin."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dlcli.core.errors import DataError
from dlcli.core.files import parse_json
from dlcli.core.registry import all_tasks, how_to_prepare

CARD_NAME = "dataset.json"
CARD_SCHEMA = 1

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}
"""Names of the folders of each split, in lower case."""

UNREADABLE = "unreadable, left out: "
"""How the warnings about items begin that could not be read when they were used."""

SHARED_ITEMS = re.compile(
    r"leak: |(at least )?[\d,]+ of [\d,]+ \w+ texts \([^)]*\) are in \w+ too|[\d,]+ rows of test are in train too"
    r"|--split \S+: [\d,]+ test pairs have a sentence that is also in training"
)
"""How the warnings begin by which a part has items of another: of images, texts, tables and pairs of sentences."""

GIVEN_AWAY = re.compile(r"the label leaks: |.* gives the target away: ")
"""How the warnings begin by which something beside the content says what is to be predicted: of texts and tables."""


@dataclass(frozen=True)
class Card:
    """The description of a prepared dataset.

    Attributes:
        form: the prepared form ("images", "text", ...).
        name: name of the dataset.
        classes: class names by index.
        counts: split -> class name -> number of items; {} for data without classes; the number of labels for data with
            several labels per item (the objects of an image).
        details: values specific to the form; for images `channels` (1 or 3), `image_size` ([height, width] if all
            images share one, else None), `mean` and `std` per channel in [0, 1].
        sources: the original files, each {"file", "bytes", "sha256"}.
        command: the command line that prepared it.
        version: version of the tool that prepared it.
        warnings: problems found while preparing (duplicates, leakage, unreadable files).
        items: split -> number of items, if that is not the sum over the classes.
    """

    form: str
    name: str
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    details: dict[str, Any] = field(default_factory=dict)
    sources: tuple[dict[str, Any], ...] = ()
    command: str = ""
    version: str = ""
    warnings: tuple[str, ...] = ()
    items: dict[str, int] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, in the order of the card."""
        return tuple(self.items or self.counts)

    def num_items(self, split: str) -> int:
        """Return the number of items of a split; 0 if there is no such split."""
        return self.items.get(split, 0) if self.items else sum(self.counts.get(split, {}).values())

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        value = {"schema": CARD_SCHEMA, **dataclasses.asdict(self)}
        if not self.items:
            del value["items"]
        return value

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """Return the card described by JSON values.

        Cards written before `items` existed count data without classes under an invented class.

        Raises:
            DataError: a field is missing or of the wrong type.
        """
        try:
            card = cls(
                form=_typed(value["form"], str),
                name=_typed(value["name"], str),
                classes=tuple(_typed(name, str) for name in value["classes"]),
                counts={
                    _typed(split, str): {_typed(name, str): _typed(count, int) for name, count in counts.items()}
                    for split, counts in value["counts"].items()
                },
                details=dict(value.get("details", {})),
                sources=tuple(dict(source) for source in value.get("sources", ())),
                command=str(value.get("command", "")),
                version=str(value.get("version", "")),
                warnings=tuple(str(warning) for warning in value.get("warnings", ())),
                items={_typed(split, str): _typed(count, int) for split, count in value.get("items", {}).items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"{where}: not a dataset card: {type(error).__name__}: {error}",
                hint="prepare the data again with `dl prepare`",
            ) from None
        if card.classes or card.items:
            return card
        return dataclasses.replace(card, counts={}, items={split: card.num_items(split) for split in card.counts})


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def read_card(folder: Path) -> Card | None:
    """Return the card of a prepared folder, or None if there is none.

    Raises:
        DataError: the card is damaged.
    """
    path = folder / CARD_NAME
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    try:
        value = parse_json(text)
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}", hint="prepare the data again with `dl prepare`") from None
    return Card.from_json(value, str(path))


def card_of(folder: Path, dataset: str) -> Card | None:
    """Return the card of a folder of data, or None if the folder has none.

    Args:
        folder: the data.
        dataset: a dataset of the expected form; the hint says how to prepare it.

    Raises:
        DataError: there is no such folder, or its card is damaged.
    """
    if not folder.is_dir():
        raise DataError(f"no prepared dataset at {folder}", hint=f"make it with {how_to_prepare(folder.name, dataset)}")
    return read_card(folder)


def unreadable_notes(reasons: Iterable[str], noun: str) -> list[str]:
    """Return the warnings about unreadable items: how many, then each with its reason; none if there are none.

    Args:
        reasons: why each could not be read, with its name; the same may come several times.
        noun: plural noun for the items.
    """
    once = list(dict.fromkeys(reasons))
    return [f"{UNREADABLE}{len(once):,} {noun}", *(f"{UNREADABLE}{reason}" for reason in once)] if once else []


def warnings_since_prepared(card: Card | None, folder: Path) -> tuple[str, ...]:
    """Return the warnings of opened data that its stored card does not have; all of them if there is no stored card."""
    if card is None or not card.warnings:
        return ()
    try:
        stored = read_card(folder)
    except DataError:  # damaged meanwhile
        stored = None
    known = set(stored.warnings) if stored is not None else set()
    return tuple(warning for warning in card.warnings if warning not in known)


def require_form(card: Card, folder: Path, form: str, described: str) -> None:
    """Check that a prepared folder has the expected form.

    Args:
        card: card of the folder.
        folder: the prepared data.
        form: the expected form.
        described: that form in words, for the message.

    Raises:
        DataError: it has another form; the hint names the task that reads it, since preparing again would not help.
    """
    if card.form == form:
        return
    readers = [spec.name for spec in all_tasks().values() if spec.form == card.form]
    prepared_for = card.details.get("task")  # a form for several tasks records which of them fits its target
    if prepared_for in readers:
        readers = [prepared_for]
    commands = [f"`dl train {name} --data {shlex.quote(str(folder))}`" for name in readers]
    raise DataError(
        f"{folder}: holds the form {card.form!r}, not {described}",
        hint=f"{' or '.join(commands)} reads it"
        if commands
        else "no task reads this form; `dl tasks` lists those of each",
    )
