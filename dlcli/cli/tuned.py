"""What `dl tune` says of a study at its end: the best trial beside the default recipe, pictures, a run of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlcli.core.console import Console, format_figure
from dlcli.core.run_dir import RunDir

if TYPE_CHECKING:
    from dlcli.engine.tuning.study import Study, Trial


def draw_study(study: Study, console: Console) -> None:
    """Write the pictures of the study into its folder; a fault of theirs is a warning."""
    trials = [trial for trial in study.trials() if trial.value is not None]
    if not trials:
        return
    from dlcli.visualize.canvas import write_png
    from dlcli.visualize.tuning import draw_history, draw_importance

    best = study.best()
    title, larger = study.tune.name, study.plan.larger_is_better
    try:
        points = [(t.place, float(t.value or 0.0), t.status == "pruned") for t in trials]
        place = best.place if best is not None else None
        picture = draw_history(points, study.plan.metric, title, larger_is_better=larger, best=place)
        write_png(study.tune.plots / "history.png", picture)
        importances = study.importances()
        if importances:
            write_png(study.tune.plots / "importance.png", draw_importance(importances, study.plan.metric, title))
    except (OSError, ValueError) as error:
        console.warn(f"{study.tune.plots}: no pictures: {error}")


def answer_study(
    study: Study, console: Console, *, retrain: str | None, machine: Mapping[str, Any] | None = None
) -> None:
    """Print the best trial beside the default recipe, and the path of its run.

    Args:
        study: the study.
        console: where the answer is printed.
        retrain: see `TuneOptions`; None for no further training.
        machine: options of the machine for that training, in place of the study's.

    Raises:
        RunError: no trial has finished.
    """
    from dlcli.engine.tuning.search import shown

    trials, best = study.trials(), study.best()
    run = RunDir(study.tune.best_run())
    assert best is not None
    metric = study.plan.metric
    default = next((trial for trial in trials if trial.is_default), None)
    count = sum(trial.value is not None for trial in trials)
    console.say(f"best: {_with_error(best, metric)}, trial {best.place} of {count}{_beside(best, default)}")
    for name, value in best.values.items():
        console.say(f"  {name.replace('_', '-')} {shown(value)}")
    if count > 1 and not best.is_default:
        console.say(f"the best of {count} looks better on the validation part than it is: look at the test part")
    if retrain is not None:
        run = _retrain(run, study, console, machine or {}, on_all=retrain == "all")
    is_fold = study.plan.folds > 1 and retrain is None  # one of several trainings, on a part of the items
    console.say(f"next: dl train --from {study.tune.reference}" if is_fold else f"next: dl eval {run.reference}")
    if console.is_json:
        console.answer_json("tune", _document(study, trials, best, default, run))
    else:
        console.answer(str(run.path))


def _with_error(trial: Trial, metric: str) -> str:
    assert trial.value is not None
    error = "" if trial.standard_error is None else f" ± {format_figure(trial.standard_error)} (standard error)"
    return f"{metric} {format_figure(trial.value)}{error}"


def _beside(best: Trial, default: Trial | None) -> str:
    if default is None or default.value is None:
        return ""
    if best.is_default:
        return ", the default recipe: nothing was better"
    error = "" if default.standard_error is None else f" ± {format_figure(default.standard_error)}"
    return f"; the default recipe has {format_figure(default.value)}{error}"


def _retrain(run: RunDir, study: Study, console: Console, machine: Mapping[str, Any], *, on_all: bool) -> RunDir:
    """Train the options of the best trial once more, as an ordinary run."""
    from dlcli.engine.runs.training import start_training
    from dlcli.engine.tuning.plan import retrain_request

    best = study.best()
    assert best is not None
    console.say(f"training the options of {run.path} once more{', on the validation part too' if on_all else ''}")
    epochs = best.epochs if on_all else None
    plan = dataclasses.replace(study.plan, options={**study.plan.options, **machine})
    return start_training(retrain_request(plan, best.values, all_items_for=epochs), console)


def _document(study: Study, trials: Sequence[Trial], best: Trial, default: Trial | None, run: RunDir) -> dict[str, Any]:
    return {
        "tune": str(study.tune.path),
        "run": str(run.path),
        "metric": study.plan.metric,
        "larger_is_better": study.plan.larger_is_better,
        "best": _entry(best),
        "default": _entry(default) if default is not None else None,
        "importance": study.importances(),
        "trials": [_entry(trial) for trial in trials],
    }


def _entry(trial: Trial) -> dict[str, Any]:
    entry = {"trial": trial.place, **dataclasses.asdict(trial)}
    del entry["place"]
    return entry
