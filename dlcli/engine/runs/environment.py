"""What a result depends on beside data and options: versions, and the revision of the user's own work."""

from __future__ import annotations

import platform
import subprocess

import numpy as np
import torch

from dlcli import __version__


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {
        "dlcli": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def git_revision() -> str | None:
    """Return the revision of the folder that the user stands in, with `+` where it has changes; None outside git."""
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
