"""What RUN or FILE means to the commands that ask a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.cli.options import pick_target
from dlcli.core.errors import DataError, DlError, RunError
from dlcli.core.registry import TaskSpec, get_task, load_object
from dlcli.core.run_dir import resolve_run

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.codec import Codec

INFERENCE_HELP = "With a RUN before -h, the options of its task are shown too."

FEW_WORDS = 16
"""More words of options than these do not stand before a run."""

FILE_SUFFIXES = (".onnx", ".pt", ".pth", ".torchscript", ".ts")


class Predictor(Protocol):
    """A model as a function from arrays to arrays."""

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name for inputs by name, batch first."""
        ...


@dataclass(frozen=True)
class Opened:
    """A model that answers, whatever it was read from."""

    name: str
    codec: Codec
    predictor: Predictor


def inference_of_line(rest: Sequence[str]) -> tuple[type, ...]:
    """Return what the task of the run that a line asks can be told, as a dataclass of options; () where nothing.

    A line in error has none, and is answered when it runs.
    """

    def spec_of(word: str) -> TaskSpec | None:
        try:
            return get_task(resolve_run(word).entry("task"))
        except DlError:
            return None

    # The run stands before the inputs, of which there may be thousands.
    word = pick_target(rest[:FEW_WORDS], lambda word: spec_of(word) is not None)
    spec = spec_of(word) if word is not None else None
    return (load_object(spec.inference),) if spec is not None and spec.inference else ()


def open_model(text: str, *, device: str, threads: int | None, inference: Any = None) -> Opened:
    """Return the model of a run, a checkpoint, an ONNX or a TorchScript file.

    `inference` is what the user has told the run's task, in the dataclass that `inference_of_line` returned.

    Raises:
        RunError: there is no such run or file, or it is damaged.
        DeviceError: there is no such device.
    """
    path = Path(text)
    if path.is_file() or path.suffix in FILE_SUFFIXES:
        from dlcli.export.runtime import kind_of

        if not path.is_file():
            raise RunError(f"{text}: no such file", hint="`dl runs` lists the runs")
        kind = kind_of(path)
        if kind in ("onnx", "torchscript"):
            return _open_exported(path, threads)
        if kind != "checkpoint":
            raise RunError(f"{text}: neither a checkpoint nor an ONNX or TorchScript file")
    return _open_torch(text, path, device, threads, inference)


def _open_exported(path: Path, threads: int | None) -> Opened:
    from dlcli.export.runtime import open_model as open_exported

    model = open_exported(path, threads=threads)
    try:
        spec, assets = get_task(str(model.metadata["task"])), model.metadata["assets"]
    except (KeyError, TypeError):
        raise RunError(f"{path}: says nothing of its task", hint="export it with `dl export`") from None
    return Opened(path.name, load_object(spec.codec)(assets), model)


def _open_torch(text: str, path: Path, device_name: str, threads: int | None, inference: Any) -> Opened:
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.evaluate import RunPredictor
    from dlcli.engine.runs.restore import load_task, load_task_from_file
    from dlcli.engine.task import network_of

    device = open_device(device_name, threads=threads)
    if path.is_file():
        task, description = load_task_from_file(path, inference=inference)
    else:
        task, description = load_task(resolve_run(text), inference=inference)
    device.place(network_of(task))
    return Opened(description.run, load_object(description.spec.codec)(description.assets), RunPredictor(task, device))


def data_of_run(info: Mapping[str, Any], asked: str | None) -> Path:
    """Return the prepared data that a run is measured on: what the user names, else where it was trained.

    Raises:
        DataError: it is not there.
    """
    places = [Path(asked)] if asked else [Path(str(info.get("data", ""))), Path("data") / str(info.get("dataset"))]
    for place in places:
        if place.is_dir():
            return place
    raise DataError(
        f"{places[0]}: no prepared data there",
        hint=f"`dl prepare {info.get('dataset')} SOURCE`, or name a prepared folder with --data",
    )


def data_if_there(info: Mapping[str, Any], asked: str | None) -> Path | None:
    """Return the run's data, or None where the run stands alone (on another machine).

    Raises:
        DataError: the folder that the user named is not there.
    """
    if asked is not None and not Path(asked).is_dir():
        raise DataError(f"{asked}: no prepared data there")
    place = Path(asked or str(info.get("data", "")))
    return place if place.is_dir() else None
