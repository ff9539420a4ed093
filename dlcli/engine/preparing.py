"""Preparing a dataset by its name, with its options. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.core.registry import DatasetSpec, all_forms, find_form, load_object
from dlcli.data.card import Card
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.engine.targets import DATA


@dataclass(frozen=True)
class PrepareRequest:
    """What to prepare.

    Attributes:
        spec: the dataset.
        options: its options, in the dataclass that the spec names.
        source: the original data; None if the options name it, or none is needed.
        out: the destination; None for `data/DATASET`.
        force: prepare again even if nothing has changed.
        command: what was typed, for the card.
        shard_size: items of each file that the packed copy is cut into; None for one file a split.
    """

    spec: DatasetSpec
    options: Any
    source: str | None = None
    out: str | None = None
    force: bool = False
    command: str = ""
    shard_size: int | None = None

    @property
    def destination(self) -> Path:
        """The folder of the prepared data."""
        return Path(self.out) if self.out else DATA / self.spec.name


def prepare_request(request: PrepareRequest, say: Callable[[str], None]) -> tuple[Card, bool]:
    """Return the card of the prepared dataset, and whether it had to be written; `say` prints progress.

    Raises:
        UsageError: there is no source, or the form cannot be cut.
        DataError: see `prepare_dataset`.
    """
    cut = _cutter(request.spec, request.shard_size)
    importer = load_object(request.spec.importer)(request.options)
    source = source_path(request, importer, say)
    return prepare_dataset(
        importer,
        source,
        request.destination,
        command=request.command,
        force=request.force,
        report=say,
        shard_size=request.shard_size,
        cut=cut,
    )


def _cutter(spec: DatasetSpec, size: int | None) -> Any:
    """Return the function that cuts the packed copy of the dataset's form; None if it is not wanted.

    Raises:
        UsageError: it is wanted, and this form cannot be cut.
    """
    if size is None:
        return None
    form = find_form(spec.form)
    if form is None or not form.cut:
        able = ", ".join(name for name, each in all_forms().items() if each.cut)
        raise UsageError(f"--shard-size: the form {spec.form!r} cannot be cut", hint=f"forms that can: {able}")
    return load_object(form.cut)


def source_path(request: PrepareRequest, importer: Any, say: Callable[[str], None]) -> Path | None:
    """Return the path of the original data: the user's, or the one that --download fetched; None if options name it.

    Raises:
        UsageError: there is no source, and no --download.
    """
    spec = request.spec
    if request.source is not None:
        return Path(request.source)
    if not spec.needs_source or any(vars(request.options).get(name) is not None for name in spec.source_options):
        return None
    if vars(request.options).get("download"):
        path: Path = importer.download(DATA / ".downloads", say)
        return path
    where = f" (original: {spec.page})" if spec.page else ""
    instead = [" ".join(f"--{name} DIR" for name in spec.source_options)] if spec.source_options else []
    instead += ["--download"] if "download" in vars(request.options) else []
    hint = ", or ".join([f"dl prepare {spec.name} SOURCE", *instead])
    raise UsageError(f"dl prepare {spec.name}: name the SOURCE{where}", hint=hint)


def prepared_line(spec: DatasetSpec, card: Card, *, is_new: bool) -> str:
    """Return the line that says what is prepared."""
    counts = ", ".join(f"{card.num_items(split):,} {split}" for split in card.splits)
    classes = f", {len(card.classes)} classes" if card.classes else ""
    return f"{'prepared' if is_new else 'already prepared'} {spec.name}: {counts}{classes}"
