"""Exporting the weights of a task's network, and verifying them by building the network again from the folder.

What the folder holds stands in `export/weights_folder.py`; here, since a network is built by its task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from dlcli.core.errors import DlError, ExportError
from dlcli.core.files import place_of, staging_folder
from dlcli.engine.runs.restore import load_task_from_file
from dlcli.engine.task import Task, network_of
from dlcli.export.eager import as_function
from dlcli.export.exporting import host_copy
from dlcli.export.half import loosened
from dlcli.export.model_file import CONFIG_JSON, WEIGHTS_FILE
from dlcli.export.plan import Check, ExportPlan, ExportResult, Graph
from dlcli.export.publishing import check_place, publish_folder, storage_errors
from dlcli.export.verify import compare_answers, reference_answers, tells_apart
from dlcli.export.weights_folder import config_text, folder_content, write_weights


def export_weights(
    task: Task,
    plan: ExportPlan,
    metadata: Mapping[str, Any],
    path: Path,
    *,
    half: bool = False,
    inference: Any = None,
    report: Callable[[str], None],
) -> ExportResult:
    """Write the weights of the network that answers, and verify that a network built from the folder answers equally.

    Args:
        task: the task with its weights.
        plan: its export plan, whose graphs and samples are what is compared.
        metadata: the fields of a `Description`, and whatever else is stored.
        path: the folder; an older one is replaced.
        half: store the learned weights in fp16. The arithmetic of the loaded network is fp32.
        inference: the task's inference options.
        report: is called with what weakens the proof.

    Raises:
        ExportError: the network cannot be built from its description, or the folder cannot be written.
        ParityError: it answers differently, or a weight does not fit fp16.
    """
    network, path = network_of(task), place_of(path)
    with storage_errors(path), torch.random.fork_rng(devices=[]):
        check_place(path, is_folder=True)
        with staging_folder(path) as folder:
            draft = folder / "weights"
            draft.mkdir()
            weights = draft / WEIGHTS_FILE
            learned = {name for name, _ in network.named_parameters(remove_duplicate=False)}
            write_weights(weights, network.state_dict(), learned, half=half)
            content = folder_content(metadata, weights)
            (draft / CONFIG_JSON).write_text(config_text(content), encoding="utf-8")
            checks, is_telling = _verify(plan, draft, half, inference, report)
            (draft / CONFIG_JSON).unlink()  # `publish_folder` writes it beside the weights
            published = publish_folder(folder, [weights], content, path, document=CONFIG_JSON)
            return ExportResult(
                path=path,
                data_path=None,
                format="safetensors",
                bytes=published.bytes,
                sha256=published.sha256,
                exporters={graph.name: "safetensors" for graph in plan.graphs},
                checks=checks,
                is_telling=is_telling,
            )


def _verify(
    plan: ExportPlan, folder: Path, half: bool, inference: Any, report: Callable[[str], None]
) -> tuple[tuple[Check, ...], bool]:
    """Return the checks of a task that is built from the folder, and whether they prove much.

    Raises:
        ExportError, ParityError: see `export_weights`.
    """
    try:
        fresh, _ = load_task_from_file(folder, inference=inference)
        modules = {graph.name: graph.module for graph in fresh.export_plan().graphs}
    except DlError as error:
        reason = error.message.replace(f"{folder}/", "")
        raise ExportError(f"the network cannot be built from its description: {reason}", hint=error.hint) from None
    checks: list[Check] = []
    is_telling = True
    for graph in plan.graphs:
        references = reference_answers(host_copy(graph.module), graph)
        is_telling &= tells_apart(graph, references)
        judged: Graph = loosened(graph, references) if half else graph
        run = as_function(host_copy(modules[graph.name]), graph.inputs, graph.outputs)
        checks += compare_answers(judged, references, run)
    if not is_telling:
        report("the network gives nearly equal outputs for all samples (untrained?), so the check proves little")
    return tuple(checks), is_telling
