"""`dlcli.prepare`: convert an original dataset to a form for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.api.options import Named, call_text, console_of, given_options, optional_word
from dlcli.core.config import resolve
from dlcli.core.registry import get_dataset, load_object
from dlcli.data.card import Card
from dlcli.engine.preparing import PrepareRequest, prepare_request, prepared_line


@dataclass(frozen=True)
class Prepared:
    """Prepared data. `dlcli.train` takes it as it is.

    Attributes:
        path: its folder.
        card: what is in it: classes, counts, sources, warnings.
        is_new: whether it had to be written; False if the same data was there.
    """

    path: Path
    card: Card
    is_new: bool

    def __fspath__(self) -> str:
        """Return the folder as text, so that the data stands where a path may stand."""
        return str(self.path)


def prepare(
    dataset: str,
    source: Named | None = None,
    *,
    out: Named | None = None,
    force: bool = False,
    verbose: bool = False,
    **options: Any,
) -> Prepared:
    """Prepare a dataset as `dl prepare` does, and return it; nothing is written if it is there already.

    Args:
        dataset: its name; `dl datasets` lists them.
        source: the original data: a folder, file or archive; None for one that needs none.
        out: the destination; None for `data/DATASET`.
        force: prepare again even if nothing has changed.
        verbose: print progress on stderr, and not only warnings.
        options: the dataset's own options, by field name: `target="price"`; see `dl prepare DATASET -h`.

    Raises:
        UsageError: there is no such dataset, an option is wrong, or the source is not named.
        DataError: the source is missing or invalid, or the destination holds something else.
    """
    console = console_of(verbose)
    spec = get_dataset(dataset)
    own = resolve(load_object(spec.options), [given_options("prepare()", options)])
    command = call_text("prepare", dataset, *([source] if source is not None else []), out=out, **options)
    request = PrepareRequest(spec, own, optional_word(source), optional_word(out), force=force, command=command)
    card, is_new = prepare_request(request, console.say)
    for warning in card.warnings:
        console.warn(warning)
    console.say(prepared_line(spec, card, is_new=is_new))
    return Prepared(request.destination, card, is_new)
