"""Specs of tasks, forms, datasets and networks: names and references to code, none of it imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskSpec:
    """A task. Strings but `name`, `summary`, `form`, `default_dataset` and `pipeline` are "module:Object" references.

    Attributes:
        name: the name that the user types.
        summary: one line for lists.
        form: the prepared form that the task reads.
        default_dataset: the dataset that `dl train NAME` uses.
        config: the dataclass of the task's options (torch-free).
        recipe: a function (dataset name, options given by the user, folder of the data or None) -> suitable defaults
            (torch-free); the folder may not exist.
        task: the class with the maths; see `dlcli.engine.task.Task`.
        codec: the class that turns raw inputs into arrays and arrays into records, without torch; see
            `dlcli.data.codec.Codec`.
        networks: a mapping from model names to `Network` (torch-free).
        inference: the dataclass of the task's inference options (torch-free), which is passed to the codec, and to the
            task's `set_inference` if it has one (`engine.task.TakesInference`); "" for none.
        sizes: a function (config) -> the `Size`s that `--budget` chooses from (torch-free); "" for a single size.
        search: a function (graph name -> function from arrays to arrays, arrays, options of `inference` or None) ->
            outputs (torch-free), by which the graphs of `export_plan` answer together. The task's `infer` and an
            exported model call the same one. "" where one graph gives the outputs.
        zoo: a `Zoo` of further networks that the task supports by name (torch-free); "" for none.
        pictures: a mapping from names to `dlcli.visualize.pictures.Picture`s specific to this task, for `dl visualize`
            (torch-free); "" for none besides the general ones.
        pipeline: what the Hugging Face hub calls such a task ("image-classification"), for the card of an exported
            file; "" if it has no word for it.
        script: a function that answers an input with an exported ONNX file, and without this package, in the module
            that becomes the script beside the file; see `dlcli.export.script`. "" for one that calls `dl predict`.
        short_script: the same for a file that fits images of any size itself (`dl export --embed-preprocess`).
        api: the version of the contracts that the task is written for; the current one is `dlcli.core.registry.API`.
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
    search: str = ""
    zoo: str = ""
    pictures: str = ""
    pipeline: str = ""
    script: str = ""
    short_script: str = ""
    api: int = 1


@dataclass(frozen=True)
class Size:
    """A size of a task's network, for a training with a time budget.

    Attributes:
        config: the task's options with this size.
        label: the size in words.
        worthwhile_epochs: from this many epochs on, this size beats the smaller ones in equal time.
        max_epochs: more epochs than this bring no gain.
    """

    config: Any
    label: str
    worthwhile_epochs: float
    max_epochs: int


@dataclass(frozen=True)
class FormSpec:
    """A prepared form, the contract between datasets and tasks. Functions are torch-free "module:function" references.

    Attributes:
        name: its name in cards.
        summary: one line for messages: the contents of such a folder.
        open: (folder) -> the form; raises a DataError for a folder that is not in this form.
        findings: (folder) -> an iterator of `dlcli.core.findings.Finding`, for `dl doctor DATA`; "" if the card is
            enough.
        samples: (folder, split, count) -> a picture, (H, W, 3) uint8 RGB, of some items of a split, `count` per class
            if there are classes, for `dl visualize grid DATA`; "" if items are not images.
        task: the task to train on a folder of this form if neither the user, the card nor `task_of` names one.
        matches: (folder) -> whether a folder without a card is in this form; "" if such folders always have a card.
        task_of: (folder without a card) -> the task that its contents suit, "" if they suit none; "" for a form whose
            folders all suit `task`.
        collection: (folder) -> its items as a `dlcli.data.collection.Collection`, in which `dl doctor` looks for
            near-duplicates and by which it names single items; "" if they cannot be compared.
        cut: (folder, card, size) -> the card of a folder whose packed copy it has cut into files of that many items,
            None if it has none; "" for a form that cannot be cut.
    """

    name: str
    summary: str
    open: str
    findings: str = ""
    samples: str = ""
    task: str = ""
    matches: str = ""
    task_of: str = ""
    collection: str = ""
    cut: str = ""


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset in its original format.

    Attributes:
        name: the name that the user types.
        summary: one line for lists.
        form: the prepared form that it is converted to.
        task: the task that `dl train NAME` runs.
        importer: "module:Class" that reads the original (torch-free); see `dlcli.data.importing.preparing.Importer`.
        options: "module:Dataclass" of the importer's options (torch-free).
        needs_source: False if the data is embedded, as in scikit-learn's digits.
        page: where to get the original, for messages.
        source_options: the importer's options that together name the original data in place of SOURCE.
    """

    name: str
    summary: str
    form: str
    task: str
    importer: str
    options: str
    needs_source: bool = True
    page: str = ""
    source_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A network in a task's table.

    Attributes:
        build: "module:Callable" that takes plain arguments.
        summary: one line for `dl models`.
        source: the paper or page that it follows.
        weights: the data on which its published weights were trained; "" if there are none.
    """

    build: str
    summary: str
    source: str
    weights: str = ""


@dataclass(frozen=True)
class Zoo:
    """Networks that a task takes from a library under their names there; its `from_network` builds each of them.

    Attributes:
        names: "module:function" () -> their names; this imports the library.
        summary: a description in the plural, for messages.
        source: the library.
        weights: the data on which their published weights were trained; "" if there are none.
    """

    names: str
    summary: str
    source: str
    weights: str = ""
