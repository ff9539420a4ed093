"""Findings of `dl doctor` on texts: classes, their sizes, and what besides the words reveals the label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.balance import balance_of
from dlcli.data.text.audit.leakage import LEAK
from dlcli.data.text.audit.report import audit_texts
from dlcli.data.text.form import open_texts


def examine_texts(folder: Path) -> Iterator[Finding]:
    """Yield findings from the card and its warnings, the classes of each split, and the audit.

    Raises:
        DataError: the folder holds no texts, or does not match its card.
    """
    form = open_texts(folder)
    card = form.card
    classes = f"{len(card.classes)} classes" if card.classes else "no labels"
    yield Finding("card", OK, f"{card.name}: {classes}, {len(form.vocabulary()):,} words")
    audit = audit_texts(form)
    yield from (Finding("card", WARNING, text) for text in card.warnings if text not in audit["warnings"])
    for split in form.splits():
        count = f"{card.num_items(split):,} texts"
        yield balance_of(card, split, "texts") if card.classes else Finding(split, OK, count)
    for found in audit["findings"]:
        yield Finding(found["what"], WARNING if found["severity"] == LEAK else OK, found["text"])
