"""Opening a RUN or FILE for whatever uses a trained model; exported ONNX models without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.answering.ready import find_run, open_ready
from dlcli.core.errors import DlError, RunError, UsageError
from dlcli.core.installing import UPGRADE
from dlcli.core.networks import find_owner
from dlcli.core.registry import TaskSpec, get_task, load_object
from dlcli.core.run_dir import resolve_run

if TYPE_CHECKING:
    import numpy as np

    from dlcli.core.description import Description
    from dlcli.data.codec import Codec

FILE_SUFFIXES = (".onnx", ".pt", ".pth", ".torchscript", ".ts", ".pt2")

RUN, CHECKPOINT, EXPORT = "run", "checkpoint", "export"
"""The forms of a trained model."""


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
    """A model ready to predict, regardless of the kind of file it was read from.

    Attributes:
        name: of its run or file.
        codec: its torch-free ends.
        predictor: what computes.
        description: of the run; None for an exported file without one (random weights, or of an older dl).
        inputs: the names of the graph's inputs; None if a search combines several graphs, or a run computes.
    """

    name: str
    codec: Codec
    predictor: Predictor
    description: Description | None = None
    inputs: tuple[str, ...] | None = None


def task_of(text: str, pretrained: str | None = None) -> TaskSpec | None:
    """Return the task of a run, checkpoint, exported file or folder without opening its model; None if it has none.

    With `pretrained`, that of a network.
    """
    if pretrained is not None:
        return find_owner(text)
    path = Path(text)
    try:
        from dlcli.export.model_file import is_graph_folder, is_weights_folder

        if not path.is_file() and not is_graph_folder(path) and not is_weights_folder(path):
            return get_task(resolve_run(text).entry("task"))
        from dlcli.export.peek import task_name_of

        name = task_name_of(path)
        return get_task(name) if name is not None else None
    except (DlError, OSError, ValueError):  # ValueError: a NUL in a name
        return None


def open_model(
    text: str,
    *,
    device: str,
    threads: int | None,
    inference: Any = None,
    pretrained: str | None = None,
    embeds: bool = False,
    local_rank: int = 0,
    report: Callable[[str], None],
) -> Opened:
    """Return the model of a run, a checkpoint, an exported file or folder, or a ready network.

    Args:
        text: what names it.
        device, threads: where it computes.
        inference: the inference options, in the dataclass that the task's spec names; None for their defaults.
        pretrained: "default" or a file: `text` is a network's name, with these weights; None for anything else.
        embeds: whether its answers must have the `embedding` of each item.
        local_rank: the number of this process on its machine, and of its accelerator.
        report: is called with what was assumed about such weights.

    Raises:
        RunError: there is no such run or file, or it is damaged.
        UsageError: the exported file lacks an output that an inference option or `embeds` needs, or is to compute on
            another device than the CPU; the task has no embedding; there is no such network.
        DataError: the published weights are not there.
        DeviceError: there is no such device.
    """
    path = Path(text)
    if pretrained is None and form_of(text) == EXPORT:
        return open_exported(path, threads, inference, device=device, embeds=embeds)
    return _open_torch(text, path, device, threads, inference, pretrained, report, embeds=embeds, local_rank=local_rank)


def form_of(text: str) -> str:
    """Return whether a word names exported graphs, weights (a checkpoint or a folder), or else a run.

    Raises:
        RunError: the file does not exist, or is no model.
    """
    from dlcli.export.model_file import is_graph_folder, is_weights_folder

    path = Path(text)
    try:
        is_file = path.is_file()
        if is_graph_folder(path):
            return EXPORT
        if is_weights_folder(path):
            return CHECKPOINT
    except (OSError, ValueError):  # too long for a file name, or it contains a NUL
        return RUN
    if not is_file and path.suffix not in FILE_SUFFIXES:
        return RUN
    from dlcli.export.model_file import kind_of

    if not is_file:
        raise RunError(f"{text}: no such file", hint="check the path; `dl export RUN` writes a model file")
    kind = kind_of(path)
    if kind is None:
        raise RunError(
            f"{text}: neither a checkpoint nor a file that `dl export` wrote",
            hint="name a run, a checkpoint in it or a file that `dl export` wrote",
        )
    return CHECKPOINT if kind == CHECKPOINT else EXPORT


def refuse_whole_images(path: Path, description: Description) -> None:
    """Refuse a file that fits images itself where it would be given the fitted ones of prepared data.

    Raises:
        UsageError: it is such a file.
    """
    from dlcli.data.images.whole import takes_whole_images

    if takes_whole_images(description.assets):
        raise UsageError(
            f"{path}: fits images itself, and prepared data gives fitted ones",
            hint="name the run, or a file that was exported without --embed-preprocess",
        )


def open_exported(
    path: Path, threads: int | None, inference: Any = None, *, device: str = "auto", embeds: bool = False
) -> Opened:
    """Return the model of an exported file or folder; see `open_model`."""
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"--device {device}: an exported file computes on the CPU", hint="name its run, or leave --device out"
        )
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
    predictor = _as_predictor(path, spec, exported.graphs, inference)
    inputs = None if spec.search else next(iter(exported.graphs.values())).inputs
    return Opened(path.name, codec, predictor, exported.description(str(path)), inputs)


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
        raise RunError(f"{path}: has several graphs, which {spec.name} cannot combine", hint=UPGRADE)
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
    local_rank: int,
) -> Opened:
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.embedding import EmbeddingPredictor
    from dlcli.engine.evaluate import RunPredictor
    from dlcli.engine.runs.restore import load_task, load_task_from_file
    from dlcli.engine.task import network_of
    from dlcli.export.model_file import is_weights_folder

    device = open_device(device_name, threads=threads, local_rank=local_rank)
    if pretrained is not None:
        task, description = open_ready(text, pretrained, report=report, inference=inference)
    elif path.is_file() or is_weights_folder(path):
        task, description = load_task_from_file(path, inference=inference)
    else:
        task, description = load_task(find_run(text), inference=inference)
    device.place(network_of(task))
    codec = load_object(description.spec.codec)(description.assets, inference)
    if embeds:
        return Opened(description.run, codec, EmbeddingPredictor(task, device, name=description.run), description)
    return Opened(description.run, codec, RunPredictor(task, device), description)
