"""`dl benchmark RUN|FILE...`: how fast models answer, by runtime, batch size and threads."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import CHECKPOINT, EXPORT, form_of, task_of
from dlcli.answering.ready import find_run
from dlcli.answering.run_data import run_around
from dlcli.cli.inference import INFERENCE_HELP, inference_of_line, resolve_inference
from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import MAX_THREADS, option
from dlcli.core.console import Console, format_figure
from dlcli.core.cores import usable_cores
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.run_dir import EXPORTS_FILE

if TYPE_CHECKING:
    from dlcli.answering.benchmarking import Contender, Row

BATCH_SIZES = (1, 8, 32)
EAGER, ONNXRUNTIME, OPENVINO = "torch", "onnxruntime", "openvino"
MAX_SECONDS = 3600.0


@dataclass(frozen=True)
class BenchmarkOptions:
    """Options of `dl benchmark`."""

    batch_sizes: int | tuple[int, ...] | None = option(
        None, "items of a call, such as 1,8,32 (the default)", minimum=1, maximum=65_536, metavar="N[,N...]"
    )
    threads: int | tuple[int, ...] | None = option(
        None, "CPU threads, such as 1,2 (default: all cores)", minimum=1, maximum=MAX_THREADS, metavar="N[,N...]"
    )
    runtime: tuple[str, ...] = option(
        (), "measure only what this runtime computes: torch, onnxruntime, ... (repeatable)", metavar="NAME"
    )
    rounds: int = option(5, "turns that each row gets", minimum=1, maximum=1000)
    seconds: float = option(2.0, "seconds of each row, over all its turns", minimum=0.01, maximum=MAX_SECONDS)
    data: str | None = option(
        None, "prepared data that the inputs are taken from (default: the model's)", metavar="DIR"
    )
    device: str = option("cpu", "where runs and checkpoints compute: cpu, cuda, cuda:1 or mps", metavar="DEVICE")


def build(rest: list[str]) -> Any:
    """Return the command, with the inference options of the task that the line refers to."""
    inference = inference_of_line(rest, BenchmarkOptions)

    def run(values: Values) -> None:
        _benchmark(values, inference)

    return make_command(
        "benchmark",
        "Measure how fast runs and exported files answer, by runtime, batch size and threads.",
        run,
        arguments=[
            Argument("run", "runs, each with the files in its exports/; checkpoints; exported files", many=True)
        ],
        configs=[BenchmarkOptions, *inference],
        epilog=None if inference else INFERENCE_HELP,
    )


def _benchmark(values: Values, inference: Sequence[type]) -> None:
    console, options = values.console(), values.resolve(BenchmarkOptions)
    sizes, threads = _numbers(options.batch_sizes, BATCH_SIZES), _numbers(options.threads, (usable_cores(),))
    texts = list(dict.fromkeys(values.arguments["run"]))
    found = _pick(options.runtime, [each for text in texts for each in _models_of(text, options.device)])
    typed = resolve_inference(values, inference, task_of(texts[0])) if inference else None
    from dlcli.answering.benchmarking import measure

    load = _load()
    with tempfile.TemporaryDirectory(prefix="dl-benchmark-") as folder:
        contenders, origins = _contenders(found, Path(folder), sizes, options, typed, console)
        rows = measure(
            contenders, threads, rounds=options.rounds, seconds=options.seconds, report=console.say, warn=console.warn
        )
    machine = {**_machine(), "load": load}
    if load is not None and load > usable_cores():
        console.warn(
            f"other work ran beside it (load {load:.1f} on {usable_cores()} cores): trust the ratios, not the times"
        )
    for text, origin in dict.fromkeys(zip((each.model for each in contenders), origins, strict=True)):
        console.say(f"{text}: {origin}")
    if console.is_json:
        more = {"rounds": options.rounds, "seconds": options.seconds, "machine": machine}
        entries = [{**row.to_json(), "inputs": _origin(row, contenders, origins)} for row in rows]
        console.answer_json("benchmark", {**more, "rows": entries})
    else:
        console.table(*_table(rows, has_several=len(contenders) > 1))
        console.say(
            f"{machine['processor']}, {machine['cores']} cores; {options.rounds} rounds, {options.seconds:g} s a row"
        )
    _store(rows, machine, console)


def _numbers(value: int | tuple[int, ...] | None, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of an option in rising order, each once."""
    given = default if value is None else value if isinstance(value, tuple) else (value,)
    return tuple(sorted(set(given)))


@dataclass(frozen=True)
class _Model:
    """One model in one runtime: its name for people, what opens it, and where it computes."""

    name: str
    text: str
    runtime: str
    device: str


def _models_of(text: str, device: str) -> list[_Model]:
    """Return what is measured of a word: a file in its runtimes; a run in torch, and its exported files.

    Raises:
        RunError: there is no such run or file, or it has no single model.
    """
    form = form_of(text)
    if form == EXPORT:
        return _models_of_export(Path(text))
    if form == CHECKPOINT:
        return [_Model(text, text, EAGER, device)]
    run = find_run(text)
    if run.holds_folds:
        from dlcli.engine.runs.restore import describe_run

        describe_run(run)  # says which runs to name
    exports = [path for path in sorted(run.exports.glob("*")) if _is_model(path)]
    return [
        _Model(run.name, str(run.path), EAGER, device),
        *(each for path in exports for each in _models_of_export(path)),
    ]


def _is_model(path: Path) -> bool:
    from dlcli.export.model_file import CHECKPOINT as CHECKPOINT_KIND
    from dlcli.export.model_file import is_graph_folder, kind_of

    return is_graph_folder(path) or kind_of(path) not in (None, CHECKPOINT_KIND)


