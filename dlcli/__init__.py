"""From raw data to a trained, evaluated, exported and visualized deep-learning model.

`import dlcli` is free: what stands in `__all__` is imported when it is first used. docs/python.md shows it in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcli.api.evaluating import evaluate
    from dlcli.api.loading import Model, load
    from dlcli.api.predictions import Predictions
    from dlcli.api.preparing import Prepared, prepare
    from dlcli.api.running import Run, open_run
    from dlcli.api.training import train
    from dlcli.core.errors import (
        DataError,
        DeviceError,
        DivergedError,
        DlError,
        ExitCode,
        ExportError,
        ParityError,
        RunError,
        StoppedError,
        UsageError,
    )
    from dlcli.core.version import __version__

__all__ = [
    "DataError",
    "DeviceError",
    "DivergedError",
    "DlError",
    "ExitCode",
    "ExportError",
    "Model",
    "ParityError",
    "Predictions",
    "Prepared",
    "Run",
    "RunError",
    "StoppedError",
    "UsageError",
    "__version__",
    "evaluate",
    "load",
    "open_run",
    "prepare",
    "train",
]

_MODULES = {
    "__version__": "dlcli.core.version",
    "evaluate": "dlcli.api.evaluating",
    "Model": "dlcli.api.loading",
    "load": "dlcli.api.loading",
    "Predictions": "dlcli.api.predictions",
    "Prepared": "dlcli.api.preparing",
    "prepare": "dlcli.api.preparing",
    "Run": "dlcli.api.running",
    "open_run": "dlcli.api.running",
    "train": "dlcli.api.training",
}
"""Where the names are; those of errors and exit codes are in `dlcli.core.errors`."""


def __getattr__(name: str) -> Any:
    """Import what is asked for by name, and keep it."""
    if name not in __all__:
        raise AttributeError(f"module 'dlcli' has no attribute {name!r}")
    from importlib import import_module

    value = vars(import_module(_MODULES.get(name, "dlcli.core.errors")))[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return sorted(__all__)
