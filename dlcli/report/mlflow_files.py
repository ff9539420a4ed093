"""Runs in MLflow's file layout: plain text files, so nothing of MLflow is needed to write them.

    mlruns/<experiment>/meta.yaml
    mlruns/<experiment>/<run>/meta.yaml, params/NAME, tags/NAME, metrics/NAME

A file of `metrics` has a line an epoch, "milliseconds value step". MLflow 3.17 reads them with MLFLOW_ALLOW_FILE_STORE
set, and its `migrate-filestore` moves them to a database. Source: the file store of MLflow 3.17.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

from dlcli.core.errors import DlError, UsageError
from dlcli.core.files import hidden_beside, write_text
from dlcli.core.records import is_number, read_metrics
from dlcli.core.run_dir import DIVERGED, FAILED, FINISHED, INTERRUPTED, RunDir

EXPERIMENT = "dl"
MAX_PARAM = 6000
"""Characters of a parameter that MLflow accepts."""
STATES = {FINISHED: 3, FAILED: 4, DIVERGED: 4, INTERRUPTED: 5}
"""MLflow's numbers of FINISHED, FAILED and KILLED; 1 is RUNNING."""


def write_mlflow(runs: Sequence[tuple[RunDir, Mapping[str, Any]]], folder: Path) -> int:
    """Write runs as one experiment of MLflow, in place of the same runs written before, and return their number.

    Args:
        runs: each with its `run.json`.
        folder: MLflow's, such as `mlruns`; it may hold other experiments.

    Raises:
        UsageError: the folder is something else.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not any(folder.glob("*/meta.yaml")))):
        raise UsageError(f"--out {folder}: exists, and is no folder of MLflow", hint="name another folder")
    number = str(int(hashlib.sha256(EXPERIMENT.encode()).hexdigest()[:15], 16))
    experiment = folder / number
    now = _milliseconds(datetime.now(UTC).isoformat())
    facts = {
        "artifact_location": experiment.resolve().as_uri(),
        "creation_time": now,
        "experiment_id": number,
        "last_update_time": now,
        "lifecycle_stage": "active",
        "name": EXPERIMENT,
    }
    write_text(experiment / "meta.yaml", _yaml(facts))
    for run, info in runs:
        _write_run(run, info, experiment)
    return len(runs)


def _write_run(run: RunDir, info: Mapping[str, Any], experiment: Path) -> None:
    """Write one run under an identifier that depends on its name and start alone."""
    started = str(info.get("started") or "")
    identifier = hashlib.sha256(f"{run.name}\n{started}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    place = experiment / identifier
    draft = hidden_beside(place, "partial")
    shutil.rmtree(draft, ignore_errors=True)
    begin = _milliseconds(started)
    try:
        for name in ("artifacts", "params", "tags", "metrics"):
            (draft / name).mkdir(parents=True)
        facts: dict[str, Any] = {
            "artifact_uri": run.path.resolve().as_uri(),
            "end_time": _milliseconds(str(info.get("finished") or "")) or None,
            "entry_point_name": "",
            "experiment_id": experiment.name,
            "lifecycle_stage": "active",
            "run_id": identifier,
            "run_name": run.name,
            "run_uuid": identifier,
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "start_time": begin,
            "status": STATES.get(str(info.get("status")), 1),
            "tags": [],
            "user_id": "",
        }
        (draft / "meta.yaml").write_text(_yaml(facts), encoding="utf-8")
        for name, value in _params(run, info).items():
            (draft / "params" / _file_name(name)).write_text(_text(value)[:MAX_PARAM], encoding="utf-8")
        tags = {
            "mlflow.runName": run.name,
            **{name: info.get(name) for name in ("task", "dataset", "command", "device")},
        }
        for name, value in tags.items():
            (draft / "tags" / _file_name(name)).write_text(_text(value), encoding="utf-8")
        for name, lines in _metric_lines(run, begin).items():
            (draft / "metrics" / _file_name(name)).write_text("".join(lines), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _params(run: RunDir, info: Mapping[str, Any]) -> dict[str, Any]:
    try:
        config = run.config()
    except DlError:
        config = {}
    return {**config, **{name: info[name] for name in ("parameters", "seed") if info.get(name) is not None}}


def _metric_lines(run: RunDir, begin: int) -> dict[str, list[str]]:
    """Return the lines of each metric: those of the epochs, and of the test split under `test_<name>`."""
    found: dict[str, list[str]] = {}
    at = float(begin)
    try:
        records = read_metrics(run.metrics_file)
    except DlError:
        records = []
    for record in records:
        seconds = record.get("seconds")
        at += 1000 * float(seconds or 0) if _is_finite(seconds) else 0
        for name, value in record.items():
            if name != "epoch" and _is_finite(value):
                found.setdefault(name, []).append(f"{int(at)} {value!r} {record['epoch']}\n")
    try:
        metrics = run.read_json("eval/test.json")["metrics"]
        items = list(metrics.items())
    except (DlError, KeyError, TypeError, AttributeError):
        items = []
    last = records[-1]["epoch"] if records else 0
    for name, value in items:
        if _is_finite(value):
            found[f"test_{name}"] = [f"{int(at)} {value!r} {last}\n"]
    return found


def _is_finite(value: object) -> TypeGuard[float]:
    return is_number(value) and math.isfinite(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def _file_name(name: str) -> str:
    """Return a name as MLflow accepts it; it is one part of a path, and hides nothing."""
    return re.sub(r"[^\w. -]", "_", name, flags=re.ASCII).strip(". ")[:200] or "_"


def _milliseconds(text: str) -> int:
    """Return a time, ISO 8601, in milliseconds since 1970; 0 for what is none."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0


def _yaml(facts: Mapping[str, Any]) -> str:
    """Return flat facts as YAML, of which JSON's values are a part."""
    lines = []
    for name, value in facts.items():
        quoted = f"'{value}'" if name == "experiment_id" else json.dumps(value, ensure_ascii=True)
        lines.append(f"{name}: {quoted}\n")
    return "".join(lines)
