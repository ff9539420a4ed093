"""The pictures that `dl visualize` draws of any task: a table of them, their options, and how each is made.

Free of torch and numpy until a picture is drawn, for the help page. To add one: a file with the drawing, and here its
options, its function, its line. A task's own pictures stand in a table like this one, which its `TaskSpec` names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.core.config import option
from dlcli.core.errors import DataError, RunError, UsageError, did_you_mean
from dlcli.core.table import Table
from dlcli.visualize.subject import Drawn, NoOptions, Subject, require_images

if TYPE_CHECKING:
    from torch import nn

    from dlcli.visualize.features import Layer


@dataclass(frozen=True)
class FeatureOptions:
    """Of `features`."""

    layer: str | None = option(None, "the layer; `list` shows them (default: the first)")
    max_channels: int | None = option(None, "draw only the first so many", minimum=1)


@dataclass(frozen=True)
class KernelOptions:
    """Of `kernels`."""

    layer: str | None = option(None, "the convolution; `list` shows them (default: the first)")


@dataclass(frozen=True)
class GridOptions:
    """Of `grid`."""

    split: str = option("train", "the part of the data")
    per_class: int = option(8, "images a class", minimum=1, maximum=64)
    augmented: bool = option(False, "draw what training sees instead")


@dataclass(frozen=True)
class ConfusionOptions:
    """Of `confusion`."""

    split: str = option("test", "the evaluation that is drawn")
    counts: bool = option(False, "show counts in place of per cent of each true class")


@dataclass(frozen=True)
class Picture:
    """A line of the table.

    Attributes:
        summary: one line for the help page.
        subject: what the first argument may be.
        options: the dataclass of its options.
        draw: makes the pictures.
        table: what is printed in place of a picture, where the options ask for that (`--layer list`).
    """

    summary: str
    subject: str
    options: type
    draw: Callable[[Subject, Any], Drawn]
    table: Callable[[Subject, Any], Table | None] | None = None


def _prefix(model: nn.Module) -> str:
    from dlcli.models.summary import common_prefix

    return common_prefix([name for name, _ in model.named_modules() if name])


def _map_layers(subject: Subject) -> list[Layer]:
    from dlcli.visualize.features import list_layers

    model, example = subject.network(), require_images(subject.example())
    prefix = _prefix(model)
    return [_renamed(layer, prefix) for layer in list_layers(model, example) if layer.name.startswith(prefix)]


def _layer_table(layers: Sequence[Layer]) -> Table:
    entries = [{"name": layer.name, "kind": layer.kind, "shape": list(layer.shape)} for layer in layers]
    rows: list[list[object]] = [[layer.name, layer.kind, " x ".join(map(str, layer.shape))] for layer in layers]
    return Table("layers", ["layer", "kind", "channels x height x width"], rows, entries)


class HasLayer(Protocol):
    """Options with a layer in them."""

    @property
    def layer(self) -> str | None:
        """The layer's name; "list" asks for the names."""
        ...


def list_map_layers(subject: Subject, options: HasLayer) -> Table | None:
    """Return the layers with a map, where the user asks for them."""
    return _layer_table(_map_layers(subject)) if options.layer == "list" else None


def list_convolutions(subject: Subject, options: KernelOptions) -> Table | None:
    """Return the convolutions, where the user asks for them."""
    if options.layer != "list":
        return None
    return _layer_table([layer for layer in _map_layers(subject) if layer.kind == "Conv2d"])


def _renamed(layer: Layer, prefix: str) -> Layer:
    from dataclasses import replace

    return replace(layer, name=layer.name.removeprefix(prefix))


def full_name(model: nn.Module, subject: Subject, name: str | None) -> str | None:
    """Return the full name of a layer that the user names; None where none is named.

    Raises:
        UsageError: there is no such layer.
    """
    if name is None:
        return None
    known = [layer.name for layer in _map_layers(subject)]
    if name not in known:
        raise UsageError(f"--layer: no layer {name!r} with a map", hint=f"{did_you_mean(name, known)}; --layer list")
    return _prefix(model) + name


