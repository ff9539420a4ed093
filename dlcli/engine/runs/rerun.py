"""`dl rerun`: train a run again from its stored description, and compare the two."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import FINISHED, RunDir
from dlcli.data.card import Card
from dlcli.engine.compute.device import open_device
from dlcli.engine.compute.distributed import world_of_environment
from dlcli.engine.request import TrainRequest, budgeted_of
from dlcli.engine.runs.checkpoint import read_checkpoint, weights_digest
from dlcli.engine.runs.environment import versions
from dlcli.engine.runs.restore import describe_run, precision_of, request_of, threads_of

TIMES = ("seconds", "items_per_s")
"""Values of an epoch that depend on the load of the machine."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of a run with its rerun.

    Attributes:
        epochs: the number of epochs in the rerun.
        differences: one line each, in epoch order; empty if the runs are identical.
        weights_sha256: SHA-256 of the rerun's final weights.
    """

    epochs: int
    differences: tuple[str, ...]
    weights_sha256: str


def rerun_request(run: RunDir, data: Path, command: str, name: str | None) -> TrainRequest:
    """Return the request that trains a run again.

    It has the run's options, seed, precision and number of threads; what was chosen by a timing is not chosen again.

    Raises:
        RunError: the run is damaged.
    """
    description = describe_run(run)
    request = request_of(description, run.config_file, data, command, name)
    threads = request.train.threads or threads_of(run)
    train = replace(request.train, precision=precision_of(run), threads=threads, profile=False)
    return replace(request, train=train, budgeted=budgeted_of(run))


def check_comparable(run: RunDir, request: TrainRequest) -> None:
    """Check that a rerun can reproduce the run.

    Raises:
        UsageError: the run is not finished, was ended by a time limit, or had another length in the end than at first.
    """
    info = run.info()
    status = info.get("status")
    if status != FINISHED:
        raise UsageError(
            f"{run.path} is {status}: there is no final result to compare",
            hint=f"resume it with `dl train --resume {run.reference}`",
        )
    if request.train.max_time is not None:
        raise UsageError(
            f"{run.path} was trained with --max-time, so the clock ended it", hint="train with --max-steps instead"
        )
    planned, scheduled = info.get("planned_steps"), info.get("scheduled_steps")  # older runs lack them
    if planned != scheduled and planned is not None and scheduled is not None:
        raise UsageError(
            f"{run.path} was planned for {planned} steps; its --budget or other processes changed that to {scheduled}",
            hint="train with --epochs instead",
        )


def surroundings_changed(run: RunDir, request: TrainRequest) -> list[str]:
    """Return how the environment differs from the run's: versions, device and number of processes, one line each."""
    info = run.info()
    before = info.get("versions")
    before = dict(before) if isinstance(before, Mapping) else {}
    device = open_device(request.train.device, threads=request.train.threads).describe()
    now = {**versions(), "device": device, "processes": world_of_environment().size}
    before |= {"device": info.get("device"), "processes": info.get("processes", 1)}
    return [f"{name}: {before.get(name)} then, {value} now" for name, value in now.items() if before.get(name) != value]


def compare_runs(run: RunDir, again: RunDir) -> Comparison:
    """Compare the data of two runs, the metrics of every epoch (except times) and the final weights.

    Raises:
        RunError: one of the runs is damaged.
    """
    records, other_records = read_metrics(run.metrics_file), read_metrics(again.metrics_file)
    digests = [weights_digest(read_checkpoint(one.last_checkpoint)) for one in (run, again)]
    differences = [*_data_differences(run, again), *_record_differences(records, other_records)]
    if digests[0] != digests[1]:
        differences.append(f"final weights: sha256 {digests[0][:12]} then, {digests[1][:12]} now")
    return Comparison(len(other_records), tuple(differences), digests[1])


def _data_differences(run: RunDir, again: RunDir) -> Iterator[str]:
    if not run.card_file.exists() or not again.card_file.exists():
        return
    # Read as cards, since older runs may have counted the same data under a made-up class.
    cards = [Card.from_json(one.read_json(one.card_file.name), str(one.card_file)).to_json() for one in (run, again)]
    before, now = cards
    for name in ("counts", "items", "details", "sources"):
        if before.get(name) != now.get(name):
            yield f"data card: different {name}"


def _record_differences(records: list[dict[str, Any]], others: list[dict[str, Any]]) -> Iterator[str]:
    for record, other in itertools.zip_longest(records, others):
        if record is None or other is None:
            yield f"epochs: {len(records)} then, {len(others)} now"
            return
        names = [name for name in dict.fromkeys([*record, *other]) if name not in TIMES]
        for name in names:
            if record.get(name) != other.get(name):
                yield f"epoch {record['epoch']}: {name} {record.get(name)} then, {other.get(name)} now"
