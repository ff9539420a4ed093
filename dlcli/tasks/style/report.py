"""The tables of an evaluation, and the distances by which to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dlcli.core.table import Table
from dlcli.data.loading import ItemLoader
from dlcli.engine.compute.device import to_numpy
from dlcli.tasks.comparing import INCEPTION, LITE0, MISSING, has_lite0
from dlcli.tasks.style.codec import TRANSLATED
from dlcli.tasks.style.metric import TranslationMetric

OpenDomain = Callable[[str, int], ItemLoader]
"""(split, domain) -> the loader of its images."""


def distance_table(report: Mapping[str, Any]) -> Table:
    """Return the distances with their standard errors and the numbers of images; of one not measured, why."""
    metrics, compared = report["metrics"], report["compared"]
    numbers = [compared["translated"], compared["real"]]
    entries: list[dict[str, Any]] = [
        {"name": name, "value": metrics[name], "error": metrics.get(f"{name}_error"), **compared}
        for name in (LITE0, INCEPTION, "fid")
        if name in metrics
    ]
    rows: list[list[object]] = [[each["name"], each["value"], each["error"], *numbers] for each in entries]
    if not has_lite0():
        entries.append({"name": LITE0, "value": None, "error": None, **compared, "reason": MISSING})
        rows.append([LITE0, MISSING, "", *numbers])
    return Table("distances", ["distance", "value", "standard error", "translated", "real"], rows, entries)


def baselines(
    new_metric: Callable[[], TranslationMetric], open_domain: OpenDomain, split: str, source: int
) -> dict[str, dict[str, float]]:
    """Return the figures of images that nothing has translated, the scale on which to read those of a model.

    - `untranslated`: the images as they are, against those of the wanted domain;
    - `real`: training images of the wanted domain against those of the split, of which no translation is better.

    Args:
        new_metric: returns an empty metric without a way back.
        open_domain: opens the images.
        split: what is evaluated.
        source: the domain that is translated.
    """
    found = {}
    for name, made in (("untranslated", (split, source)), ("real", ("train", 1 - source))):
        if made == (split, 1 - source):  # the training images against themselves
            continue
        metric = new_metric()
        for domain, where in ((source, made), (1 - source, (split, 1 - source))):
            for batch in open_domain(*where).batches():
                arrays = to_numpy(batch)
                arrays["domains"] = arrays["rows"] * 0 + domain
                metric.update(arrays, {TRANSLATED: arrays["images"]})
        figures = metric.compute()
        kept = ("l1", "psnr", "ssim") if name == "untranslated" else ()
        found[name] = {key: value for key, value in figures.items() if key.startswith(("kid", "fid")) or key in kept}
    return found
