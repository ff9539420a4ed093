"""The networks of all tasks by name: those in their tables, and those of libraries, which must be imported to list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import TaskSpec, all_tasks, load_object
from dlcli.core.specs import Network, Zoo


def networks_of(spec: TaskSpec) -> Mapping[str, Network]:
    """Return the table of a task's networks."""
    table: Mapping[str, Network] = load_object(spec.networks)
    return table


def zoo_of(spec: TaskSpec) -> Zoo | None:
    """Return the library whose networks a task supports, without importing it; None if there is none."""
    zoo: Zoo | None = load_object(spec.zoo) if spec.zoo else None
    return zoo


def zoo_names(zoo: Zoo) -> Sequence[str]:
    """Import a library and return the names of its networks."""
    names: Sequence[str] = load_object(zoo.names)()
    return names


def zoos() -> Iterator[tuple[TaskSpec, Zoo]]:
    """Yield each task that supports the networks of a library, with that library."""
    for spec in all_tasks().values():
        zoo = zoo_of(spec)
        if zoo is not None:
            yield spec, zoo


def find_owner(name: str) -> TaskSpec | None:
    """Return the first task with a network of this name in its table, or else in its library; None if there is none.

    Libraries are imported only for an identifier that is in no table.
    """
    for spec in all_tasks().values():
        if name in networks_of(spec):
            return spec
    return next((spec for spec, zoo in zoos() if name.isidentifier() and name in zoo_names(zoo)), None)


def get_owner(name: str) -> TaskSpec:
    """Return the task that `find_owner` finds.

    Raises:
        UsageError: no task has a network of this name.
    """
    spec = find_owner(name)
    if spec is None:
        known = [*(each for spec in all_tasks().values() for each in networks_of(spec))]
        known += [each for _, zoo in zoos() for each in zoo_names(zoo)]
        raise UsageError(f"no network {name!r}", hint=did_you_mean(name, known))
    return spec


def has_weights(name: str) -> bool:
    """Return whether there are published weights of a network; libraries are imported as by `find_owner`."""
    tables = [networks_of(spec) for spec in all_tasks().values()]
    if any(name in table for table in tables):
        return any(table[name].weights for table in tables if name in table)
    return any(zoo.weights and name.isidentifier() and name in zoo_names(zoo) for _, zoo in zoos())
