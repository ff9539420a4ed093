"""Callbacks of other packages, which observe a training that names them: `dl train ... --callback NAME`.

A package registers them through the entry-point group `dlcli.callbacks`. An entry point loads a function, or a class,
that takes the folder of the run and returns a `Callback`. Only those that are named are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from dlcli.core.console import Console
from dlcli.core.errors import UsageError, did_you_mean, first_line
from dlcli.core.train_config import read_callbacks
from dlcli.core.wording import brief
from dlcli.engine.callbacks import Callback
from dlcli.engine.observers.observing import Observing

GROUP = "dlcli.callbacks"

Make = Callable[[Path], Callback]


def require_callbacks(names: str | None) -> None:
    """Check, before a training starts, that the callbacks it names can be loaded.

    Raises:
        UsageError: no installed package has one of them, or it fails to load.
    """
    for name in read_callbacks(names or ""):
        _load(name)


def open_callbacks(names: str | None, folder: Path, console: Console) -> Sequence[Callback]:
    """Return the named callbacks, wrapped so that their errors are warnings; one that cannot be made is a warning too.

    Args:
        names: separated by commas; None for none.
        folder: of the run.
        console: where warnings are printed.
    """
    found: list[Callback] = []
    for name in read_callbacks(names or ""):
        try:
            found.append(Observing(_make(name, folder), f"callback {name}", console))
        except UsageError as error:  # of a run that is resumed where the package is not installed
            console.warn(f"{error.message}; the training goes on without")
        except Exception as error:  # another package's code may raise anything
            console.warn(f"callback {name}: {brief(first_line(error))}; the training goes on without")
    return found


def _make(name: str, folder: Path) -> Callback:
    callback = _load(name)(folder)
    if not isinstance(callback, Callback):
        raise TypeError(f"its entry point makes a {type(callback).__name__}, not a dlcli.engine.callbacks.Callback")
    return callback


def _load(name: str) -> Make:
    """Return the function that a name's entry point loads.

    Raises:
        UsageError: there is no such name, or it fails to load.
    """
    known: dict[str, EntryPoint] = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in known:
        hint = did_you_mean(name, known) if known else f"no installed package registers any ({GROUP})"
        raise UsageError(f"--callback: no callback {brief(name)!r}", hint=hint)
    try:
        make: Make = known[name].load()
    except Exception as error:  # a package may raise anything while it is imported
        reason = brief(f"{type(error).__name__}: {first_line(error)}")
        raise UsageError(
            f"--callback {name}: cannot be loaded: {reason}", hint="leave it out, or mend its package"
        ) from None
    if not callable(make):
        raise UsageError(f"--callback {name}: loads a {type(make).__name__}, which makes no callback")
    return make
