"""`dl prepare DATASET SOURCE`: convert an original dataset to a prepared form."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.cli.options import Argument, Common, Values, make_command
from dlcli.cli.words import pick_target
from dlcli.core.config import option
from dlcli.core.console import Console
from dlcli.core.errors import UsageError
from dlcli.core.registry import (
    DATASETS,
    DatasetSpec,
    all_datasets,
    all_forms,
    find_form,
    get_dataset,
    load_object,
)
from dlcli.engine.targets import DATA


@dataclass(frozen=True)
class PrepareOptions:
    """Options of `dl prepare` for every dataset."""

    out: str | None = option(None, "destination (default: data/DATASET)", metavar="DIR")
    force: bool = option(False, "prepare again even if nothing has changed")
    shard_size: int | None = option(
        None,
        "cut the packed copy of small images into files of N images (default: one file a split)",
        minimum=1,
        maximum=10**9,
        is_advanced=True,
    )


def build(rest: list[str]) -> Any:
    """Return the command, with the options of the dataset that the line names."""
    known_options = [load_object(name) for name in dict.fromkeys(spec.options for spec in DATASETS.values())]
    name = pick_target(rest, DATASETS.__contains__, [PrepareOptions, Common, *known_options])
    spec = get_dataset(name) if name else None
    arguments = [
        Argument("dataset", "name of the dataset", is_required=False),
        Argument("source", "original data: a folder, file or archive", is_required=False),
    ]
    summary = "Convert an original dataset to a form for training."
    if spec is None:
        epilog = (
            f"Datasets: {', '.join(DATASETS)}; `dl datasets` also lists those of plugins. `dl prepare DATASET "
            "-h` shows a dataset's own options."
        )
        return make_command(
            "prepare", summary, _no_target, arguments=arguments, configs=[PrepareOptions], epilog=epilog
        )
    options = load_object(spec.options)

    def run(values: Values) -> None:
        _prepare(spec, options, values)

    configs = [options, PrepareOptions]
    return make_command("prepare", f"{summary} {spec.name}: {spec.summary}.", run, arguments=arguments, configs=configs)


def _no_target(values: Values) -> None:
    del values
    raise UsageError("which dataset?", hint=f"`dl prepare NAME SOURCE`, NAME one of {', '.join(all_datasets())}")


def _prepare(spec: DatasetSpec, options_class: type, values: Values) -> None:
    from dlcli.data.importing.preparing import prepare_dataset

    if values.arguments["dataset"] != spec.name:  # an option's value was mistaken for the dataset
        raise UsageError(f"dl prepare {values.arguments['dataset']}: name the dataset before its options")
    console = values.console()
    options = values.resolve(options_class)
    general = values.resolve(PrepareOptions)
    source = values.arguments["source"]
    destination = Path(general.out) if general.out else DATA / spec.name
    importer = load_object(spec.importer)(options)
    cut = _cutter(spec, general.shard_size)
    source_path = _source(spec, importer, source, options, console)
    command = shlex.join(["dl", *sys.argv[1:]])
    card, is_new = prepare_dataset(
        importer,
        source_path,
        destination,
        command=command,
        force=general.force,
        report=console.say,
        shard_size=general.shard_size,
        cut=cut,
    )
    for warning in card.warnings:
        console.warn(warning)
    counts = ", ".join(f"{card.num_items(split):,} {split}" for split in card.splits)
    verb = "prepared" if is_new else "already prepared"
    classes = f", {len(card.classes)} classes" if card.classes else ""
    console.say(f"{verb} {spec.name}: {counts}{classes}")
    if console.is_json:
        console.answer_json("prepare", {"data": str(destination), "is_new": is_new, "card": card.to_json()})
    else:
        console.answer(str(destination))


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


def _source(spec: DatasetSpec, importer: Any, source: str | None, options: Any, console: Console) -> Path | None:
    """Return the path of the original data: the user's, or the one that --download fetched; None if options name it.

    Raises:
        UsageError: there is no source, and no --download.
    """
    if source is not None:
        return Path(source)
    if not spec.needs_source or any(vars(options).get(name) is not None for name in spec.source_options):
        return None
    if vars(options).get("download"):
        path: Path = importer.download(DATA / ".downloads", console.say)
        return path
    where = f" (original: {spec.page})" if spec.page else ""
    instead = " ".join(f"--{name} DIR" for name in spec.source_options)
    hint = f"dl prepare {spec.name} FOLDER{f', or {instead}' if instead else ''}"
    raise UsageError(f"dl prepare {spec.name}: name the SOURCE{where}", hint=hint)
