"""What a benchmark gives to a model: items of its data, or made-up ones of the right shapes where there are none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.answering.opening import CHECKPOINT, form_of, open_exported, refuse_whole_images
from dlcli.answering.ready import find_run
from dlcli.answering.run_data import data_if_there, data_of_file
from dlcli.core.description import Description, read_description
from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.registry import get_task, load_object
from dlcli.data.codec import LimitsRows, join_outputs

if TYPE_CHECKING:
    from dlcli.engine.task import Loader, Task

Row = Mapping[str, np.ndarray]
"""The inputs of one item by name, each with a batch axis of length 1."""

MAX_BATCHES = 8
"""Different batches of a size; calls take them in turns, so that texts of unequal lengths are all heard."""
MAX_BYTES = 2**26
"""Of all batches of a size, unless a single one has more."""
SPLITS = ("test", "valid", "train")


@dataclass(frozen=True)
class Inputs:
    """The items that a model is given.

    Attributes:
        rows: one or more.
        origin: a description of them, for people.
        most_rows: items that a call of the model takes; None for any number.
    """

    rows: Sequence[Row]
    origin: str
    most_rows: int | None = None

    def batches(self, size: int) -> list[dict[str, np.ndarray]]:
        """Return different batches of a size; the rows start over when they run out."""
        num_bytes = sum(array.nbytes for array in self.rows[0].values()) * size
        count = max(1, min(MAX_BATCHES, -(-len(self.rows) // size), MAX_BYTES // max(num_bytes, 1)))
        endless = itertools.cycle(self.rows)
        return [join_outputs(list(itertools.islice(endless, size))) for _ in range(count)]


def inputs_of(
    text: str, asked: str | None, count: int, *, inference: Any = None, report: Callable[[str], None]
) -> Inputs:
    """Return items for a run, a checkpoint or an exported file.

    Args:
        text: what names it.
        asked: the folder of prepared data; None for its own.
        count: the number of items, at most: those of the data start over.
        inference: the inference options of its task; None for their defaults.
        report: is called with why its data is not used.

    Raises:
        DataError: the folder that was named cannot be read, or does not fit.
        RunError: the model is missing or damaged.
        UsageError: the model takes other inputs than its task.
    """
    description, most_rows, names, find = _described(text, inference)
    try:
        data = find(asked)
        if data is not None:
            task = _task_of(description, text, data, inference)
            _check_inputs(text, task, names)
            return Inputs(_real_rows(task, count), f"items of {data}", most_rows)
    except DataError as error:
        if asked is not None:
            raise
        report(f"{text}: {error.message}")
    task = _task_of(description, text, None, inference)
    _check_inputs(text, task, names)
    return Inputs(_made_up_rows(task), "made-up inputs, for want of data", most_rows)


def _described(
    text: str, inference: Any
) -> tuple[Description, int | None, tuple[str, ...] | None, Callable[[str | None], Path | None]]:
    """Return a model's description, how many items a call takes, the names of its inputs, and what finds its data."""
    from dlcli.engine.runs.restore import describe_run

    path, form = Path(text), form_of(text)
    if form == CHECKPOINT:
        found = read_description(_content_of_weights(path), text)
        return found, None, None, lambda asked: data_of_file(path, found, asked)
    if form == "run":
        run = find_run(text)
        return describe_run(run), None, None, lambda asked: data_if_there(run.info(), asked)
    opened = open_exported(path, 1, inference)
    most = opened.codec.most_rows if isinstance(opened.codec, LimitsRows) else None
    described = opened.description or _of_network(path)
    refuse_whole_images(path, described)
    return described, most, opened.inputs, lambda asked: data_of_file(path, described, asked)


def _content_of_weights(path: Path) -> Mapping[str, Any]:
    """Return what a checkpoint, or a folder of weights, says of itself."""
    from dlcli.engine.runs.checkpoint import describe_checkpoint, read_checkpoint
    from dlcli.export.model_file import is_weights_folder
    from dlcli.export.weights_folder import read_config

    if is_weights_folder(path):
        return read_config(path)
    return describe_checkpoint(read_checkpoint(path), path)


def _of_network(path: Path) -> Description:
    """Return the description of an exported network with random weights: it has no options and no data."""
    from dlcli.export.folder import open_graphs

    metadata = open_graphs(path, threads=1).metadata
    model = metadata.get("model")
    if not isinstance(model, str):
        raise RunError(f"{path}: does not name its network", hint="export it with this version of dl")
    return Description(str(metadata["task"]), {}, {}, model, "", model)


def _task_of(description: Description, text: str, data: Path | None, inference: Any) -> Task:
    from dlcli.engine.runs.restore import blaming
    from dlcli.engine.task import TakesInference

    factory = load_object(get_task(description.task).task)
    with blaming(Path(text)):
        if not description.assets:
            task: Task = factory.from_network(description.model, {})
        else:
            config, train = description.configs(text)
            # A worker process takes longer to start than some batches take to read.
            task = factory.from_assets(config, replace(train, workers=0), description.assets, data)
        if inference is not None and isinstance(task, TakesInference):
            task.set_inference(inference)
    task.model.eval()
    return task


def _check_inputs(text: str, task: Task, names: tuple[str, ...] | None) -> None:
    if names is not None and set(names) != set(task.inputs):
        raise UsageError(
            f"{text}: takes {', '.join(names)}, and the prepared data gives {', '.join(task.inputs)}",
            hint="measure the run, or a file that takes the same",
        )


def _real_rows(task: Task, count: int) -> list[Row]:
    """Return items of the data, from places spread over a split.

    Raises:
        DataError: there are none.
    """
    for split in SPLITS:
        try:
            loader = task.loader(split)
        except DataError:
            continue
        rows = rows_of(loader, task.inputs, count)
        if rows:
            return rows
    raise DataError("its data has no item that can be read")


def rows_of(loader: Loader, names: Sequence[str], count: int) -> list[Row]:
    """Return at most `count` items of a loader, from batches that are evenly spaced, since they are sorted by length.

    Args:
        loader: its batches have the inputs.
        names: of the inputs.
        count: how many items.
    """
    from dlcli.engine.compute.device import to_numpy

    if not len(loader):
        return []
    starts = np.unique(np.linspace(0, len(loader) - 1, MAX_BATCHES).astype(int)).tolist()
    share = -(-count // len(starts))
    found = []
    for start in starts:
        batch = next(iter(loader.batches(0, start)), None)
        if batch is not None:
            found.append(_cut({name: to_numpy(batch[name]) for name in names}, share))
    mixed = itertools.chain.from_iterable(itertools.zip_longest(*found))
    return [row for row in mixed if row is not None][:count]


def _cut(arrays: Mapping[str, Any], count: int) -> list[Row]:
    most = min(len(array) for array in arrays.values())
    return [  # items of unequal shapes are a list
        {name: np.ascontiguousarray(np.asarray(array[row])[None]) for name, array in arrays.items()}
        for row in range(min(count, most))
    ]


def _made_up_rows(task: Task) -> list[Row]:
    """Return the items by which an export without data is proven."""
    graph = task.export_plan().graphs[0]
    return [row for sample in graph.samples for row in _cut(sample, len(next(iter(sample.values()))))]
