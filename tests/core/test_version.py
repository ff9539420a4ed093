from __future__ import annotations

import tomllib
from pathlib import Path

from dlcli.core.version import __version__


def test_the_package_is_built_with_the_version_that_it_states():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
