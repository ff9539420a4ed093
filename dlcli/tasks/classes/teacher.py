"""Distillation: a network learns from the probabilities of a trained one beside the labels.

The teacher answers the very inputs of each step, augmented as they are, in evaluation mode and without gradients. It is
a part of the training alone: the run of the student holds nothing of it but its name.

Source: Hinton et al. 2015, arXiv:1503.02531.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcli.core.console import shorten
from dlcli.core.errors import DataError, UsageError
from dlcli.core.run_dir import resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.models.places import device_of
from dlcli.tasks.classes.options import DISTILL, read_distill


class Classifier(Protocol):
    """A task whose network returns a logit for each class: what the teacher and the student have in common."""

    @property
    def model(self) -> nn.Module:
        """The network."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""
        ...

    def assets(self) -> dict[str, Any]:
        """Return the assets, of which some say what the network's inputs mean."""
        ...


def soft_loss(logits: Tensor, soft_logits: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(teacher || student) at a temperature, the mean over N items, a float32 scalar.

    The factor keeps the size of its gradients, which shrink with the square of the temperature.

    Args:
        logits: the student's, (N, C).
        soft_logits: the teacher's, (N, C).
        temperature: T, by which both are divided.
    """
    student = (logits.float() / temperature).log_softmax(1)
    teacher = (soft_logits.float() / temperature).log_softmax(1)
    total = F.kl_div(student, teacher, reduction="sum", log_target=True)
    return temperature**2 * total / len(logits)


class Teacher:
    """A trained network that answers the inputs of a training.

    Args:
        model: inputs -> (N, K) logits.
        places: (C,) int64 indices of the student's classes among its K.
        temperature: see `soft_loss`.
        weight: of the soft loss; that of the labels is the rest.
    """

    def __init__(self, model: nn.Module, places: Tensor, temperature: float, weight: float) -> None:
        self.model = model.eval().requires_grad_(False)
        self._places = places
        self._temperature = temperature
        self.weight = weight

    def answers(self, *inputs: Tensor) -> Tensor:
        """Return its logits of the student's classes, (N, C), for the inputs of the student's network."""
        if device_of(self.model) != inputs[0].device:
            self.model.to(inputs[0].device)
        with torch.no_grad():
            logits: Tensor = self.model(*inputs)[:, self._places.to(inputs[0].device)]
        return logits

    def loss(self, logits: Tensor, answers: Tensor) -> Tensor:
        """Return the soft loss of a batch, not weighted.

        Args:
            logits: (N, C); for M members in one tensor (M * N, C), one after the other.
            answers: (N, C), the teacher's.
        """
        return soft_loss(logits, answers.repeat(len(logits) // len(answers), 1), self._temperature)


def open_teacher(reference: str | None, values: str | None, student: Classifier, train: TrainConfig) -> Teacher | None:
    """Return the teacher that the options name, or None.

    Args:
        reference: `--teacher`.
        values: `--distill`.
        student: the task that it teaches.
        train: the options of the loop.

    Raises:
        UsageError: the options contradict each other, or the run is of another task.
        RunError: there is no such run, or it is damaged.
        DataError: it reads other inputs than the student, or does not know one of its classes.
    """
    if reference is None:
        if values is not None:
            raise UsageError("--distill needs --teacher", hint="add --teacher RUN")
        return None
    if train.folds is not None or train.splits is not None:
        raise UsageError(
            "--teacher: in a cross-validation it may have seen what a fold tests", hint="leave out --folds or --teacher"
        )
    from dlcli.engine.runs.restore import load_task

    run = resolve_run(reference)
    task: Any = load_task(run)[0]
    if type(task) is not type(student):
        raise UsageError(f"--teacher {run.path}: a run of another task", hint="name a run of the same task")
    _require_same_inputs(task.assets(), student.assets(), str(run.path))
    unknown = [name for name in student.labels if name not in task.labels]
    if unknown:
        raise DataError(
            f"--teacher {run.path}: it does not know the class {shorten(unknown[0], 100)!r}",
            details=[f"it knows: {shorten(', '.join(task.labels), 200)}"],
            hint="name a run that was trained on the same classes",
        )
    places = torch.tensor([task.labels.index(name) for name in student.labels])
    temperature, weight = read_distill(values or DISTILL)
    return Teacher(task.model, places, temperature, weight)


def _require_same_inputs(teacher: Mapping[str, Any], student: Mapping[str, Any], run: str) -> None:
    """Check that a batch of the student means the same to the teacher.

    Raises:
        DataError: it does not; the first difference is named.
    """
    theirs, ours = _inputs_of(teacher), _inputs_of(student)
    for name, own in ours.items():
        if json.dumps(theirs[name]) != json.dumps(own):
            raise DataError(
                f"--teacher {run}: its {name} differ from those of this training",
                details=[f"the teacher: {_brief(theirs[name])}", f"this training: {_brief(own)}"],
                hint="train both on the same prepared data, images at the same --image-size",
            )


def _inputs_of(assets: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides what the inputs of a network mean, whatever its kind, by its name in the plural."""
    preprocess, columns = assets.get("preprocess") or {}, assets.get("columns") or {}
    return {
        "channels": preprocess.get("channels"),
        "image sizes": preprocess.get("size"),
        "tokenizers": preprocess.get("tokenizer"),
        "vocabularies": assets.get("vocab"),
        "numbers of characters": preprocess.get("max_characters"),
        "columns of numbers": [[column["name"], column.get("offset")] for column in columns.get("numeric", ())],
        "categories": [
            [column[key] for key in ("name", "categories", "has_missing")] for column in columns.get("categorical", ())
        ],
    }


def _brief(value: Any) -> str:
    count = f"{len(value):,} entries, " if isinstance(value, Sequence) and not isinstance(value, str) else ""
    return shorten(f"{count}{value}", 120)
