"""The networks of all tasks by name: those of their tables, and those of libraries, which cost an import to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dlcli.core.registry import TaskSpec, all_tasks, load_object
from dlcli.core.specs import Network, Zoo


def networks_of(spec: TaskSpec) -> Mapping[str, Network]:
    """Return the table of a task's own networks."""
    table: Mapping[str, Network] = load_object(spec.networks)
    return table


def zoo_of(spec: TaskSpec) -> Zoo | None:
    """Return the library whose networks a task takes by name, without importing it; None where there is none."""
    zoo: Zoo | None = load_object(spec.zoo) if spec.zoo else None
    return zoo


def zoo_names(zoo: Zoo) -> Sequence[str]:
    """Return the names of a library's networks; imports it."""
    names: Sequence[str] = load_object(zoo.names)()
    return names


def zoos() -> Iterator[tuple[TaskSpec, Zoo]]:
    """Yield each task that takes networks of a library, with that library."""
    for spec in all_tasks().values():
        zoo = zoo_of(spec)
        if zoo is not None:
            yield spec, zoo


def find_owner(name: str) -> TaskSpec | None:
    """Return the first task that has a network of this name, or else takes it from a library; None where none does.

    Libraries are imported only for a name that no table has.
    """
    for spec in all_tasks().values():
        if name in networks_of(spec):
            return spec
    return next((spec for spec, zoo in zoos() if name in zoo_names(zoo)), None)
