"""`dl prepare DATASET SOURCE`: convert an original dataset to a prepared form."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import Any

from dlcli.cli.options import Argument, Common, Values, make_command
from dlcli.cli.words import pick_target
from dlcli.core.config import option
from dlcli.core.errors import UsageError
from dlcli.core.registry import DATASETS, DatasetSpec, all_datasets, get_dataset, load_object


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
    from dlcli.engine.preparing import PrepareRequest, prepare_request, prepared_line

    if values.arguments["dataset"] != spec.name:  # an option's value was mistaken for the dataset
        raise UsageError(f"dl prepare {values.arguments['dataset']}: name the dataset before its options")
    console = values.console()
    options = values.resolve(options_class)
    general = values.resolve(PrepareOptions)
    command = shlex.join(["dl", *sys.argv[1:]])
    request = PrepareRequest(
        spec,
        options,
        values.arguments["source"],
        general.out,
        force=general.force,
        command=command,
        shard_size=general.shard_size,
    )
    card, is_new = prepare_request(request, console.say)
    for warning in card.warnings:
        console.warn(warning)
    console.say(prepared_line(spec, card, is_new=is_new))
    destination = request.destination
    if console.is_json:
        console.answer_json("prepare", {"data": str(destination), "is_new": is_new, "card": card.to_json()})
    else:
        console.answer(str(destination))
