"""The pictures of `dl visualize`: the general ones, and those of each task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dlcli.core.registry import TASKS, TaskSpec, all_tasks, load_object
from dlcli.visualize.pictures import PICTURES, Picture


@dataclass(frozen=True)
class Owned:
    """A picture, and the name of the task that it belongs to; None for a general picture."""

    picture: Picture
    owner: str | None


def pictures_of(spec: TaskSpec) -> Mapping[str, Picture]:
    """Return a task's own pictures by name."""
    pictures: Mapping[str, Picture] = load_object(spec.pictures) if spec.pictures else {}
    return pictures


def all_pictures(specs: Iterable[TaskSpec] = TASKS.values()) -> dict[str, Owned]:
    """Return the general pictures by name, then those of the tasks; of two with the same name, the first wins."""
    found = {name: Owned(picture, None) for name, picture in PICTURES.items()}
    for spec in specs:
        for name, picture in pictures_of(spec).items():
            found.setdefault(name, Owned(picture, spec.name))
    return found


def find_picture(name: str, spec: TaskSpec | None) -> Owned | None:
    """Return the picture with this name: the task's own, else a general one, else another task's, else None."""
    if spec is not None and name in pictures_of(spec):
        return Owned(pictures_of(spec)[name], spec.name)
    return all_pictures().get(name) or all_pictures(all_tasks().values()).get(name)
