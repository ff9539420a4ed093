"""`dlcli.evaluate`: the figures of `dl eval`."""

from __future__ import annotations

from typing import Any

from dlcli.answering.opening import RUN, form_of, task_of
from dlcli.answering.ready import find_run
from dlcli.answering.run_data import data_of_run
from dlcli.api.options import Named, console_of, optional_word, resolve_inference, word_of
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig

SPLITS = ("test", "valid", "train")


def evaluate(
    run: Named,
    *,
    split: str = "test",
    data: Named | None = None,
    baseline: bool = False,
    few_shot: int | None = None,
    plots: bool = True,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    verbose: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate a run, keep the report in it, and return the document of `dl eval --json`; or evaluate a file.

    Args:
        run: a run, or what names one; or a checkpoint, an exported file or folder, for which nothing is kept.
        split: test, valid or train; of a cross-validation test, each item by the fold that tests it.
        data: prepared data; None for the run's.
        baseline: also evaluate simple models on the same data.
        few_shot: also evaluate the nearest class mean of this many training items of each class.
        plots: save plots in the run.
        device, threads, seed: where and how it is computed.
        verbose: print notes on stderr, and not only warnings.
        options: the task's inference options, by field name: `tta=True`.

    Returns:
        `metrics` by name, `lower_is_better`, `items`, the entries of each table, `baselines` if they were asked for,
        and `plots`, the paths of the pictures.

    Raises:
        UsageError: an option is wrong, or does not fit the task.
        DataError: the data or the split is missing or empty.
        RunError: there is no such run, or it is damaged.
        DeviceError: there is no such device.
    """
    if split not in SPLITS:
        raise UsageError(f"evaluate(): split cannot be {split!r}", hint=did_you_mean(split, SPLITS))
    console, word = console_of(verbose), word_of(run)
    if form_of(word) != RUN:
        return _evaluate_file(word, split, data, options, baseline, few_shot, device, threads, seed)
    found = find_run(word)
    place = data_of_run(found.info(), optional_word(data))
    inference = resolve_inference("evaluate()", task_of(str(found.path)), options)

    def warn(error: OSError) -> None:
        console.warn(f"{found.path} cannot be written ({error.strerror or error}): the report is not stored")

    if found.holds_folds:
        _refuse_for_folds(found, split, few_shot, options)
        from dlcli.engine.runs.cross_validation import summarise

        where = TrainConfig(device=device, threads=threads)
        more: dict[str, Any] = {"on_unwritable": warn, "warn": console.warn}
        return {**summarise(found, place, where, with_baselines=baseline, **more), "plots": []}
    from dlcli.engine.compute.device import open_device, seed_everything
    from dlcli.engine.observers.data_notes import print_notes
    from dlcli.engine.runs.evaluation import measure_run, require_items
    from dlcli.engine.runs.keeping import keep_evaluation

    opened = open_device(device, threads=threads)
    seed_everything(seed)
    measured = measure_run(found, place, split, opened, inference=inference, with_baselines=baseline, few_shot=few_shot)
    require_items(measured.report, measured.notes)
    print_notes(console, measured.notes)
    drawn: list[str] = []
    try:
        drawn = keep_evaluation(found, measured, draws=plots, inference=inference)
    except OSError as error:
        warn(error)
    return {**measured.report, "plots": drawn}


def _evaluate_file(
    word: str,
    split: str,
    data: Named | None,
    options: dict[str, Any],
    baseline: bool,
    few_shot: int | None,
    device: str,
    threads: int | None,
    seed: int,
) -> dict[str, Any]:
    """Return the document of a checkpoint or an exported file, which has no folder to keep anything in."""
    inference = resolve_inference("evaluate()", task_of(word), options)
    from dlcli.answering.evaluating import measure_model_file
    from dlcli.engine.compute.device import seed_everything
    from dlcli.engine.runs.evaluation import require_items

    seed_everything(seed)
    measured = measure_model_file(
        word,
        optional_word(data),
        split,
        device=device,
        threads=threads,
        inference=inference,
        with_baselines=baseline,
        few_shot=few_shot,
    )
    require_items(measured.report, measured.notes)
    return {**measured.report, "plots": []}


def _refuse_for_folds(run: RunDir, split: str, few_shot: int | None, options: dict[str, Any]) -> None:
    """Refuse what the folds' evaluation at the end of their training did not have.

    Raises:
        UsageError: something of it was asked for.
    """
    asked = [*(["split"] if split != "test" else []), *(["few_shot"] if few_shot is not None else []), *options]
    if asked:
        raise UsageError(
            f"evaluate(): {asked[0]} does not fit a cross-validation, which is evaluated as its folds were",
            hint=f"evaluate one of its folds, such as {run.path}/folds/01",
        )
