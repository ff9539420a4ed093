"""Opening a RUN or FILE for the commands that use a trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.cli.options import Common, Compute, Values
from dlcli.cli.ready import Ready, find_run, open_ready, pretrained_of_line
from dlcli.cli.words import pick_target
from dlcli.core.config import fields_of
from dlcli.core.errors import DataError, DlError, RunError, UsageError
from dlcli.core.files import finite, is_folder
from dlcli.core.networks import find_owner
from dlcli.core.registry import TASKS, TaskSpec, find_dataset, get_task, how_to_prepare, load_object
from dlcli.core.run_dir import resolve_run
from dlcli.core.wording import brief

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.codec import Answer, Codec, Encoded, Record, Source

INFERENCE_HELP = "Put a RUN before -h to see the options of its task too."

FEW_WORDS = 16
"""Words of a line among which a run is searched: no line has more words of options before it."""

MAX_ENCODED_BYTES = 1 << 28
"""Bytes of encoded inputs from which on they are answered before others are encoded."""

MAX_ROWS = 16
"""Rows of a batch that are run at once where an item has several."""

FILE_SUFFIXES = (".onnx", ".pt", ".pth", ".torchscript", ".ts")


class Predictor(Protocol):
    """A model as a function from arrays to arrays."""

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name for inputs by name, all with the batch as first axis."""
        ...


