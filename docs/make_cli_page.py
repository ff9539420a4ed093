"""Write docs/cli.md from the help pages: `python docs/make_cli_page.py`. A test fails when the page is stale."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from dlcli.cli.app import COMMANDS, run
from dlcli.cli.pictures import all_pictures
from dlcli.core.errors import ExitCode
from dlcli.core.registry import DATASETS, TASKS

PAGE = Path(__file__).with_name("cli.md")

MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAULT: "a fault of the tool",
    ExitCode.USAGE: "a wrong option, argument or configuration",
    ExitCode.DATA: "data missing or invalid",
    ExitCode.RUN: "a run, checkpoint or model file missing or incompatible",
    ExitCode.EXPORT: "an export failed",
    ExitCode.PARITY: "an exported file differs from its model, or a rerun from its run",
    ExitCode.THRESHOLD: "`--fail-under` was not met",
    ExitCode.PARTIAL: "some inputs failed, the others are answered",
    ExitCode.DIVERGED: "training diverged",
    ExitCode.DEVICE: "a device is missing or out of memory",
    ExitCode.INTERRUPTED: "Ctrl-C; the checkpoint is saved",
    ExitCode.TERMINATED: "SIGTERM; the checkpoint is saved",
}


def help_page(*words: str) -> str:
    """Return what `dl WORDS --help-all` prints, at a width of 100."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        run([*words, "--help-all" if words else "-h"])
    return text.getvalue().strip()


def render() -> str:
    """Return the whole page."""
    os.environ["COLUMNS"] = "100"
    origin = "Made from the help pages by `python docs/make_cli_page.py`. A `+` marks what `--help` leaves out."
    parts = ["# The command line", origin, "## Exit codes"]
    parts.append("\n".join(["| code | meaning |", "|---|---|", *(f"| {int(c)} | {m} |" for c, m in MEANINGS.items())]))
    pages = [(), *((name,) for name in COMMANDS)]
    pages += [("train", name) for name in TASKS]
    pages += [("prepare", name) for name in DATASETS]
    pages += [("visualize", name) for name in all_pictures()]
    for words in pages:
        parts += [f"## `{' '.join(['dl', *words])}`", f"```\n{help_page(*words)}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
