"""What a result depends on besides data and options: versions, and the git revision of the working directory."""

from __future__ import annotations

import platform
import subprocess

import numpy as np
import torch

from dlcli.core.version import __version__


def versions() -> dict[str, str]:
    """Return the versions of the software that a result depends on."""
    return {
        "dlcli": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # it is of a class of torch
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def git_revision() -> str | None:
    """Return the git revision of the working directory, with `+` if it has changes; None outside git."""
    try:
        # Without `--exclude`, a commit with a tag would be named by the tag alone, which can be moved.
        command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
