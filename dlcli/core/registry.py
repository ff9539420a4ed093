"""What there is: the tasks and datasets by name, without importing any of their code.

Third parties add theirs through the entry-point groups `dlcli.tasks` and `dlcli.datasets`; an entry point loads a
`TaskSpec` or `DatasetSpec`. One that fails to load is reported by `broken_plugins` and harms nothing else.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dlcli.core.errors import RunError, UsageError, did_you_mean


@dataclass(frozen=True)
class TaskSpec:
    """A task, as the command line lists it. Every string but name, summary and the form is "module:Object".

    Attributes:
        name: what the user types.
        summary: one line for the lists.
        form: the prepared form it reads.
        default_dataset: the dataset that `dl train NAME` uses.
        config: the dataclass of the task's options (torch-free).
        recipe: a function (dataset name, options the user gave) -> defaults that suit them (torch-free).
        task: the class that holds the maths; see `dlcli.engine.task.Task`.
        codec: the class that turns raw inputs into arrays and arrays into records, without torch; see
            `dlcli.data.codec.Codec`.
        networks: a mapping from model names to `dlcli.core.registry.Network` (torch-free).
        inference: the dataclass of what `dl eval` and `dl predict` can be told about this task (torch-free), which
            goes to the task's `set_inference`; "" where there is nothing to tell.
        sizes: a function (config) -> `Size`s that `--budget` chooses from (torch-free); "" where there is one size.
    """

    name: str
    summary: str
    form: str
    default_dataset: str
    config: str
    recipe: str
    task: str
    codec: str
    networks: str
    inference: str = ""
    sizes: str = ""


@dataclass(frozen=True)
class Size:
    """A size of a task's network, for a training that is to take a given time.

    Attributes:
        config: the task's options with this size in them.
        label: the size in words.
        worthwhile_epochs: from so many epochs on this size gets further than the smaller ones in the same time.
        max_epochs: more than these gain nothing.
    """

    config: Any
    label: str
    worthwhile_epochs: float
    max_epochs: int


@dataclass(frozen=True)
class DatasetSpec:
    """An original format, as the command line lists it.

    Attributes:
        name: what the user types.
        summary: one line for the lists.
        form: the prepared form it makes.
        task: the task that `dl train NAME` runs.
        importer: "module:Class" that reads the original; see `dlcli.data.preparing.Importer`.
        options: "module:Dataclass" of its own options; both are torch-free.
        needs_source: False where the data is embedded, as in scikit-learn's digits.
        page: where the original can be had, for messages.
    """

    name: str
    summary: str
    form: str
    task: str
    importer: str
    options: str
    needs_source: bool = True
    page: str = ""


@dataclass(frozen=True)
class Network:
    """A network of a task's table.

    Attributes:
        build: "module:Callable" with plain arguments.
        summary: one line for `dl models`.
        source: the paper or page it follows.
        image_size: height and width that it is drawn and counted at when no run says otherwise; None for a network
            that takes no images, which is then looked at as its task's `from_network` makes it.
        channels, num_classes: likewise.
    """

    build: str
    summary: str
    source: str
    image_size: int | None = 32
    channels: int = 3
    num_classes: int = 10


TASKS: Mapping[str, TaskSpec] = {
    "classification": TaskSpec(
        name="classification",
        summary="name what an image shows",
        form="images",
        default_dataset="cifar10",
        config="dlcli.tasks.classification.config:ClassificationConfig",
        recipe="dlcli.tasks.classification.recipes:recipe",
        task="dlcli.tasks.classification.task:ClassificationTask",
        codec="dlcli.tasks.classification.codec:ImageCodec",
        networks="dlcli.tasks.classification.networks:NETWORKS",
        inference="dlcli.tasks.classification.config:ClassificationInference",
        sizes="dlcli.tasks.classification.sizes:sizes",
    ),
}


def _image_dataset(name: str, summary: str, module: str, prefix: str, **more: Any) -> DatasetSpec:
    importer, options = f"dlcli.datasets.{module}:{prefix}Importer", f"dlcli.datasets.options:{prefix}Options"
    return DatasetSpec(name, summary, "images", "classification", importer, options, **more)


DATASETS: Mapping[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        _image_dataset(
            "digits",
            "scikit-learn's 1,797 handwritten digits, 8 x 8 (embedded)",
            "digits",
            "Digits",
            needs_source=False,
        ),
        _image_dataset(
            "mnist",
            "70,000 handwritten digits, 28 x 28 (idx files)",
            "mnist",
            "Mnist",
            page="yann.lecun.com/exdb/mnist",
        ),
        _image_dataset(
            "fashion-mnist",
            "70,000 pictures of clothes, 28 x 28 (idx files)",
            "mnist",
            "FashionMnist",
            page="github.com/zalandoresearch/fashion-mnist",
        ),
        _image_dataset(
            "cifar10",
            "60,000 photos in 10 classes, 32 x 32 (python batches)",
            "cifar",
            "Cifar10",
            page="www.cs.toronto.edu/~kriz/cifar.html",
        ),
        _image_dataset(
            "cifar100",
            "60,000 photos in 100 classes, 32 x 32 (python batches)",
            "cifar",
            "Cifar100",
            page="www.cs.toronto.edu/~kriz/cifar.html",
        ),
        _image_dataset("image-folder", "your own images in one folder a class", "image_folder", "ImageFolder"),
    )
}

SpecT = TypeVar("SpecT", TaskSpec, DatasetSpec)


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that could not be loaded."""

    group: str
    name: str
    reason: str


