"""What a task, a dataset and a network are to the command line: names and places of code, none of it imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
        networks: a mapping from model names to `Network` (torch-free).
        inference: the dataclass of the task's inference options (torch-free), which goes to the codec, and to the
            task's `set_inference` where it has one (`engine.task.TakesInference`); "" where there are none.
        sizes: a function (config) -> `Size`s that `--budget` chooses from (torch-free); "" where there is one size.
        zoo: a `Zoo` of further networks that the task takes by name (torch-free); "" where there is none.
        pictures: a mapping from names to `dlcli.visualize.pictures.Picture`s of this task alone, for `dl visualize`
            (torch-free); "" where the general ones are all.
        api: the version of these contracts that the task is written for; `dlcli.core.registry.API` is the present one.
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
    zoo: str = ""
    pictures: str = ""
    api: int = 1


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
class FormSpec:
    """A prepared form, the contract between datasets and tasks. Functions are "module:function", free of torch.

    Attributes:
        name: what cards call it.
        summary: one line for messages: what lies in such a folder.
        open: (folder) -> the form; a folder that is none of its kind raises a DataError.
        findings: (folder) -> an iterator of `dlcli.core.findings.Finding`, for `dl doctor DATA`; "" where the card
            says all.
        samples: (folder, split, count) -> a picture, (H, W, 3) uint8 RGB, of some items of a split, `count` of each
            class where there are classes, for `dl visualize grid DATA`; "" where items are no pictures.
        task: the task that a folder of this form is trained for, where neither the user nor the card names one.
        matches: (folder) -> whether a folder without a card is in this form; "" where such folders always have one.
    """

    name: str
    summary: str
    open: str
    findings: str = ""
    samples: str = ""
    task: str = ""
    matches: str = ""


@dataclass(frozen=True)
class DatasetSpec:
    """An original format, as the command line lists it.

    Attributes:
        name: what the user types.
        summary: one line for the lists.
        form: the prepared form it makes.
        task: the task that `dl train NAME` runs.
        importer: "module:Class" that reads the original; see `dlcli.data.importing.preparing.Importer`.
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
    """

    build: str
    summary: str
    source: str


@dataclass(frozen=True)
class Zoo:
    """Networks of a library that a task takes by their names there; its `from_network` makes each of them.

    Attributes:
        names: "module:function" () -> their names; it costs an import of the library.
        summary: what they are, in the plural, for messages.
        source: the library.
    """

    names: str
    summary: str
    source: str