def _models_of_export(path: Path) -> list[_Model]:
    from dlcli.export.folder import read_folder_metadata
    from dlcli.export.model_file import ONNX, is_graph_folder, kind_of
    from dlcli.export.openvino import is_installed

    is_folder = is_graph_folder(path)
    kind = str(read_folder_metadata(path).get("format")) if is_folder else str(kind_of(path))
    names = [ONNXRUNTIME if kind == ONNX else kind]
    if kind == ONNX and not is_folder and is_installed():
        names.append(OPENVINO)
    return [_Model(path.name, str(path), name, "cpu") for name in names]


def _pick(runtimes: Sequence[str], models: Sequence[_Model]) -> list[_Model]:
    """Return the models in these runtimes, by default in all.

    Raises:
        UsageError: none of the models is computed by a runtime.
    """
    known = list(dict.fromkeys(model.runtime for model in models))
    for name in runtimes:
        if name not in known:
            missing = "; OpenVINO is not installed" if name == OPENVINO else ""
            raise UsageError(
                f"--runtime {name}: no model here is computed by it{missing}", hint=did_you_mean(name, known)
            )
    return [model for model in models if not runtimes or model.runtime in runtimes]


def _contenders(
    models: Sequence[_Model],
    folder: Path,
    sizes: Sequence[int],
    options: BenchmarkOptions,
    inference: Any,
    console: Console,
) -> tuple[list[Contender], list[str]]:
    """Return the models with the files of their inputs, and where the inputs of each come from."""
    from dlcli.answering.benchmark_inputs import MAX_BATCHES, inputs_of
    from dlcli.answering.benchmarking import Contender
    from dlcli.answering.timing_worker import write_batches

    task = task_of(models[0].text)
    contenders, origins = [], []
    known: dict[str, tuple[Path, tuple[int, ...], str]] = {}
    for model in models:
        own = inference if task_of(model.text) == task else None
        if model.text not in known:
            inputs = inputs_of(model.text, options.data, MAX_BATCHES * max(sizes), inference=own, report=console.warn)
            taken = tuple(size for size in sizes if inputs.most_rows is None or size <= inputs.most_rows)
            if len(taken) < len(sizes):
                taken = taken or (1,)
                console.warn(f"{model.name}: takes {inputs.most_rows} item a call, so only that is measured")
            place = folder / str(len(known))
            place.mkdir()
            for size in taken:
                write_batches(place, size, inputs.batches(size))
            known[model.text] = place, taken, inputs.origin
        place, taken, origin = known[model.text]
        is_extra = model.runtime == OPENVINO and OPENVINO not in options.runtime
        contenders.append(Contender(model.name, model.text, model.runtime, place, taken, model.device, own, is_extra))
        origins.append(origin)
    return contenders, origins


def _origin(row: Row, contenders: Sequence[Contender], origins: Sequence[str]) -> str:
    return origins[list(contenders).index(row.contender)]


def _table(rows: Sequence[Row], *, has_several: bool) -> tuple[list[str], list[list[object]]]:
    columns = ["model", "runtime", "threads", "batch", "median ms", "p95 ms", "items/s", "memory MB", "speed"]
    lines: list[list[object]] = [
        [
            row.contender.name,
            row.contender.runtime,
            row.threads,
            row.batch_size,
            format_figure(row.latency.median_ms),
            format_figure(row.latency.p95_ms),
            f"{row.latency.items_per_second:,.0f}",
            "" if row.memory_mb is None else f"{row.memory_mb:,.0f}",
            "" if row.ratio is None else f"{row.ratio:.2f}x",
        ]
        for row in rows
    ]
    return (columns, lines) if has_several else (columns[:-1], [line[:-1] for line in lines])


def _load() -> float | None:
    """Return how many processes want to compute, a mean over the last minute; None where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # there is none on Windows
        return None


def _machine() -> dict[str, Any]:
    return {"processor": processor(), "cores": usable_cores(), "system": f"{platform.system()} {platform.machine()}"}


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _store(rows: Sequence[Row], machine: Mapping[str, Any], console: Console) -> None:
    """Note the latency of files in a run's exports/ there, for `dl report`."""
    for text in dict.fromkeys(row.contender.model for row in rows):
        path, own = Path(text), [row for row in rows if row.contender.model == text]
        run = run_around(path) if form_of(text) == EXPORT else None
        if run is not None and path.parent.name == run.exports.name:
            _note(run.exports / EXPORTS_FILE, path.name, own, machine, console)


def _note(file: Path, name: str, rows: Sequence[Row], machine: Mapping[str, Any], console: Console) -> None:
    """Add the latency to the record of an exported file; the single figure is that of the smallest batch."""
    from dlcli.core.files import parse_json, write_json

    try:
        known = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    record = known.get(name)
    record = record if isinstance(record, dict) else {"path": name}
    row = min(rows, key=lambda row: (row.contender.runtime == OPENVINO, row.batch_size, -row.threads))
    machine_of = {"machine": dict(machine)}
    entries = [{name: value for name, value in (row.to_json() | machine_of).items() if name != "path"} for row in rows]
    shown = {
        "latency_ms": round(row.latency.median_ms, 4),
        "latency_at": {"batch_size": row.batch_size, "threads": row.threads, "runtime": row.contender.runtime},
        "latency": entries,
    }
    try:
        write_json(file, {**known, name: {**record, **shown}})
    except OSError as error:  # the figures are the answer
        console.warn(f"{file} cannot be written ({error.strerror or error}): the latency is not stored")
