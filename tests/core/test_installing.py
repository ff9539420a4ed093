"""No message, page or script sends people to the package called dlcli on PyPI, which is another program."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dlcli.core.installing import extra

ROOT = Path(__file__).parents[2]
SUFFIXES = (".py", ".md", ".yml", ".yaml", ".sh", ".sbatch", ".jinja")
FILES = [
    path
    for place in (ROOT, *(ROOT / name for name in ("dlcli", "docs", "benchmarks")))
    for path in (place.glob("*") if place == ROOT else place.rglob("*"))
    if path.suffix in SUFFIXES or path.name == "Dockerfile"
]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def test_nothing_installs_or_upgrades_the_package_of_that_name() -> None:
    assert len(FILES) > 300
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    assert [path for path, text in texts.items() if re.search(r"pip install (-\S+ )*['\"]?dlcli\b", text)] == []
    assert [path for path, text in texts.items() if re.search(r"upgrade dlcli", text)] == []


def test_every_extra_that_is_named_is_there() -> None:
    names = {
        name for path in FILES for name in re.findall(r"\bextra\(['\"](\w+)['\"]\)", path.read_text(encoding="utf-8"))
    }
    assert {"serve", "tune", "pretrained", "cjk", "excel"} <= names <= set(EXTRAS)


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_is_installed_from_the_source(name: str) -> None:
    assert extra(name) == f"in dl's source folder: pip install '.[{name}]'"
