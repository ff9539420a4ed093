"""Exporting a run from Python: the file of `dl export`, verified as there."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dlcli.answering.ready import find_run
from dlcli.answering.run_data import data_if_there
from dlcli.api.options import Named, console_of, optional_word, resolve_inference, word_of
from dlcli.core.errors import UsageError
from dlcli.core.registry import get_task
from dlcli.export.recording import record_export, stored_metadata


def export_run(
    run: Named,
    format: str = "onnx",
    *,
    out: Named | None = None,
    data: Named | None = None,
    embed: bool = False,
    threads: int | None = None,
    seed: int = 0,
    verbose: bool = False,
    **options: Any,
) -> Path:
    """Write a run's network as a file, verify that it answers like the run, and return its path.

    Args:
        run: a run, or what names one.
        format: onnx, torchscript or another one of graphs.
        out: the file; None for one in the run's `exports/`.
        data: prepared data to verify on; None for the run's, if it is there.
        embed: also give the vector of each input.
        threads, seed: how it is computed.
        verbose: print what the exporters report, and not only warnings.
        options: the task's inference options that become a part of the graph, by field name: `tta=True`.

    Raises:
        RunError: there is no such run, or it is damaged.
        UsageError: there is no such format or option.
        ExportError: no exporter could write the network.
        ParityError: the file would differ from the run; there is none.
    """
    console = console_of(verbose)
    found = find_run(word_of(run))
    target = optional_word(out)
    if target is not None and found.holds(Path(target)):
        raise UsageError(f"out={target!r}: a file of the run itself", hint="name another file")
    inference = resolve_inference("export()", get_task(found.entry("task")), options)
    from dlcli.core.version import __version__
    from dlcli.engine.compute.device import open_device, seed_everything
    from dlcli.engine.embedding import embedding_plan
    from dlcli.engine.runs.restore import load_task
    from dlcli.export.exporting import default_name, export_model

    open_device("cpu", threads=threads)
    seed_everything(seed)
    info = found.info()
    task, description = load_task(found, data=data_if_there(info, optional_word(data)), inference=inference)
    plan = task.export_plan()
    if embed:
        plan = embedding_plan(task, plan, name=found.name)
    more = {**asdict(description), "metrics": info.get("best") or {}, "versions": {"dlcli": __version__}}
    plan = replace(plan, metadata=stored_metadata(plan.metadata, more))
    path = Path(target) if target is not None else found.exports / default_name(found.name, format, len(plan.graphs))
    result = export_model(plan, format, path, report=console.say)
    try:
        record_export(found, result)
    except OSError as error:  # the export itself is written
        console.warn(f"{found.exports} cannot be written ({error.strerror or error})")
    return result.path