def draw_features(subject: Subject, options: FeatureOptions) -> Drawn:
    """Yield every channel of a layer for each input."""
    from dlcli.visualize.features import draw_features, feature_maps

    model = subject.network()
    first = next((layer.name for layer in _map_layers(subject)), None)
    name = options.layer or first
    layer = full_name(model, subject, name)
    if layer is None:
        raise UsageError("the network has no layer with a map")
    for item in subject.inputs():
        maps = feature_maps(model, item.tensor, layer)
        yield (
            f"features-{item.name}",
            draw_features(maps, max_channels=options.max_channels, title=f"{item.name}, {name}"),
        )


def draw_kernels(subject: Subject, options: KernelOptions) -> Drawn:
    """Yield the filters of a convolution."""
    from dlcli.visualize.kernels import conv_kernels, draw_kernels

    model = subject.network()
    name, weights = conv_kernels(model, full_name(model, subject, options.layer))
    yield "kernels", draw_kernels(weights, title=f"{subject.name}, {name.removeprefix(_prefix(model))}")


def draw_grid(subject: Subject, options: GridOptions) -> Drawn:
    """Yield samples of each class, or what training sees."""
    if options.augmented:
        yield "grid-augmented", subject.training_samples()
        return
    from dlcli.core.registry import load_object
    from dlcli.data.forms import form_of

    form = form_of(subject.data())
    if form is None or not form.samples:
        raise DataError(
            f"{subject.data()}: items of the form {form.name if form is not None else ''!r} are no pictures",
            hint=f"`dl visualize` lists what its task, {form.task}, draws" if form is not None and form.task else None,
        )
    yield "grid", load_object(form.samples)(subject.data(), options.split, options.per_class)


def draw_curves(subject: Subject, options: NoOptions) -> Drawn:
    """Yield loss, metrics and learning rate over the epochs."""
    del options
    from dlcli.core.records import read_metrics
    from dlcli.visualize.curves import draw_curves

    run = subject.run()
    best = run.info().get("best") or {}
    yield "curves", draw_curves(read_metrics(run.metrics_file), run.name, best_epoch=best.get("epoch"))


def draw_confusion(subject: Subject, options: ConfusionOptions) -> Drawn:
    """Yield the confusion matrix of an evaluation."""
    import numpy as np

    from dlcli.visualize.confusion import draw_confusion

    run = subject.run()
    path = run.path / "eval" / f"{options.split}.json"
    if not path.exists():
        raise RunError(f"{run.path}: not evaluated on {options.split} yet", hint=f"`dl eval {run.name}` does it")
    report = run.read_json(f"eval/{options.split}.json")
    if "confusion" not in report:
        raise RunError(f"{path}: has no confusion matrix; the task has no classes")
    try:
        names = [str(row["name"]) for row in report["per_class"]]
        confusion = np.array(report["confusion"], dtype=np.int64).reshape(len(names), len(names))
    except (KeyError, TypeError, ValueError):
        again = f"`dl eval {run.name} --split {options.split}` writes it anew"
        raise RunError(f"{path}: damaged", hint=again) from None
    title = f"{run.name}, {options.split}"
    yield "confusion", draw_confusion(confusion, names, normalise=not options.counts, title=title)


PICTURES: Mapping[str, Picture] = {
    "features": Picture("every channel of a layer", "RUN", FeatureOptions, draw_features, list_map_layers),
    "kernels": Picture("the filters of a convolution", "RUN", KernelOptions, draw_kernels, list_convolutions),
    "grid": Picture("samples of each class of a dataset", "RUN or DATA", GridOptions, draw_grid),
    "curves": Picture("loss, metrics and learning rate over the epochs", "RUN", NoOptions, draw_curves),
    "confusion": Picture("which classes are taken for which", "RUN", ConfusionOptions, draw_confusion),
}
