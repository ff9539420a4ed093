"""The pictures that `dl visualize` draws for any task: their table, their options, and how each is made.

Free of torch and numpy until a picture is drawn, for the help page. To add one, add a file with the drawing, and here
its options, its function and its table entry. The pictures of a single task are in a table like this one, which its
`TaskSpec` refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.config import option
from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.visualize.image_files import IMAGE, FilterOptions, draw_filter_sheets, draw_histogram_sheets, list_filters
from dlcli.visualize.inside import FieldOptions, GradientOptions, draw_field, draw_gradients
from dlcli.visualize.items import (
    EmbeddingOptions,
    NeighbourOptions,
    draw_embeddings,
    draw_neighbours,
    list_neighbours,
)
from dlcli.visualize.map_layers import full_name, layer_table, list_map_layers, map_layers, prefix_of
from dlcli.visualize.subject import Drawn, NoOptions, Subject


@dataclass(frozen=True)
class FeatureOptions:
    """Options of `features`."""

    layer: str | None = option(None, "the layer; `list` shows them (default: the first)")
    max_channels: int | None = option(None, "draw only the first N channels", minimum=1, maximum=100_000)


@dataclass(frozen=True)
class KernelOptions:
    """Options of `kernels`."""

    layer: str | None = option(None, "the convolution; `list` shows them (default: the first)")


@dataclass(frozen=True)
class GridOptions:
    """Options of `grid`."""

    split: str = option("train", "the split of the data")
    per_class: int = option(8, "images per class", minimum=1, maximum=64)
    augmented: bool = option(False, "draw augmented training inputs instead; of images also --augment OPERATIONS")


@dataclass(frozen=True)
class ConfusionOptions:
    """Options of `confusion`."""

    split: str = option("test", "the evaluated split to draw")
    counts: bool = option(False, "show counts instead of percentages of each true class")


@dataclass(frozen=True)
class StepOptions:
    """Options of `steps`."""

    count: int = option(8, "epochs in the strip, evenly spaced", minimum=1, maximum=100)
    seconds: float = option(0.5, "how long the animation shows each epoch", minimum=0.02, maximum=60)


@dataclass(frozen=True)
class Picture:
    """An entry in the table of pictures.

    Attributes:
        summary: one line for the help page.
        subject: the first argument as shown on the help page.
        options: the dataclass of its options.
        draw: yields the pictures.
        table: returns a table to print instead of drawing if the options request one (`--layer list`), else None.
        blocks: (subject, columns, 24-bit colours or not) -> lines for a terminal that shows coloured characters only,
            on which the text of a picture is illegible; None to show the picture.
    """

    summary: str
    subject: str
    options: type
    draw: Callable[[Subject, Any], Drawn]
    table: Callable[[Subject, Any], Table | None] | None = None
    blocks: Callable[[Subject, int, bool], list[str]] | None = None


def list_convolutions(subject: Subject, options: KernelOptions) -> Table | None:
    """Return the table of convolutions if `--layer list` requests it."""
    if options.layer != "list":
        return None
    return layer_table([layer for layer in map_layers(subject) if layer.kind == "Conv2d"])


def draw_features(subject: Subject, options: FeatureOptions) -> Drawn:
    """Yield a picture of every channel of a layer for each input."""
    from dlcli.visualize.features import draw_features, feature_maps

    model = subject.network()
    first = next((layer.name for layer in map_layers(subject)), None)
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
    """Yield a picture of the filters of a convolution."""
    from dlcli.visualize.kernels import conv_kernels, draw_kernels

    model = subject.network()
    name, weights = conv_kernels(model, full_name(model, subject, options.layer))
    yield "kernels", draw_kernels(weights, title=f"{subject.name}, {name.removeprefix(prefix_of(model))}")


def draw_grid(subject: Subject, options: GridOptions) -> Drawn:
    """Yield a picture of samples of each class, or of augmented training inputs."""
    if options.augmented:
        yield "grid-augmented", subject.training_samples()
        return
    from dlcli.core.registry import load_object
    from dlcli.data.forms import form_of

    form = form_of(subject.data())
    if form is None or not form.samples:
        raise DataError(
            f"{subject.data()}: items of the form {form.name if form is not None else ''!r} are not images",
            hint=f"`dl visualize` lists what its task, {form.task}, draws" if form is not None and form.task else None,
        )
    yield "grid", load_object(form.samples)(subject.data(), options.split, options.per_class)


def draw_curves(subject: Subject, options: NoOptions) -> Drawn:
    """Yield a picture of loss, metrics and learning rate by epoch."""
    del options
    from dlcli.core.records import read_metrics
    from dlcli.visualize.curves import draw_curves

    run = subject.run()
    best = run.info().get("best") or {}
    yield "curves", draw_curves(read_metrics(run.metrics_file), run.name, best_epoch=best.get("epoch"))


def curve_blocks(subject: Subject, columns: int, has_true_colour: bool) -> list[str]:
    """Return the curves of a run as lines for a terminal."""
    from dlcli.core.records import read_metrics
    from dlcli.visualize.terminal_curves import curve_lines

    return curve_lines(read_metrics(subject.run().metrics_file), columns, has_true_colour=has_true_colour, most=6)


def draw_steps(subject: Subject, options: StepOptions) -> Drawn:
    """Yield the samples of a run over the epochs, as a strip and as an animation."""
    from dlcli.visualize.steps import MAX_FRAMES, animate, draw_strip, read_samples

    run = subject.run()
    yield "steps", draw_strip(read_samples(run, options.count))
    yield "steps", animate(read_samples(run, MAX_FRAMES), options.seconds)


def stored_report(run: RunDir, split: str) -> tuple[dict[str, Any], Path]:
    """Return the report of an evaluation that is stored in a run, and its file.

    Raises:
        RunError: the run is not evaluated on this split, or the file is damaged.
    """
    path, again = run.path / "eval" / f"{split}.json", f"`dl eval {run.reference} --split {split}`"
    if not path.exists():
        raise RunError(f"{run.path}: not evaluated on {split} yet", hint=f"run {again}")
    report = run.read_json(f"eval/{split}.json")
    if not isinstance(report, dict):
        raise RunError(f"{path}: damaged", hint=f"rewrite it with {again}")
    return report, path


def draw_confusion(subject: Subject, options: ConfusionOptions) -> Drawn:
    """Yield a picture of the confusion matrix of an evaluation."""
    import numpy as np

    from dlcli.visualize.confusion import draw_confusion

    run = subject.run()
    report, path = stored_report(run, options.split)
    if "confusion" not in report:
        raise RunError(f"{path}: no confusion matrix, since the task has no classes")
    try:
        names = [str(row["name"]) for row in report["per_class"]]
        confusion = np.array(report["confusion"], dtype=np.int64).reshape(len(names), len(names))
    except (KeyError, TypeError, ValueError, OverflowError):
        again = f"rewrite it with `dl eval {run.reference} --split {options.split}`"
        raise RunError(f"{path}: damaged", hint=again) from None
    title = f"{run.name}, {options.split}"
    yield "confusion", draw_confusion(confusion, names, normalise=not options.counts, title=title)


PICTURES: Mapping[str, Picture] = {
    "features": Picture("every channel of a layer", "RUN", FeatureOptions, draw_features, list_map_layers),
    "field": Picture("what a layer can see, and what matters to it", "RUN", FieldOptions, draw_field, list_map_layers),
    "gradients": Picture("activations and gradients by layer", "RUN", GradientOptions, draw_gradients),
    "kernels": Picture("the filters of a convolution", "RUN", KernelOptions, draw_kernels, list_convolutions),
    "grid": Picture("samples of each class of a dataset", "RUN or DATA", GridOptions, draw_grid),
    "curves": Picture(
        "loss, metrics and learning rate over the epochs", "RUN", NoOptions, draw_curves, blocks=curve_blocks
    ),
    "steps": Picture("samples over the epochs, as a strip and a GIF", "RUN", StepOptions, draw_steps),
    "embeddings": Picture("a map of the items of a split by their vectors", "RUN", EmbeddingOptions, draw_embeddings),
    "neighbours": Picture("the items nearest to an input", "RUN", NeighbourOptions, draw_neighbours, list_neighbours),
    "confusion": Picture("which classes are mistaken for which", "RUN", ConfusionOptions, draw_confusion),
    "filters": Picture("an image after classical operations", IMAGE, FilterOptions, draw_filter_sheets, list_filters),
    "histogram": Picture("an image before and after equalisation", IMAGE, NoOptions, draw_histogram_sheets),
}