@dataclass(frozen=True)
class _Plugins(Generic[SpecT]):
    specs: Mapping[str, SpecT]
    broken: tuple[BrokenPlugin, ...]


def _load_plugins(group: str, spec_class: type[SpecT], builtin: Mapping[str, SpecT]) -> _Plugins[SpecT]:
    from importlib.metadata import entry_points

    specs: dict[str, SpecT] = {}
    broken: list[BrokenPlugin] = []
    for entry in entry_points(group=group):
        try:
            spec = entry.load()
        except Exception as error:  # whatever a plugin raises, the house stands
            broken.append(BrokenPlugin(group, entry.name, f"{type(error).__name__}: {error}"))
            continue
        if not isinstance(spec, spec_class):
            broken.append(
                BrokenPlugin(group, entry.name, f"gives a {type(spec).__name__}, not a {spec_class.__name__}")
            )
        elif spec.name in builtin or spec.name in specs:
            broken.append(BrokenPlugin(group, entry.name, f"the name {spec.name!r} is taken"))
        else:
            specs[spec.name] = spec
    return _Plugins(specs, tuple(broken))


@functools.cache
def _task_plugins() -> _Plugins[TaskSpec]:
    return _load_plugins("dlcli.tasks", TaskSpec, TASKS)


@functools.cache
def _dataset_plugins() -> _Plugins[DatasetSpec]:
    return _load_plugins("dlcli.datasets", DatasetSpec, DATASETS)


def all_tasks() -> dict[str, TaskSpec]:
    """Return every task by name, plugins last."""
    return {**TASKS, **_task_plugins().specs}


def all_datasets() -> dict[str, DatasetSpec]:
    """Return every dataset by name, plugins last."""
    return {**DATASETS, **_dataset_plugins().specs}


def broken_plugins() -> tuple[BrokenPlugin, ...]:
    """Return the entry points that could not be loaded."""
    return _task_plugins().broken + _dataset_plugins().broken


def find_task(name: str) -> TaskSpec | None:
    """Return the task of that name. Plugins are looked at only when no built-in task has it."""
    return TASKS.get(name) or _task_plugins().specs.get(name)


def find_dataset(name: str) -> DatasetSpec | None:
    """Return the dataset of that name. Plugins are looked at only when no built-in dataset has it."""
    return DATASETS.get(name) or _dataset_plugins().specs.get(name)


def get_task(name: str) -> TaskSpec:
    """Return the task of that name.

    Raises:
        UsageError: there is none.
    """
    spec = find_task(name)
    if spec is None:
        raise UsageError(f"no task {name!r}", hint=did_you_mean(name, all_tasks()))
    return spec


def get_dataset(name: str) -> DatasetSpec:
    """Return the dataset of that name.

    Raises:
        UsageError: there is none.
    """
    spec = find_dataset(name)
    if spec is None:
        raise UsageError(f"no dataset {name!r}", hint=did_you_mean(name, all_datasets()))
    return spec


def load_object(reference: str) -> Any:
    """Import and return what a spec's "module:Object" names.

    Raises:
        RunError: the module or the object does not exist (a plugin that is no longer whole).
    """
    module_name, _, attribute = reference.partition(":")
    try:
        return vars(importlib.import_module(module_name))[attribute]
    except (ModuleNotFoundError, KeyError) as error:
        if isinstance(error, ModuleNotFoundError) and not module_name.startswith(str(error.name)):
            raise
        raise RunError(f"{reference!r} does not exist", hint="reinstall the package that names it") from None
