"""Findings of `dl doctor` on a table: rows and columns, missing values, constant columns, and the target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.balance import balance_of
from dlcli.data.tables.form import CATEGORICAL, NUMERIC, TableForm, open_table
from dlcli.data.tables.leaks import LEAKS, advice, find_leaks, picked_rows, sorted_by_target
from dlcli.data.tables.origin import SOURCE_NAME, read_numbers

MOST_MISSING = 0.5
"""A column with a larger fraction of missing values deserves a warning: its replacements outweigh its values."""


def examine_table(folder: Path) -> Iterator[Finding]:
    """Yield findings from the card and its warnings, the splits, the columns and the target, and what gives it away.

    Raises:
        DataError: the folder holds no table, or does not match its card.
    """
    form = open_table(folder)
    card = form.card
    kinds = ", ".join(f"{len(form.names(kind))} {kind}" for kind in (NUMERIC, CATEGORICAL) if form.names(kind))
    yield Finding("card", OK, f"{card.name}: {form.num_rows:,} rows, {len(form.columns)} columns ({kinds})")
    yield from (Finding("card", WARNING, warning) for warning in card.warnings if LEAKS not in warning)
    for split in form.splits():
        yield balance_of(card, split, "rows") if card.classes else Finding(split, OK, f"{card.num_items(split):,} rows")
    try:
        read_numbers(folder, card, form.num_rows)
    except DataError as error:  # training needs it for --splits and --group alone
        yield Finding(SOURCE_NAME, WARNING, error.message, error.hint or "")
    yield from _columns(form)
    yield _target(form)
    yield from _leaks(form)


def _columns(form: TableForm) -> Iterator[Finding]:
    """Yield a finding for each column with missing values, or with the same value in all training rows."""
    train = form.split_rows("train")
    numeric, categories = form.rows.numeric, form.rows.categories
    missing = {name: np.isnan(numeric[:, place]) for place, name in enumerate(form.names(NUMERIC))}
    missing |= {name: categories[:, place] < 0 for place, name in enumerate(form.names(CATEGORICAL))}
    values = {name: numeric[:, place] for place, name in enumerate(form.names(NUMERIC))}
    values |= {name: categories[:, place] for place, name in enumerate(form.names(CATEGORICAL))}
    for column in form.columns:
        is_missing = missing[column.name]
        if is_missing.any():
            state = WARNING if is_missing.mean() > MOST_MISSING else OK
            text = f"{int(is_missing.sum()):,} of {form.num_rows:,} values are missing ({is_missing.mean():.0%})"
            yield Finding(f"column {column.name}", state, text)
        known = values[column.name][train][~is_missing[train]]
        if not len(known):
            yield Finding(f"column {column.name}", WARNING, "has no value in any training row")
        elif (known == known[0]).all() and len(known) == len(train):
            yield Finding(f"column {column.name}", WARNING, "has the same value in every training row")


def _target(form: TableForm) -> Finding:
    """Return the range of the target, or its classes and their counts."""
    targets = form.rows.targets
    if form.card.classes:
        counts = np.bincount(targets, minlength=len(form.card.classes))
        shown = ", ".join(f"{name} {count:,}" for name, count in zip(form.card.classes[:10], counts, strict=False))
        more = ", ..." if len(counts) > 10 else ""
        return Finding(f"target {form.target}", OK, f"{len(counts)} classes: {shown}{more}")
    text = f"{targets.min():g} to {targets.max():g}, mean {targets.mean():g}, standard deviation {targets.std():g}"
    is_constant = bool(np.ptp(targets[form.split_rows("train")]) == 0)
    return Finding(f"target {form.target}", WARNING if is_constant else OK, text)


def _leaks(form: TableForm) -> Iterator[Finding]:
    """Yield a finding for each column that gives the target away, and one if the rows are sorted by the target."""
    num_classes, num_picked = len(form.card.classes), len(picked_rows(form.num_rows, len(form.columns)))
    where = f", on {num_picked:,} of the {form.num_rows:,} rows" if num_picked < form.num_rows else ""
    for leak in find_leaks(form.columns, form.rows, form.target, num_classes):
        what, fix = f"column {leak.column}", advice(leak.column, form.target)
        if leak.is_certain:
            yield Finding(what, WARNING, f"{LEAKS}: {leak.found}{where}", fix)
        else:
            yield Finding(what, OK, f"{leak.found}; {fix}")
    if sorted_by_target(form.rows, num_classes):
        text = f"lie in the order of {form.target!r}: parts are drawn at random, but --folds time would mislead"
        yield Finding("rows", OK, text)
