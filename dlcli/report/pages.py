"""The page of a run, and that of a cross-validation's folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcli.core.console import format_figure
from dlcli.core.errors import DlError
from dlcli.core.records import is_number
from dlcli.core.run_dir import FOLDS, RunDir
from dlcli.core.version import __version__
from dlcli.report.blocks import Page, Section, grid_of, text_of
from dlcli.report.evaluations import SPLITS, evaluation_section, read_evaluations, title_of
from dlcli.report.images import Album, Shot
from dlcli.report.sections import (
    curves_section,
    data_section,
    duration,
    environment_section,
    exports_section,
    run_section,
    samples_section,
)

MAX_MORE_PICTURES = 8


def page_of(run: RunDir) -> Page:
    """Return the page of a run, from what its folder holds.

    Raises:
        RunError: the folder is not a run.
    """
    info = run.info()
    build = _folds_sections if run.holds_folds else _run_sections
    cards, sections = build(run, info)
    parts = [text_of(info[name]) for name in ("task", "dataset", "model") if info.get(name) is not None]
    return Page(
        run.name,
        " · ".join(parts),
        text_of(info.get("status")),
        cards,
        sections,
        f"Written by dl {__version__} from the run's folder; the page needs no network.",
    )


def _run_sections(run: RunDir, info: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], list[Section]]:
    album = Album()
    found = list(read_evaluations(run))
    evaluations = [evaluation_section(run, each, album) for each in found]
    if not found:
        notes = [f"Not evaluated yet: `dl eval {run.reference}`, or `dl report {run.reference} --eval`."]
        evaluations = [Section("Evaluation", "eval", notes)]
    sections = [
        *evaluations,
        samples_section(run, album),
        curves_section(run, info),
        run_section(run, info),
        data_section(run),
        exports_section(run),
        _more_pictures(run, album, {f"plots/{name}" for each in found for name in _names(each)}),
        environment_section(info),
    ]
    if album.left_out:
        sections[-1] = _with_left_out(environment_section(info), album)
    return _cards(info, found), [section for section in sections if section is not None]


def _names(found: Any) -> list[str]:
    return [name.removeprefix("plots/") for name in found.shown.pictures] if found.shown is not None else []


def _with_left_out(section: Section, album: Album) -> Section:
    from dataclasses import replace

    listed = ", ".join(album.left_out[:10])
    return replace(section, notes=[f"{len(album.left_out)} pictures were left out, to keep this page small: {listed}."])


def _cards(info: Mapping[str, Any], found: list[Any]) -> list[tuple[str, str, str]]:
    goal, best = info.get("goal"), info.get("best")
    cards = [card for each in found if (card := each.headline(goal)) is not None]
    if isinstance(best, Mapping) and isinstance(goal, str) and is_number(best.get(goal)):
        cards.append((f"{goal}, validation", format_figure(float(best[goal])), f"epoch {text_of(best.get('epoch'))}"))
    cards.append(("training time", duration(info.get("seconds")), text_of(info.get("device") or "")))
    if info.get("parameters") is not None:
        cards.append(("parameters", text_of(info["parameters"]), text_of(info.get("model"))))
    return cards


def _more_pictures(run: RunDir, album: Album, used: set[str]) -> Section | None:
    """Return the pictures that `dl visualize` left in the run; None if there are none."""
    shots: list[Shot] = []
    for path in sorted(run.path.glob("plots/*.png")):
        is_of_evaluation = path.name.startswith(tuple(f"{split}-" for split in SPLITS))
        if len(shots) < MAX_MORE_PICTURES and f"plots/{path.name}" not in used and not is_of_evaluation:
            shot = album.shot(path, title_of(path), title_of(path))
            shots += [shot] if shot is not None else []
    return Section("More pictures", "pictures", shots=shots) if shots else None


def _folds_sections(run: RunDir, info: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], list[Section]]:
    try:
        summary = run.read_json("eval/test.json")
        metrics, means, errors = (dict(summary[name]) for name in ("metrics", "fold_means", "standard_errors"))
        folds = [(str(fold["run"]), fold["items"], dict(fold["metrics"])) for fold in summary["folds"]]
    except (DlError, KeyError, TypeError, ValueError):
        notes = [f"Its folds are not evaluated yet: `dl eval {run.reference}` does that once all are finished."]
        return [], [Section("Folds", "folds", notes, grids=_states_of_folds(run)), *_common(run, info)]
    baselines = summary.get("baselines")
    others = baselines if isinstance(baselines, Mapping) else {}
    rows = [
        [name, value, means.get(name), errors.get(name), *(text_of(other.get(name, "")) for other in others.values())]
        for name, value in metrics.items()
    ]
    columns = ["metric", "all predictions", "mean of folds", "standard error", *others]
    names = list(metrics)[:10]
    by_fold = [[path.rsplit("/", 1)[-1], items, *(of.get(name) for name in names)] for path, items, of in folds]
    notes = [
        f"{len(folds)} folds, {text_of(summary.get('items'))} items; each is predicted by the fold that tests it.",
        "The standard error is that of the mean over folds, which share training data: it is too small rather than too "
        "large.",
    ]
    grids = [
        grid_of("metrics", columns, rows, most=100),
        grid_of("folds", ["fold", "items", *names], by_fold, most=100),
    ]
    goal = info.get("goal")
    cards = []
    if isinstance(goal, str) and is_number(metrics.get(goal)):
        mean, error = text_of(means.get(goal)), text_of(errors.get(goal))
        cards.append((goal, format_figure(float(metrics[goal])), f"mean of folds {mean} ± {error} (standard error)"))
    cards.append(("folds", str(len(folds)), f"{text_of(summary.get('items'))} items"))
    cards.append(("training time", duration(info.get("seconds")), ""))
    return cards, [Section("Folds", "folds", notes, grids=grids), *_common(run, info)]


def _states_of_folds(run: RunDir) -> list[Any]:
    rows = []
    for path in sorted((run.path / FOLDS).glob("*/run.json"))[:200]:
        try:
            info = RunDir(path.parent).info()
        except DlError:
            continue
        rows.append([path.parent.name, info.get("status"), info.get("epochs"), duration(info.get("seconds"))])
    return [grid_of("folds", ["fold", "status", "epochs", "time"], rows)] if rows else []


def _common(run: RunDir, info: Mapping[str, Any]) -> list[Section]:
    first = next(iter(sorted((run.path / FOLDS).glob("*/data.json"))), None)
    data = [data_section(RunDir(first.parent))] if first is not None else []
    return [run_section(run, info), *data, environment_section(info)]
