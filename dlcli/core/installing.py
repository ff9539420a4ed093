"""What messages say of installing dl: from its own source, as the package called dlcli on PyPI is another program."""

from __future__ import annotations

UPGRADE = "upgrade: `git pull && pip install .` in dl's source folder"

FROM_SOURCE = "Install dl from its own source; the package called dlcli on PyPI is another program."
"""For pages and scripts that reach people who may not have it."""


def extra(name: str) -> str:
    """Return how to install one of the extras of `pyproject.toml`."""
    return f"in dl's source folder: pip install '.[{name}]'"
