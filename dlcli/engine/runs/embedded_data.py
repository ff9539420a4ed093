"""The embeddings of all items of prepared data by a run, numbered as the items are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.run_dir import RunDir
from dlcli.data.items import Embedded
from dlcli.engine.compute.device import Device
from dlcli.engine.embedding import embed
from dlcli.engine.runs.restore import load_task
from dlcli.engine.task import network_of

_WHOLE = {"folds": "2", "fold": 1, "splits": None, "group": None}
"""Options of the loop with which the parts of a run are cut from all items, so that `rows` number all of them."""


def embed_data(run: RunDir, data: Path, device: Device) -> Embedded:
    """Return the embeddings of all items of all splits, with their numbers in `dlcli.data.collection.Collection`.

    Those of unreadable items are missing.

    Raises:
        UsageError: the run's task has no embedding.
        RunError: the run is damaged, or it is that of a cross-validation.
        DataError: the data does not fit the run, or has no item.
    """
    task, _ = load_task(run, data=data, options=_WHOLE)
    device.place(network_of(task))
    loaders = [task.loader(split) for split in ("train", "valid", "test")]
    parts = [embed(task, loader, device, name=str(run.path)) for loader in loaders if loader.num_items]
    if not parts:
        raise DataError(f"{data}: no item to embed")
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    return Embedded(np.concatenate([part.vectors for part in parts])[order], rows[order], None)