@dataclass(frozen=True)
class SearchPredictor:
    """Several graphs combined by the search function of their task. See `Predictor` and `TaskSpec.search`."""

    search: Callable[[Mapping[str, Any], Mapping[str, np.ndarray], Any], Mapping[str, np.ndarray]]
    graphs: Mapping[str, Predictor]
    inference: Any

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name. See `Predictor.run`."""
        graphs = {name: graph.run for name, graph in self.graphs.items()}
        return dict(self.search(graphs, arrays, self.inference))


@dataclass(frozen=True)
class Opened:
    """A model ready to predict, regardless of the kind of file it was read from."""

    name: str
    codec: Codec
    predictor: Predictor


def task_of(text: str, pretrained: str | None = None) -> TaskSpec | None:
    """Return the task of a run, checkpoint, exported file or folder without opening its model; None if it has none.

    With `pretrained`, that of a network.
    """
    if pretrained is not None:
        return find_owner(text)
    path = Path(text)
    try:
        from dlcli.export.model_file import is_graph_folder

        if not path.is_file() and not is_graph_folder(path):
            return get_task(resolve_run(text).entry("task"))
        from dlcli.export.peek import task_name_of

        name = task_name_of(path)
        return get_task(name) if name is not None else None
    except (DlError, OSError, ValueError):  # ValueError: a NUL in a name
        return None


def inference_of_line(rest: Sequence[str], *configs: type) -> tuple[type, ...]:
    """Return the inference options of the run or file that a line names, as dataclasses of options.

    If it cannot be found, return those of all built-in tasks, so that the error reports the missing run and not an
    unknown option; for a line without a name, return ().

    Args:
        rest: the words after the command, or after the picture.
        configs: the command's own options.
    """
    pretrained = pretrained_of_line(rest)
    word = run_of_line(rest, lambda word: task_of(word, pretrained) is not None, *configs)
    if word is None:
        return ()
    spec = task_of(word, pretrained)
    return _inference_classes(TASKS.values() if spec is None else [spec])


def run_of_line(rest: Sequence[str], known: Callable[[str], bool], *configs: type) -> str | None:
    """Return the word of a line that names the run or file; see `pick_target`."""
    options = [*configs, Common, Compute, Ready, *_inference_classes(TASKS.values())]
    # The run comes before the inputs, of which there may be thousands.
    return pick_target(rest[:FEW_WORDS], known, options)


def _inference_classes(specs: Iterable[TaskSpec]) -> tuple[type, ...]:
    return tuple(load_object(name) for name in dict.fromkeys(spec.inference for spec in specs) if name)


def resolve_inference(values: Values, classes: Sequence[type], spec: TaskSpec | None) -> Any:
    """Return the typed options as the task's dataclass of inference options; None if it has none.

    Args:
        values: what was typed.
        classes: the dataclasses whose options the line may have.
        spec: the task; None if it is unknown.

    Raises:
        UsageError: an option of another task was typed.
    """
    own = load_object(spec.inference) if spec is not None and spec.inference else None
    if spec is None:
        return None
    known = {info.name for info in fields_of(own)} if own is not None else set()
    for info in (info for options_class in classes for info in fields_of(options_class)):
        if info.name in values.given and info.name not in known:
            raise UsageError(
                f"--{info.flag}: not an option of the task {spec.name}", hint="name the run or file before its options"
            )
    return values.resolve(own) if own is not None else None


def open_model(
    text: str,
    *,
    device: str,
    threads: int | None,
    inference: Any = None,
    pretrained: str | None = None,
    embeds: bool = False,
    report: Callable[[str], None],
) -> Opened:
    """Return the model of a run, a checkpoint, an ONNX or TorchScript file, a folder of several, or a ready network.

    Args:
        text: what names it.
        device, threads: where it computes.
        inference: the inference options, in the dataclass that the task's spec names; None for their defaults.
        pretrained: "default" or a file: `text` is a network's name, with these weights; None for anything else.
        embeds: whether its answers must have the `embedding` of each item.
        report: is called with what was assumed about such weights.

    Raises:
        RunError: there is no such run or file, or it is damaged.
        UsageError: the exported file lacks an output that an inference option or `embeds` needs; the task has no
            embedding; there is no such network.
        DataError: the published weights are not there.
        DeviceError: there is no such device.
    """
    path = Path(text)
    if pretrained is not None:
        return _open_torch(text, path, device, threads, inference, pretrained, report, embeds=embeds)
    from dlcli.export.model_file import is_graph_folder

    if is_graph_folder(path):
        return _open_exported(path, threads, inference, embeds=embeds)
    if path.is_file() or path.suffix in FILE_SUFFIXES:
        from dlcli.export.runtime import kind_of

        if not path.is_file():
            raise RunError(f"{text}: no such file", hint="`dl runs` lists the runs")
        kind = kind_of(path)
        if kind in ("onnx", "torchscript"):
            return _open_exported(path, threads, inference, embeds=embeds)
        if kind != "checkpoint":
            raise RunError(f"{text}: neither a checkpoint nor an ONNX or TorchScript file")
    return _open_torch(text, path, device, threads, inference, None, report, embeds=embeds)


def _open_exported(path: Path, threads: int | None, inference: Any, *, embeds: bool) -> Opened:
    from dlcli.data.codec import EMBEDDING, NeedsOutputs
    from dlcli.export.folder import open_graphs

    exported = open_graphs(path, threads=threads)
    try:
        spec, assets = get_task(str(exported.metadata["task"])), exported.metadata["assets"]
    except (KeyError, TypeError):
        raise RunError(f"{path}: does not name its task", hint="export it with `dl export`") from None
    codec = load_object(spec.codec)(assets, inference)
    needs = dict(codec.needs) if isinstance(codec, NeedsOutputs) and not spec.search else {}
    needs |= {"embed": EMBEDDING} if embeds else {}
    outputs = {name for graph in exported.graphs.values() for name in graph.outputs}
    for flag, output in needs.items():
        if output not in outputs:
            raise UsageError(
                f"--{flag}: {path} was exported without it", hint=f"`dl export RUN --{flag}`, or name the run itself"
            )
    return Opened(path.name, codec, _as_predictor(path, spec, exported.graphs, inference))


def _as_predictor(path: Path, spec: TaskSpec, graphs: Mapping[str, Predictor], inference: Any) -> Predictor:
    """Return the graphs of an exported model as one predictor, combined by the search function of its task.

    Raises:
        RunError: there are several graphs, but the task has no search function.
    """
    if spec.search:
        if inference is None and spec.inference:
            inference = load_object(spec.inference)()
        return SearchPredictor(load_object(spec.search), graphs, inference)
    first, *others = graphs.values()
    if others:
        raise RunError(f"{path}: has several graphs, which {spec.name} cannot combine", hint="upgrade dlcli")
    return first


def _open_torch(
    text: str,
    path: Path,
    device_name: str,
    threads: int | None,
    inference: Any,
    pretrained: str | None,
    report: Callable[[str], None],
    *,
    embeds: bool,
) -> Opened:
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.embedding import EmbeddingPredictor
    from dlcli.engine.evaluate import RunPredictor
    from dlcli.engine.runs.restore import load_task, load_task_from_file
    from dlcli.engine.task import network_of

    device = open_device(device_name, threads=threads)
    if pretrained is not None:
        task, description = open_ready(text, pretrained, report=report, inference=inference)
    elif path.is_file():
        task, description = load_task_from_file(path, inference=inference)
    else:
        task, description = load_task(find_run(text), inference=inference)
    device.place(network_of(task))
    codec = load_object(description.spec.codec)(description.assets, inference)
    if embeds:
        return Opened(description.run, codec, EmbeddingPredictor(task, device, name=description.run))
    return Opened(description.run, codec, RunPredictor(task, device))


def answer(opened: Opened, sources: Sequence[Source]) -> Iterator[tuple[Source, Answer]]:
    """Yield each source with its answer, in order; the record of an unreadable source has an `error` instead.

    They are answered together, up to `MAX_ENCODED_BYTES`; the codec decides which of them form a batch.
    """
    waiting: list[Encoded] = []
    held = 0
    for source in sources:
        item = opened.codec.encode(source)
        waiting.append(item)
        held += sum(array.nbytes for array in (item.arrays or {}).values())
        if held >= MAX_ENCODED_BYTES:
            yield from _answer_together(opened, waiting)
            waiting, held = [], 0
    yield from _answer_together(opened, waiting)


def _answer_together(opened: Opened, encoded: Sequence[Encoded]) -> Iterator[tuple[Source, Answer]]:
    from dlcli.data.codec import EMBEDDING, Answer

    good = [item for item in encoded if item.arrays is not None]
    found: dict[int, Answer] = {}
    for indices, arrays in opened.codec.batches(good):
        items = [good[index] for index in indices]
        outputs = _run(opened.predictor, arrays, len(items))
        answers = opened.codec.decode(outputs, items)
        if EMBEDDING in outputs:
            pairs = zip(answers, outputs[EMBEDDING], strict=True)
            answers = [replace(each, embedding=vector) for each, vector in pairs]
        found |= zip(indices, answers, strict=True)
    in_order = iter([found[index] for index in range(len(good))])
    for item in encoded:
        given = next(in_order) if item.arrays is not None else Answer({"error": brief(str(item.error))})
        yield item.source, replace(given, record=_with_given(given.record, item.kept))


def _run(predictor: Predictor, arrays: Mapping[str, np.ndarray], num_items: int) -> Mapping[str, np.ndarray]:
    """Return a model's outputs for a batch, which is run in parts if it has many more rows than items."""
    num_rows = max((len(array) for array in arrays.values()), default=0)
    size = max(num_items, MAX_ROWS)
    if num_rows <= size:
        return predictor.run(arrays)
    from dlcli.data.codec import join_outputs

    starts = range(0, num_rows, size)
    return join_outputs(
        [predictor.run({name: array[start : start + size] for name, array in arrays.items()}) for start in starts]
    )


