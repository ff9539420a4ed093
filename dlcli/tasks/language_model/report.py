"""The tables of a report of `LanguageMetric`. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlcli.core.console import shorten
from dlcli.core.table import Table

MAX_PRINTED, MAX_SHOWN = 5, 60
"""Texts of a table that are printed, and characters of each; JSON has all of them in full."""


def tables_of(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the texts that were expected most, and least."""
    for name, heading in (("best", "the most expected texts"), ("worst", "the least expected texts")):
        rows = [
            [entry["perplexity"], entry["log_prob"], entry["tokens"], shorten(entry["text"], MAX_SHOWN)]
            for entry in report[name][:MAX_PRINTED]
        ]
        yield Table(name, ["perplexity", "log_prob", "tokens", heading], rows, report[name])
