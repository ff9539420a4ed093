from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.core.errors import ExitCode

ROOT = Path(__file__).parent.parent


def test_the_command_line_page_is_what_the_help_pages_say():
    code = "import runpy, sys; sys.stdout.write(runpy.run_path('docs/make_cli_page.py')['render']())"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert answer.stdout == page, "stale: run `python docs/make_cli_page.py`"
    for exit_code in ExitCode:
        assert f"| {int(exit_code)} |" in page


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))])
def test_every_relative_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


def test_no_source_file_is_longer_than_a_room():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob("dlcli/**/*.py")}
    assert {path: length for path, length in lengths.items() if length > 350} == {}