def _with_given(record: Record, kept: Mapping[str, Any]) -> Record:
    """Return a record with the other fields of its input before its own.

    A field of the input that is called as one of the record's, such as the true `label`, becomes `given_label`; what
    JSON cannot represent becomes null.
    """
    own = {"input", "error", *record}
    return {**{f"given_{name}" if name in own else name: value for name, value in finite(kept).items()}, **record}


def data_of_run(info: Mapping[str, Any], asked: str | None) -> Path:
    """Return the prepared data to evaluate a run on: the folder that the user named, else the run's own.

    Raises:
        DataError: it does not exist.
    """
    name = str(info.get("dataset"))
    places = [Path(asked)] if asked else [Path(str(info.get("data", ""))), Path("data") / name]
    for place in places:
        if is_folder(place):
            return place
    again = how_to_prepare(name, "DATASET")
    raise DataError(
        f"{places[0]}: no prepared data there",
        hint=f"name a prepared folder with --data{f', or {again}' if find_dataset(name) else ''}",
    )


def data_if_there(info: Mapping[str, Any], asked: str | None) -> Path | None:
    """Return the prepared data for a run, or None if it does not exist (as on another machine).

    Raises:
        DataError: the folder that the user named does not exist.
    """
    if asked is not None and not is_folder(Path(asked)):
        raise DataError(f"{asked}: no prepared data there")
    place = Path(asked or str(info.get("data", "")))
    return place if is_folder(place) else None
