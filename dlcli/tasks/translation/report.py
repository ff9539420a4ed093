"""The tables of a translation report, as returned by `TranslationMetric.report`, and the baseline. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlcli.core.console import shorten
from dlcli.core.table import Table, table_of_entries
from dlcli.metrics.nearest_translation import nearest_translations
from dlcli.metrics.translation import corpus_metrics

MAX_PRINTED, MAX_SHOWN = 5, 50
"""Sentences of a table that are printed, and characters of each; JSON has all of them in full."""

Pairs = Sequence[tuple[str, str]]


def tables_of(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the corpus figures with intervals and signatures, figures by length, the best and the worst translations.

    A report of losses alone has no table.
    """
    if "signatures" not in report:
        return
    intervals = report.get("intervals", {})
    yield table_of_entries(
        "figures",
        [
            {
                "metric": name,
                "value": report["metrics"][name],
                "low": intervals.get(name, [None, None])[0],
                "high": intervals.get(name, [None, None])[1],
                "signature": signature,
            }
            for name, signature in report["signatures"].items()
        ],
    )
    yield table_of_entries("by_length", report["by_length"])
    for name, heading in (("best", "the best translations"), ("worst", "the worst translations")):
        rows = [
            [entry["chrf"], *(shorten(entry[key], MAX_SHOWN) for key in ("answer", "target", "source"))]
            for entry in report[name][:MAX_PRINTED]
        ]
        yield Table(name, ["chrf", heading, "target", "source"], rows, report[name])


def nearest_baseline(
    train: Pairs, pairs: Pairs, language: str, *, several_references: bool = False
) -> dict[str, dict[str, float]]:
    """Return the figures of giving each sentence the translation of the most similar one of the training part.

    Args:
        train: pairs of source and target to choose from.
        pairs: pairs whose sources are answered.
        language: of the targets.
        several_references: as in `TranslationMetric`.
    """
    sources, targets = zip(*train, strict=True)
    wanted = [(source, [target]) for source, target in pairs]
    if several_references:
        by_source: dict[str, list[str]] = {}
        for source, target in pairs:
            by_source.setdefault(source, []).append(target)
        wanted = list(by_source.items())
    answers = nearest_translations(sources, targets, [source for source, _ in wanted])
    return {"nearest training source": corpus_metrics(answers, [references for _, references in wanted], language)}
