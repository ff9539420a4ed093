"""The layers of a run's network that have maps, by the names that users type, for `--layer`. Torch-free until used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.table import Table
from dlcli.visualize.subject import Subject, require_images

if TYPE_CHECKING:
    from torch import nn

    from dlcli.visualize.features import Layer


def prefix_of(model: nn.Module) -> str:
    """Return the part of a layer's name that users do not type: that of a wrapper around the network."""
    from dlcli.models.summary import common_prefix

    return common_prefix([name for name, _ in model.named_modules() if name])


def map_layers(subject: Subject) -> list[Layer]:
    """Return the layers with a map, by the names that users type."""
    from dlcli.visualize.features import list_layers

    model, example = subject.network(), require_images(subject.example())
    prefix = prefix_of(model)
    return [_renamed(layer, prefix) for layer in list_layers(model, example) if layer.name.startswith(prefix)]


def layer_table(layers: Sequence[Layer]) -> Table:
    """Return layers as a table to print."""
    entries = [{"name": layer.name, "kind": layer.kind, "shape": list(layer.shape)} for layer in layers]
    rows: list[list[object]] = [[layer.name, layer.kind, " x ".join(map(str, layer.shape))] for layer in layers]
    return Table("layers", ["layer", "kind", "channels x height x width"], rows, entries)


class HasLayer(Protocol):
    """Options that include a layer."""

    @property
    def layer(self) -> str | None:
        """The layer's name; "list" requests the names."""
        ...


def list_map_layers(subject: Subject, options: HasLayer) -> Table | None:
    """Return the table of layers with a map if `--layer list` requests it."""
    return layer_table(map_layers(subject)) if options.layer == "list" else None


def _renamed(layer: Layer, prefix: str) -> Layer:
    from dataclasses import replace

    return replace(layer, name=layer.name.removeprefix(prefix))


def full_name(model: nn.Module, subject: Subject, name: str | None) -> str | None:
    """Return the full name of the layer that the user gave; None for None.

    Raises:
        UsageError: there is no such layer.
    """
    if name is None:
        return None
    known = [layer.name for layer in map_layers(subject)]
    if name not in known:
        raise UsageError(f"--layer: no layer {name!r} with a map", hint=f"{did_you_mean(name, known)}; --layer list")
    return prefix_of(model) + name
